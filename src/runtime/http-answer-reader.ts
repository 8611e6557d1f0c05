/**
 * Reads HTTP/1.1 answers from a stream of bytes: heads in any case, bodies with a length, in chunks or
 * up to the end.
 *
 * Text is latin1, one character a byte, so that header values keep whatever they hold.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9112
 * @module
 */

/** What the server answered. */
export interface HttpResponse {
  readonly status: number;
  /** By lower-case name; values as bytes in latin1. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Uint8Array;
  /** Whether the server closes the connection behind it. */
  readonly isLast: boolean;
}

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

/** Room for what is received, in bytes; it grows with the head of an answer. */
const RECEIVE_BYTES = 64 * 1024;
/** Largest head of an answer, in bytes: Lambda allows 1 MB of headers. */
const HEAD_BYTES_MAX = 2 * 1024 * 1024;
/** Largest body of an answer, in bytes: far above any event, far below the memory. */
const BODY_BYTES_MAX = 64 * 1024 * 1024;
const EMPTY: Uint8Array = new Uint8Array(0);
const END_OF_HEAD = new Uint8Array([0x0d, 0x0a, 0x0d, 0x0a]);
const END_OF_LINE = new Uint8Array([0x0d, 0x0a]);

/** Reads one answer after the other. */
export class HttpAnswerReader {
  /** Reads what is there, waiting for it; 0 at the end. */
  readonly #readBytes: (into: Uint8Array) => number;
  #buffer = Buffer.allocUnsafeSlow(RECEIVE_BYTES);
  /** What has been received and not yet read: the buffer's bytes from the one to the other. */
  #start = 0;
  #end = 0;
  #isAtEnd = false;

  constructor(readBytes: (into: Uint8Array) => number) {
    this.#readBytes = readBytes;
  }

  /** Forgets what was received, for a new connection. */
  reset(): void {
    this.#start = this.#end = 0;
    this.#isAtEnd = false;
  }

  /**
   * Reads the next final answer.
   * @throws {ConnectionError} When the stream ends before the answer does.
   * @throws {HttpSyntaxError} When it is not HTTP.
   */
  read(): HttpResponse {
    let answer = this.#readOne();
    // 100 Continue and its like announce the answer, they are not it.
    while (answer.status < 200) answer = this.#readOne();
    return answer;
  }

  #readOne(): HttpResponse {
    const head = this.#readPast(END_OF_HEAD, HEAD_BYTES_MAX);
    const [statusLine = "", ...lines] = head.split("\r\n");
    const status = statusLine.startsWith("HTTP/1.") ? Number(statusLine.slice(9, 12)) : 0;
    if (!(status >= 100 && status <= 999)) {
      throw new HttpSyntaxError(`failed to read an answer: not HTTP: ${statusLine.slice(0, 80)}`);
    }
    const headers = new Map<string, string>();
    for (const line of lines) {
      const colon = line.indexOf(":");
      if (colon > 0) headers.set(line.slice(0, colon).toLowerCase(), fieldValue(line, colon + 1));
    }
    const body = this.#readBody(status, headers);
    const saysClose = headers.get("connection")?.toLowerCase() === "close";
    return { status, headers, body, isLast: saysClose || this.#isAtEnd };
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
      const line = this.#readPast(END_OF_LINE, HEAD_BYTES_MAX);
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
    while (this.#receive()) parseSize(String(this.#end - this.#start), 10);
    this.#isAtEnd = true;
    return this.#readExactly(this.#end - this.#start);
  }

  #readExactly(length: number): Uint8Array {
    const body = new Uint8Array(length);
    let filled = this.#buffer.copy(body, 0, this.#start, Math.min(this.#end, this.#start + length));
    this.#start += filled;
    while (filled < length) {
      const count = this.#readBytes(body.subarray(filled));
      if (count === 0) throw endedEarly();
      filled += count;
    }
    return body;
  }

  /** Reads up to a delimiter and returns what stands before it. */
  #readPast(delimiter: Uint8Array, bytesMax: number): string {
    let searched = 0;
    for (;;) {
      const at = this.#buffer.indexOf(delimiter, this.#start + searched);
      // Behind the end there are bytes of former answers.
      if (at >= 0 && at + delimiter.length <= this.#end) {
        const before = this.#buffer.toString("latin1", this.#start, at);
        this.#start = at + delimiter.length;
        return before;
      }
      const length = this.#end - this.#start;
      if (length > bytesMax) {
        throw new HttpSyntaxError(`failed to read an answer: its head is over ${bytesMax} bytes`);
      }
      searched = Math.max(0, length - delimiter.length + 1);
      if (!this.#receive()) throw endedEarly();
    }
  }

  /** Appends the next bytes to what was received; false at the end of the connection. */
  #receive(): boolean {
    if (this.#start === this.#end) this.#start = this.#end = 0;
    if (this.#end === this.#buffer.length) this.#makeRoom();
    const room = this.#end === 0 ? this.#buffer : this.#buffer.subarray(this.#end);
    const count = this.#readBytes(room);
    this.#end += count;
    return count > 0;
  }

  /** Moves what was received to the beginning, of a larger buffer if it takes all of this one. */
  #makeRoom(): void {
    const length = this.#end - this.#start;
    const isFull = length > this.#buffer.length / 2;
    const roomy = isFull ? Buffer.allocUnsafeSlow(this.#buffer.length * 2) : this.#buffer;
    this.#buffer.copy(roomy, 0, this.#start, this.#end);
    this.#buffer = roomy;
    this.#start = 0;
    this.#end = length;
  }
}

/** A header's value: of what looks blank in latin1 only spaces and tabs may be taken off it. */
function fieldValue(line: string, from: number): string {
  let start = from;
  let end = line.length;
  while (start < end && isBlank(line.charAt(start))) start += 1;
  while (end > start && isBlank(line.charAt(end - 1))) end -= 1;
  return line.slice(start, end);
}

function isBlank(character: string): boolean {
  return character === " " || character === "\t";
}

function endedEarly(): ConnectionError {
  return new ConnectionError("the connection was closed before the answer was complete", true);
}

function parseSize(text: string, radix: 10 | 16): number {
  const digits = text.trim().toLowerCase();
  const size = Number.parseInt(digits, radix);
  if (!(size >= 0 && size <= BODY_BYTES_MAX) || !digits.endsWith(size.toString(radix))) {
    throw new HttpSyntaxError(`failed to read an answer: its size is ${text.slice(0, 40)}`);
  }
  return size;
}
