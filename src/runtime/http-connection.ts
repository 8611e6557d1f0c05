/**
 * One kept-alive HTTP/1.1 connection to the Runtime API.
 *
 * Written over a socket because nothing ready-made does all that the contract asks for: `fetch`
 * gives up after a time and cannot send trailers, and both it and `node:http` need an event loop.
 * Text is latin1 throughout, one character a byte, so that header values keep whatever they hold.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9112
 * @module
 */

import { ConnectionError, HttpAnswerReader, type HttpResponse } from "./http-answer-reader.ts";
import { close, read, setBlocking, SystemError, WOULD_BLOCK } from "./libc.ts";
import { isReadableNow } from "./poll-set.ts";
import type { Poller } from "./poller.ts";
import { connect, send, shutDown } from "./socket.ts";

/** A header line to be sent, with its end. */
export function headerLine(name: string, value: string): string {
  return `${name}: ${value}\r\n`;
}

/** Bodies up to this size, in bytes, are sent in one call with their head. */
const ONE_SEND_BYTES_MAX = 64 * 1024;

const END_OF_LINE = new Uint8Array([0x0d, 0x0a]);

/** A connection that is made when first needed and again when the server has closed it. */
export class HttpConnection {
  readonly #address: string;
  readonly #host: string;
  readonly #port: string;
  readonly #poller: Poller;
  #socket: number | undefined;
  /** Whether there was time for the server to close the connection: a handler has run since. */
  #mayHaveEnded = false;
  readonly #answers = new HttpAnswerReader((into) => this.#read(into));

  /** @param address `host:port` as in AWS_LAMBDA_RUNTIME_API; an IPv6 host stands in brackets. */
  constructor(address: string, poller: Poller) {
    const colon = address.lastIndexOf(":");
    const host = address.slice(0, colon);
    this.#address = address;
    this.#host = host.startsWith("[") ? host.slice(1, -1) : host;
    this.#port = address.slice(colon + 1);
    this.#poller = poller;
  }

  /** Connects ahead of the first request; what goes wrong is for that request to say. */
  prepare(): void {
    try {
      this.#open();
    } catch (error) {
      if (!(error instanceof ConnectionError)) throw error;
    }
  }

  /**
   * The bytes of a GET request, for {@link get}: the same ones can be sent any number of times.
   * @param headers Lines of {@link headerLine}, here and below.
   */
  getRequest(path: string, headers: string): Uint8Array {
    return this.#head("GET", path, headers);
  }

  /**
   * Sends a GET request and waits for its answer, for as long as it takes.
   * @throws {ConnectionError} When the server cannot be reached or goes away.
   * @throws {HttpSyntaxError} When its answer is not HTTP.
   */
  get(request: Uint8Array): HttpResponse {
    this.#send(this.#open(), [request]);
    const answer = this.#answer();
    this.#mayHaveEnded = true;
    return answer;
  }

  /** Posts a body and waits for the answer; throws as {@link get} does. */
  post(path: string, headers: string, body: Uint8Array): HttpResponse {
    const length = headerLine("Content-Length", `${body.byteLength}`);
    const head = this.#head("POST", path, headers + length);
    const isSmall = body.byteLength <= ONE_SEND_BYTES_MAX;
    this.#send(this.#open(), isSmall ? [Buffer.concat([head, body])] : [head, body]);
    return this.#answer();
  }

  /** Begins a chunked POST with trailers; {@link sendChunk} and {@link endChunks} follow. */
  beginChunks(path: string, headers: string): void {
    const encoding = headerLine("Transfer-Encoding", "chunked");
    this.#send(this.#open(), [this.#head("POST", path, headers + encoding)]);
  }

  sendChunk(bytes: Uint8Array): void {
    if (bytes.byteLength === 0) return;
    const size = Buffer.from(`${bytes.byteLength.toString(16)}\r\n`);
    this.#send(this.#socket, [Buffer.concat([size, bytes, END_OF_LINE])]);
  }

  /** Ends a chunked POST and waits for its answer. */
  endChunks(trailers: string): HttpResponse {
    this.#send(this.#socket, [Buffer.from(`0\r\n${trailers}\r\n`, "latin1")]);
    return this.#answer();
  }

  /** Has whatever waits for the connection fail at once; {@link close} is to follow. */
  shutDown(): void {
    if (this.#socket !== undefined) shutDown(this.#socket);
  }

  /** Closes the connection; the next request opens another. */
  close(): void {
    if (this.#socket !== undefined) close(this.#socket);
    this.#socket = undefined;
    this.#answers.reset();
  }

  #head(method: string, path: string, headers: string): Buffer {
    const host = headerLine("Host", this.#address);
    return Buffer.from(`${method} ${path} HTTP/1.1\r\n${host}${headers}\r\n`, "latin1");
  }

  /** Returns a connected socket: the kept one unless the server has closed it meanwhile. */
  #open(): number {
    // Nothing is owed to us between requests: if the socket is readable, it is at its end.
    if (this.#mayHaveEnded && this.#socket !== undefined && isReadableNow(this.#socket))
      this.close();
    this.#mayHaveEnded = false;
    if (this.#socket === undefined) {
      try {
        this.#socket = connect(this.#host, this.#port);
      } catch (cause) {
        const reason = cause instanceof Error ? cause.message : String(cause);
        const message = `failed to connect to ${this.#address}: ${reason}`;
        throw new ConnectionError(message, false, { cause });
      }
      setBlocking(this.#socket, false);
    }
    return this.#socket;
  }

  #send(socket: number | undefined, parts: readonly Uint8Array[]): void {
    if (socket === undefined) throw new ConnectionError("the connection was closed", false);
    try {
      for (const part of parts) {
        for (let rest = part; rest.byteLength > 0;) {
          const count = send(socket, rest);
          if (count === WOULD_BLOCK) this.#poller.waitWritable(socket);
          else rest = rest.subarray(count);
        }
      }
    } catch (cause) {
      if (!(cause instanceof SystemError)) throw cause;
      // A server that refuses a request early may have answered before it stopped reading.
      if (isReadableNow(socket)) return;
      this.close();
      throw new ConnectionError(`failed to send the request: ${cause.message}`, false, { cause });
    }
  }

  #answer(): HttpResponse {
    try {
      const answer = this.#answers.read();
      if (answer.isLast) this.close();
      return answer;
    } catch (error) {
      this.close();
      throw error;
    }
  }

  #read(into: Uint8Array): number {
    const socket = this.#socket;
    if (socket === undefined) return 0;
    for (;;) {
      this.#poller.waitReadable(socket);
      try {
        const count = read(socket, into);
        if (count !== WOULD_BLOCK) return count;
      } catch (cause) {
        if (!(cause instanceof SystemError)) throw cause;
        throw new ConnectionError(`the connection broke: ${cause.message}`, true, { cause });
      }
    }
  }
}
