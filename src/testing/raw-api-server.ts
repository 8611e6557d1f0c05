/**
 * A Runtime API over plain sockets, for tests of how responses are sent and connections end: it hands
 * out events and keeps the posts, and leaves every byte of a response to the test.
 *
 * @module
 */

import { type AddressInfo, createServer, type Server, type Socket } from "node:net";

import { HEADER, PATH } from "../runtime-api/contract.ts";

/** A request that was read to its end. */
export interface RawRequest {
  readonly method: string;
  readonly path: string;
  readonly body: Buffer;
  /** Counts the connections from 1: which of them brought it. */
  readonly connection: number;
}

/** The response to a request. */
export interface RawResponse {
  readonly request: RawRequest;
  readonly status: string;
  /** Lines without their ends; of the length of the body they say nothing. */
  readonly fields: readonly string[];
  readonly body: string;
}

/** Sends a response, or does something else with the connection. */
export type Transport = (socket: Socket, response: RawResponse) => void | Promise<void>;

/** Looks at a request that is being read; returns whether it has dealt with it. */
export type Interception = (socket: Socket, head: string, received: Buffer) => boolean;

/** Hands out events "0", "1", … and keeps what comes back. */
export class RawApiServer implements AsyncDisposable {
  /** The posts by the number of their event. */
  readonly posts = new Map<number, RawRequest[]>();
  readonly requests: RawRequest[] = [];
  connections = 0;
  readonly #server: Server;
  readonly #transport: Transport;
  readonly #intercept: Interception;
  readonly #count: number;
  readonly #sockets = new Set<Socket>();
  readonly #done = Promise.withResolvers<void>();
  #handedOut = 0;

  private constructor(count: number, transport: Transport, intercept: Interception) {
    this.#count = count;
    this.#transport = transport;
    this.#intercept = intercept;
    this.#server = createServer((socket) => {
      this.connections += 1;
      this.#sockets.add(socket);
      socket.on("error", () => undefined);
      socket.setNoDelay(true);
      this.#serve(socket, this.connections);
    });
  }

  /** Starts a server that hands out so many events, one after the other. */
  static async start(
    count: number,
    transport: Transport,
    intercept: Interception = () => false,
  ): Promise<RawApiServer> {
    const api = new RawApiServer(count, transport, intercept);
    await new Promise<void>((resolve) => api.#server.listen(0, "127.0.0.1", resolve));
    return api;
  }

  /** The value of AWS_LAMBDA_RUNTIME_API. */
  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Resolves when the runtime asks for one event more than there are. */
  get done(): Promise<void> {
    return this.#done.promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #serve(socket: Socket, connection: number): void {
    let received: Buffer = Buffer.alloc(0);
    socket.on("data", (bytes: Buffer) => {
      received = Buffer.concat([received, bytes]);
      for (let request = this.#next(socket, received, connection); request !== undefined;) {
        received = received.subarray(request.bytes);
        void this.#respond(socket, request);
        request = this.#next(socket, received, connection);
      }
    });
  }

  #next(socket: Socket, received: Buffer, connection: number) {
    const end = received.indexOf("\r\n\r\n");
    if (end < 0) return undefined;
    const head = received.toString("latin1", 0, end);
    if (this.#intercept(socket, head, received)) return undefined;
    const [, method = "", path = ""] = /^(\S+) (\S+) /.exec(head) ?? [];
    const length = Number(/^content-length: (\d+)$/im.exec(head)?.[1] ?? 0);
    const bytes = end + 4 + length;
    if (received.length < bytes) return undefined;
    const body = Buffer.from(received.subarray(end + 4, bytes));
    return { method, path, body, connection, bytes };
  }

  async #respond(socket: Socket, request: RawRequest): Promise<void> {
    this.requests.push(request);
    if (request.method === "GET") {
      const at = this.#handedOut;
      if (at >= this.#count) {
        this.#done.resolve();
        return;
      }
      this.#handedOut += 1;
      const fields = [`${HEADER.requestId}: event-${at}`];
      await this.#transport(socket, { request, status: "200 OK", fields, body: String(at) });
      return;
    }
    const event = Number(/event-(\d+)/.exec(request.path)?.[1]);
    this.posts.set(event, [...(this.posts.get(event) ?? []), request]);
    const body = '{"status":"OK"}\n';
    await this.#transport(socket, { request, status: "202 Accepted", fields: [], body });
  }
}

/** What every event must have got: one response, its own number. */
export function expectedPosts(count: number): [number, [string, string][]][] {
  return Array.from({ length: count }, (_, at) => [
    at,
    [[PATH.response(`event-${at}`), String(at)]],
  ]);
}
