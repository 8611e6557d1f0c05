/**
 * One kept-alive HTTP/1.1 connection to the Runtime API.
 *
 * Written over a socket because nothing ready-made does all that the contract asks for: `fetch`
 * gives up after a time and cannot send trailers, and both it and `node:http` need an event loop.
 * Text is latin1 throughout, one character a byte, so that header values keep whatever they hold.
 *
 * A request whose connection breaks may be sent again only if the server cannot have acted on the
 * first one, and {@link ConnectionError} says whether that is so. It cannot when a part of it was
 * never sent, or has never reached its side: the end of a connection confirms what has. Of a reset this
 * is not certain, as what has been confirmed last may be missing.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9112
 * @module
 */

import { latin1Bytes } from "./bytes.ts";
import {
  ConnectionError,
  HttpResponseReader,
  isInterim,
  type OnHead,
  readerOf,
  type ReceivedResponse,
} from "./http-response-reader.ts";
import { close, read, SystemError, WOULD_BLOCK } from "./libc.ts";
import type { SharedConnection } from "./loop.ts";
import { isReadableNow, POLLIN, POLLOUT } from "./poll-set.ts";
import type { Poller } from "./poller.ts";
import { connect, peek, send, shutDown, unacknowledgedBytes } from "./socket.ts";

/** A header line to be sent, with its end. */
export function headerLine(name: string, value: string): string {
  return `${name}: ${value}\r\n`;
}

/** Told of a GET request on a connection that another process has, too. */
export interface GetWatch {
  /** It has been sent: from now on the other process may find the response. */
  onAsked(): void;
  /** The response is there: from now on the other process may find only a part of it. */
  readonly onHead: OnHead;
}

/** Room for the head of a response to be looked at, in bytes. */
const PEEKED_BYTES = 16 * 1024;

/** Bodies up to this size, in bytes, are sent in one call with their head. */
const ONE_SEND_BYTES_MAX = 64 * 1024;

/** TCP confirms every other full segment at least, and those within a machine have up to 64 KiB. */
const UNCONFIRMED_BYTES_MAX = 256 * 1024;

const END_OF_LINE = new Uint8Array([0x0d, 0x0a]);

/** Where the Runtime API is. */
export interface HttpAddress {
  /** Name or number; of IPv6 without brackets. */
  readonly host: string;
  readonly port: string;
  /** Both, as in AWS_LAMBDA_RUNTIME_API. */
  readonly text: string;
}

/** A connection that is made when first needed and again when the server has closed it. */
export class HttpConnection {
  readonly #address: HttpAddress;
  readonly #poller: Poller;
  /** A socket that another process has, too. */
  readonly #shared: number | undefined;
  #socket: number | undefined;
  /** Whether the response to a GET request of another process has not come yet. */
  #hasAsked: boolean;
  readonly #responses = new HttpResponseReader((into) => this.#read(into));
  /** A final response that came before the request was complete. */
  #earlyResponse: ReceivedResponse | undefined;

  /** @param shared A connection to begin with. */
  constructor(address: HttpAddress, poller: Poller, shared?: SharedConnection) {
    this.#address = address;
    this.#poller = poller;
    this.#shared = shared?.socket;
    this.#socket = shared?.socket;
    this.#hasAsked = shared?.hasAsked ?? false;
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
   * Sends a GET request and waits for its response, for as long as it takes.
   * @param watch Told of it on a connection that another process has, too.
   * @throws {ConnectionError} When the server cannot be reached or goes away.
   * @throws {HttpSyntaxError} When its response is not HTTP.
   */
  get(request: Uint8Array, watch?: GetWatch): ReceivedResponse {
    if (!this.#hasAsked) {
      this.#open();
      this.#send([request]);
    }
    this.#hasAsked = false;
    if (watch !== undefined) this.#tell(watch);
    return this.#receive(watch?.onHead);
  }

  /**
   * Posts a body and waits for the response; throws as {@link get} does.
   * @param onSent Told when all of it was sent.
   */
  post(path: string, headers: string, body: Uint8Array, onSent: () => void): ReceivedResponse {
    const length = headerLine("Content-Length", `${body.byteLength}`);
    const head = this.#head("POST", path, headers + length);
    const isSmall = body.byteLength <= ONE_SEND_BYTES_MAX;
    this.#open();
    this.#send(isSmall ? [Buffer.concat([head, body])] : [head, body]);
    if (this.#earlyResponse === undefined) onSent();
    return this.#receive();
  }

  /** Begins a chunked POST with trailers; {@link sendChunk} and {@link endChunks} follow. */
  beginChunks(path: string, headers: string): void {
    const encoding = headerLine("Transfer-Encoding", "chunked");
    this.#open();
    this.#send([this.#head("POST", path, headers + encoding)]);
  }

  /** Sends bytes at once; they are dropped when the server has responded already. */
  sendChunk(bytes: Uint8Array): void {
    if (bytes.byteLength === 0) return;
    const size = latin1Bytes(`${bytes.byteLength.toString(16)}\r\n`);
    this.#send([Buffer.concat([size, bytes, END_OF_LINE])]);
  }

  /** Ends a chunked POST and waits for its response. */
  endChunks(trailers: string): ReceivedResponse {
    this.#send([latin1Bytes(`0\r\n${trailers}\r\n`)]);
    return this.#receive();
  }

  /** Has whatever waits for the connection fail at once; {@link close} must be called next. */
  shutDown(): void {
    if (this.#socket !== undefined) shutDown(this.#socket);
  }

  /** Closes the connection; the next request opens another. */
  close(): void {
    if (this.#socket !== undefined) {
      // The other process would keep it open.
      if (this.#socket === this.#shared) shutDown(this.#socket);
      close(this.#socket);
    }
    this.#socket = undefined;
    this.#hasAsked = false;
    this.#earlyResponse = undefined;
    this.#responses.reset();
  }

  #head(method: string, path: string, headers: string): Buffer {
    const host = headerLine("Host", this.#address.text);
    return latin1Bytes(`${method} ${path} HTTP/1.1\r\n${host}${headers}\r\n`);
  }

  /** Sees to a connected socket: the kept one unless the server has closed it meanwhile. */
  #open(): void {
    if (this.#hasAsked) return;
    // No data is expected between requests, so readable means that the server has closed.
    if (this.#socket !== undefined && isReadableNow(this.#socket)) this.close();
    if (this.#socket !== undefined) return;
    try {
      this.#socket = connect(this.#address.host, this.#address.port, this.#poller);
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      const message = `failed to connect to ${this.#address.text}: ${reason}`;
      throw new ConnectionError(message, false, { cause });
    }
  }

  /** Sends all parts, or as much as the server wants to have: until its response is there. */
  #send(parts: readonly Uint8Array[]): void {
    try {
      for (const part of parts) {
        for (let rest = part; rest.byteLength > 0 && this.#earlyResponse === undefined;) {
          if (this.#socket === undefined) {
            throw new ConnectionError("the connection was closed", false);
          }
          const count = send(this.#socket, rest);
          if (count === WOULD_BLOCK) this.#waitToSend(this.#socket);
          else rest = rest.subarray(count);
        }
      }
    } catch (cause) {
      if (!(cause instanceof SystemError || cause instanceof ConnectionError)) throw cause;
      // A server that refuses a request early may have responded before it stopped reading.
      if (cause instanceof SystemError) this.#earlyResponse = this.#responseOfClosed();
      if (this.#earlyResponse !== undefined) return;
      this.close();
      throw new ConnectionError(`failed to send the request: ${cause.message}`, false, { cause });
    }
  }

  /** Tells of a request on a shared connection, and of its response before any of that is read. */
  #tell(watch: GetWatch): void {
    const socket = this.#socket;
    if (socket === undefined || socket !== this.#shared) return;
    watch.onAsked();
    this.#poller.waitReadable(socket);
    const seen = peek(socket, PEEKED_BYTES);
    try {
      readerOf(seen).read(watch.onHead);
    } catch {
      // Its head has not come as a whole: it is told of when it has been read.
    }
  }

  #waitToSend(socket: number): void {
    const ready = this.#poller.waitFor(socket, POLLIN | POLLOUT);
    if ((ready & POLLOUT) !== 0 || (ready & POLLIN) === 0) return;
    // It does not read but has said something: that it goes on, or what it thinks of the request.
    do {
      const response = this.#responses.readOne();
      if (!isInterim(response)) this.#earlyResponse = response;
    } while (this.#earlyResponse === undefined && this.#responses.hasMore);
  }

  /** The response that lies ahead in a connection that takes no more bytes, if there is one. */
  #responseOfClosed(): ReceivedResponse | undefined {
    try {
      return this.#responses.read();
    } catch {
      return undefined;
    }
  }

  #receive(onHead?: OnHead): ReceivedResponse {
    const early = this.#earlyResponse;
    if (early !== undefined) {
      // The server may wait for the rest of the request yet.
      this.close();
      return early;
    }
    try {
      const response = this.#responses.read(onHead);
      if (response.isLast) this.close();
      return response;
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
        if (count === 0) this.#throwIfUnseen(socket, 0);
        if (count !== WOULD_BLOCK) return count;
      } catch (cause) {
        if (!(cause instanceof SystemError)) throw cause;
        this.#throwIfUnseen(socket, UNCONFIRMED_BYTES_MAX);
        throw new ConnectionError(`the connection broke: ${cause.message}`, true, { cause });
      }
    }
  }

  /**
   * At the end of a connection: throws if the server's side has not got the whole request.
   * @param unconfirmedBytes How much it may have got without having said so.
   */
  #throwIfUnseen(socket: number, unconfirmedBytes: number): void {
    if (this.#responses.hasReceived || unacknowledgedBytes(socket) <= unconfirmedBytes) return;
    throw new ConnectionError("the connection was closed before the request had arrived", false);
  }
}
