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

import { close, read, setNonBlocking, SystemError, WOULD_BLOCK } from "./libc.ts";
import { isReadableNow } from "./poll-set.ts";
import type { Poller } from "./poller.ts";
import { connect, send } from "./socket.ts";

/** What the server answered. */
export interface HttpResponse {
  readonly status: number;
  /** By lower-case name; values as bytes in latin1. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Uint8Array;
}

/** A header line to be sent. */
export type Header = readonly [name: string, value: string];

/** The connection could not be made, or ended before the answer was complete. */
export class ConnectionError extends Error {
  override readonly name = "ConnectionError";
  /** Whether the server may have seen the whole request, so that sending it again could repeat it. */
  readonly mayHaveArrived: boolean;

  constructor(message: string, mayHaveArrived: boolean, options?: ErrorOptions) {
    super(message, options);
    this.mayHaveArrived = mayHaveArrived;
  }
}

/** The server sent what is not HTTP. */
export class HttpSyntaxError extends Error {
  override readonly name = "HttpSyntaxError";
}

/** Bytes asked of the socket at once. */
const RECEIVE_BYTES = 64 * 1024;
/** Largest head of an answer, in bytes: Lambda allows 1 MB of headers. */
const HEAD_BYTES_MAX = 2 * 1024 * 1024;
/** Largest body of an answer, in bytes: far above any event, far below the memory. */
const BODY_BYTES_MAX = 64 * 1024 * 1024;
/** Bodies up to this size, in bytes, are sent in one call with their head. */
const ONE_SEND_BYTES_MAX = 64 * 1024;

const EMPTY: Uint8Array = new Uint8Array(0);
const END_OF_HEAD = Buffer.from("\r\n\r\n");
const END_OF_LINE = Buffer.from("\r\n");

/** A connection that is made when first needed and again when the server has closed it. */
export class HttpConnection {
  readonly #host: string;
  readonly #port: string;
  readonly #poller: Poller;
  #socket: number | undefined;
  #received: Buffer = Buffer.alloc(0);
  #lastMethod = "";
  readonly #scratch = new Uint8Array(RECEIVE_BYTES);

  /** @param address `host:port` as in AWS_LAMBDA_RUNTIME_API; an IPv6 host stands in brackets. */
  constructor(address: string, poller: Poller) {
    const colon = address.lastIndexOf(":");
    this.#host = address.slice(0, colon).replace(/^\[(.*)\]$/, "$1");
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
   * Sends a request and waits for its answer, for as long as it takes.
   * @throws {ConnectionError} When the server cannot be reached or goes away.
   * @throws {HttpSyntaxError} When its answer is not HTTP.
   */
  request(
    method: string,
    path: string,
    headers: readonly Header[],
    body: Uint8Array = EMPTY,
  ): HttpResponse {
    const length: Header[] = method === "GET" ? [] : [["Content-Length", `${body.byteLength}`]];
    const head = this.#head(method, path, [...headers, ...length]);
    const socket = this.#open();
    this.#lastMethod = method;
    this.#send(
      socket,
      body.byteLength <= ONE_SEND_BYTES_MAX ? [Buffer.concat([head, body])] : [head, body],
    );
    return this.#answer();
  }

  /** Begins a chunked POST with trailers; {@link sendChunk} and {@link endChunks} follow. */
  beginChunks(path: string, headers: readonly Header[]): void {
    this.#send(this.#open(), [
      this.#head("POST", path, [...headers, ["Transfer-Encoding", "chunked"]]),
    ]);
  }

  sendChunk(bytes: Uint8Array): void {
    if (bytes.byteLength === 0) return;
    const size = Buffer.from(`${bytes.byteLength.toString(16)}\r\n`);
    this.#send(this.#socket, [Buffer.concat([size, bytes, END_OF_LINE])]);
  }

  /** Ends a chunked POST and waits for its answer. */
  endChunks(trailers: readonly Header[]): HttpResponse {
    const lines = trailers.map(([name, value]) => `${name}: ${value}\r\n`).join("");
    this.#send(this.#socket, [Buffer.from(`0\r\n${lines}\r\n`, "latin1")]);
    return this.#answer();
  }

  /** Closes the connection; the next request opens another. */
  close(): void {
    if (this.#socket !== undefined) close(this.#socket);
    this.#socket = undefined;
    this.#received = Buffer.alloc(0);
  }

  #head(method: string, path: string, headers: readonly Header[]): Buffer {
    const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join("");
    const host = `Host: ${this.#host}:${this.#port}\r\n`;
    return Buffer.from(`${method} ${path} HTTP/1.1\r\n${host}${lines}\r\n`, "latin1");
  }

  /** Returns a connected socket: the kept one unless the server has closed it meanwhile. */
  #open(): number {
    // Nothing is owed to us between requests: if the socket is readable, it is at its end. A handler
    // may have taken long enough for that; between a post's answer and the next request none has.
    const mayHaveEnded = this.#socket !== undefined && this.#lastMethod === "GET";
    if (mayHaveEnded && isReadableNow(this.#socket as number)) this.close();
    if (this.#socket === undefined) {
      try {
        this.#socket = connect(this.#host, this.#port);
      } catch (cause) {
        const reason = cause instanceof Error ? cause.message : String(cause);
        const address = `${this.#host}:${this.#port}`;
        throw new ConnectionError(`failed to connect to ${address}: ${reason}`, false, { cause });
      }
      setNonBlocking(this.#socket);
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
      let answer = this.#readAnswer();
      // 100 Continue and its like announce the answer, they are not it.
      while (answer.status < 200) answer = this.#readAnswer();
      if (answer.headers.get("connection")?.toLowerCase() === "close") this.close();
      return answer;
    } catch (error) {
      this.close();
      throw error;
    }
  }

  #readAnswer(): HttpResponse {
    const head = this.#readPast(END_OF_HEAD, HEAD_BYTES_MAX);
    const [statusLine = "", ...lines] = head.toString("latin1").split("\r\n");
    const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(statusLine)?.[1]);
    if (Number.isNaN(status)) {
      throw new HttpSyntaxError(`failed to read an answer: not HTTP: ${statusLine.slice(0, 80)}`);
    }
    const headers = new Map<string, string>();
    for (const line of lines) {
      const colon = line.indexOf(":");
      if (colon > 0) headers.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
    }
    return { status, headers, body: this.#readBody(status, headers) };
  }

  #readBody(status: number, headers: ReadonlyMap<string, string>): Uint8Array {
    if (status < 200 || status === 204 || status === 304) return EMPTY;
    if (headers.get("transfer-encoding")?.toLowerCase().endsWith("chunked")) {
      return this.#readChunks();
    }
    const length = headers.get("content-length");
    if (length === undefined) return this.#readToEnd();
    return this.#readExactly(parseSize(length, 10));
  }

  #readChunks(): Uint8Array {
    const chunks: Uint8Array[] = [];
    let total = 0;
    for (;;) {
      const line = this.#readPast(END_OF_LINE, HEAD_BYTES_MAX).toString("latin1");
      const size = parseSize(line.split(";")[0] ?? "", 16);
      if (size === 0) break;
      total = parseSize(String(total + size), 10);
      chunks.push(this.#readExactly(size));
      this.#readPast(END_OF_LINE, END_OF_LINE.length);
    }
    while (this.#readPast(END_OF_LINE, HEAD_BYTES_MAX).length > 0) {
      // Trailers of an answer carry nothing for us.
    }
    const [only] = chunks;
    return chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks, total);
  }

  #readToEnd(): Uint8Array {
    const chunks: Uint8Array[] = [this.#received];
    let total = this.#received.length;
    for (let bytes = this.#receive(); bytes !== undefined; bytes = this.#receive()) {
      chunks.push(bytes);
      total = parseSize(String(total + bytes.length), 10);
    }
    this.close();
    return Buffer.concat(chunks);
  }

  #readExactly(length: number): Uint8Array {
    const body = new Uint8Array(length);
    let filled = this.#received.copy(body, 0, 0, length);
    this.#received = this.#received.subarray(filled);
    while (filled < length) {
      const count = this.#read(body.subarray(filled));
      if (count === 0) throw endedEarly();
      filled += count;
    }
    return body;
  }

  /** Reads up to a delimiter and returns what stands before it. */
  #readPast(delimiter: Buffer, bytesMax: number): Buffer {
    let searchFrom = 0;
    for (;;) {
      const at = this.#received.indexOf(delimiter, searchFrom);
      if (at >= 0) {
        const before = this.#received.subarray(0, at);
        this.#received = this.#received.subarray(at + delimiter.length);
        return before;
      }
      if (this.#received.length > bytesMax) {
        throw new HttpSyntaxError(`failed to read an answer: its head is over ${bytesMax} bytes`);
      }
      searchFrom = Math.max(0, this.#received.length - delimiter.length + 1);
      const bytes = this.#receive();
      if (bytes === undefined) throw endedEarly();
      this.#received = this.#received.length === 0 ? bytes : Buffer.concat([this.#received, bytes]);
    }
  }

  /** A copy of the next bytes, or undefined at the end of the connection. */
  #receive(): Buffer | undefined {
    const count = this.#read(this.#scratch);
    return count === 0 ? undefined : Buffer.from(this.#scratch.subarray(0, count));
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

function endedEarly(): ConnectionError {
  return new ConnectionError("the connection was closed before the answer was complete", true);
}

function parseSize(text: string, radix: 10 | 16): number {
  const digits = radix === 10 ? /^\d{1,15}$/ : /^[0-9a-fA-F]{1,12}$/;
  const size = digits.test(text.trim()) ? Number.parseInt(text, radix) : Number.NaN;
  if (!(size <= BODY_BYTES_MAX)) {
    throw new HttpSyntaxError(`failed to read an answer: its size is ${text.slice(0, 40)}`);
  }
  return size;
}
