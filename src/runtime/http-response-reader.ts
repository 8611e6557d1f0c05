/**
 * Reads HTTP/1.1 responses from a stream of bytes: heads in any case, with CRLF or LF as line ends, bodies
 * with a length, in chunks or up to the end.
 *
 * Text is latin1, one character a byte, so that header values keep whatever they hold.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9112
 * @module
 */

/** What the server responded with. */
export interface ReceivedResponse {
  readonly status: number;
  /** By lower-case name; values as bytes in latin1. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Uint8Array;
  /** Whether the connection cannot be used after it. */
  readonly isLast: boolean;
}

/** Told of the head of a response, whether it is the final one or not. */
export type OnHead = (status: number, headers: ReadonlyMap<string, string>) => void;

/** The connection could not be made, or ended before the response was complete. */
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

/** Room for what is received, in bytes; it grows with the head of a response. */
const RECEIVE_BYTES = 64 * 1024;
/** Largest head of a response, in bytes: Lambda allows 1 MB of headers. */
const HEAD_BYTES_MAX = 2 * 1024 * 1024;
/** Largest body of a response, in bytes: far above any event, far below the memory. */
const BODY_BYTES_MAX = 64 * 1024 * 1024;
const EMPTY: Uint8Array = new Uint8Array(0);
/** What ends a head: an empty line, with either line end. */
const END_OF_HEAD = new Uint8Array([0x0a, 0x0d, 0x0a]);
const SHORT_END_OF_HEAD = new Uint8Array([0x0a, 0x0a]);
const LINE_FEED = 0x0a;
const VERSION = "HTTP/1.";
const SWITCHING_PROTOCOLS = 101;
/** Lists, which may be spread over several fields of one name; they say how long a response is. */
const FRAMING_LISTS = " connection content-length transfer-encoding ";
const QUOTED_LENGTH_MAX = 80;

/** Reads one response after the other. */
export class HttpResponseReader {
  /** Reads what is there, waiting for it; 0 at the end. */
  readonly #readBytes: (into: Uint8Array) => number;
  #buffer = Buffer.allocUnsafeSlow(RECEIVE_BYTES);
  /** What has been received and not yet read: the buffer's bytes from the one to the other. */
  #start = 0;
  #end = 0;
  #isAtEnd = false;
  #hasReceived = false;

  constructor(readBytes: (into: Uint8Array) => number) {
    this.#readBytes = readBytes;
  }

  /** Forgets what was received, for a new connection. */
  reset(): void {
    this.#start = this.#end = 0;
    this.#isAtEnd = this.#hasReceived = false;
  }

  /** Whether something has been received that was not read yet. */
  get hasMore(): boolean {
    return this.#start < this.#end;
  }

  /** Whether anything has come since the last response that was read. */
  get hasReceived(): boolean {
    return this.#hasReceived;
  }

  /**
   * Reads the next final response.
   * @param onHead Told what heads say, before bodies are read.
   * @throws {ConnectionError} When the stream ends before the response does.
   * @throws {HttpSyntaxError} When it is not HTTP.
   */
  read(onHead?: OnHead): ReceivedResponse {
    let response = this.readOne(onHead);
    while (isInterim(response)) response = this.readOne(onHead);
    return response;
  }

  /** Reads the next response, a final one or one that only announces it; throws as {@link read}. */
  readOne(onHead?: OnHead): ReceivedResponse {
    const [statusLine = "", ...lines] = this.#readHead();
    const status = parseStatus(statusLine);
    const headers = parseFields(lines);
    onHead?.(status, headers);
    const body = this.#readBody(status, headers);
    const response = { status, headers, body, isLast: this.#isLast(status, statusLine, headers) };
    this.#hasReceived = false;
    return response;
  }

  /** @see https://www.rfc-editor.org/rfc/rfc9112#section-9.3 */
  #isLast(status: number, statusLine: string, headers: ReadonlyMap<string, string>): boolean {
    // More than the response was sent: nobody knows what belongs to what.
    if (this.#isAtEnd || status === SWITCHING_PROTOCOLS) return true;
    if (status >= 200 && this.#start < this.#end) return true;
    const options = headers.get("connection");
    if (statusLine.charAt(VERSION.length) === "0") {
      return !hasToken(options, "keep-alive") || headers.has("transfer-encoding");
    }
    if (hasToken(options, "close")) return true;
    // Two lengths for one body.
    return headers.has("transfer-encoding") && headers.has("content-length");
  }

  #readBody(status: number, headers: ReadonlyMap<string, string>): Uint8Array {
    if (status < 200 || status === 204 || status === 304) return EMPTY;
    const coding = headers.get("transfer-encoding");
    if (coding !== undefined) {
      if (coding.toLowerCase() === "chunked") return this.#readChunks();
      throw new HttpSyntaxError(
        `failed to read a response: its transfer coding is ${quoted(coding)}`,
      );
    }
    const length = headers.get("content-length");
    if (length === undefined) return this.#readToEnd();
    return this.#readExactly(parseLength(length));
  }

  #readChunks(): Uint8Array {
    let body: Uint8Array = EMPTY;
    let length = 0;
    for (;;) {
      const line = this.#readLine();
      const size = parseSize((line.split(";", 1)[0] ?? "").trimEnd(), 16);
      if (size === 0) break;
      checkedSize(length + size);
      // Most responses come in one chunk; the room for others doubles, however small they are.
      if (length + size > body.length) body = grown(body, length, length + size);
      this.#readInto(body.subarray(length, length + size));
      length += size;
      if (this.#readLine() !== "") {
        throw new HttpSyntaxError("failed to read a response: a chunk is longer than its size");
      }
    }
    while (this.#readLine() !== "") {
      // Trailers of a response carry nothing for us.
    }
    return body.length === length ? body : body.subarray(0, length);
  }

  #readToEnd(): Uint8Array {
    while (this.#receive()) checkedSize(this.#end - this.#start);
    this.#isAtEnd = true;
    return this.#readExactly(this.#end - this.#start);
  }

  #readExactly(length: number): Uint8Array {
    const body = new Uint8Array(length);
    this.#readInto(body);
    return body;
  }

  /** Fills a part of a body, past the buffer where that has no more. */
  #readInto(body: Uint8Array): void {
    const end = Math.min(this.#end, this.#start + body.length);
    let filled = this.#buffer.copy(body, 0, this.#start, end);
    this.#start += filled;
    while (filled < body.length) {
      const count = this.#readBytes(body.subarray(filled));
      if (count === 0) throw endedEarly();
      filled += count;
    }
  }

  /** Reads the lines up to an empty one. */
  #readHead(): string[] {
    let searched = 0;
    for (;;) {
      const received = this.#buffer.subarray(this.#start, this.#end);
      const long = received.indexOf(END_OF_HEAD, searched);
      // The short one may end where the long one begins.
      const head = long < 0 ? received : received.subarray(0, long + 1);
      const short = head.indexOf(SHORT_END_OF_HEAD, searched);
      const at = short < 0 ? long : short;
      if (at >= 0) {
        this.#start += at + (short < 0 ? END_OF_HEAD : SHORT_END_OF_HEAD).length;
        const lines: string[] = [];
        for (const line of received.toString("latin1", 0, at).split("\n")) {
          lines.push(withoutReturn(line));
        }
        return lines;
      }
      searched = Math.max(0, received.length - END_OF_HEAD.length + 1);
      this.#receiveMore(received.length);
    }
  }

  /** Reads a line, without its end. */
  #readLine(): string {
    let searched = 0;
    for (;;) {
      const received = this.#buffer.subarray(this.#start, this.#end);
      const at = received.indexOf(LINE_FEED, searched);
      if (at >= 0) {
        this.#start += at + 1;
        return withoutReturn(received.toString("latin1", 0, at));
      }
      searched = received.length;
      this.#receiveMore(received.length);
    }
  }

  #receiveMore(waitingBytes: number): void {
    if (waitingBytes > HEAD_BYTES_MAX) {
      throw new HttpSyntaxError(
        `failed to read a response: its head is over ${HEAD_BYTES_MAX} bytes`,
      );
    }
    if (!this.#receive()) throw endedEarly();
  }

  /** Appends the next bytes to what was received; false at the end of the connection. */
  #receive(): boolean {
    if (this.#start === this.#end) this.#start = this.#end = 0;
    if (this.#end === this.#buffer.length) this.#makeRoom();
    const room = this.#end === 0 ? this.#buffer : this.#buffer.subarray(this.#end);
    const count = this.#readBytes(room);
    this.#end += count;
    if (count > 0) this.#hasReceived = true;
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

/** A reader of the responses that some bytes hold. */
export function readerOf(bytes: Uint8Array): HttpResponseReader {
  let rest = bytes;
  return new HttpResponseReader((into) => {
    const piece = rest.subarray(0, into.length);
    into.set(piece);
    rest = rest.subarray(piece.length);
    return piece.length;
  });
}

/** Whether a response only announces the one that counts: 100 Continue and its like. */
export function isInterim({ status }: ReceivedResponse): boolean {
  return status < 200 && status !== SWITCHING_PROTOCOLS;
}

function parseStatus(line: string): number {
  const digits = line.slice(VERSION.length + 2, VERSION.length + 5);
  const isShaped =
    line.startsWith(VERSION) &&
    isDigits(line.charAt(VERSION.length)) &&
    line.charAt(VERSION.length + 1) === " " &&
    digits.length === 3 &&
    isDigits(digits) &&
    (line.length === VERSION.length + 5 || line.charAt(VERSION.length + 5) === " ");
  const status = isShaped ? Number(digits) : 0;
  if (status >= 100) return status;
  throw new HttpSyntaxError(`failed to read a response: not HTTP: ${quoted(line)}`);
}

/** The fields of a head, by their lower-case names. */
function parseFields(lines: readonly string[]): Map<string, string> {
  const fields = new Map<string, string>();
  let last = "";
  for (const line of lines) {
    const colon = line.indexOf(":");
    if (isBlank(line.charAt(0))) {
      // A value that goes on in the next line, as older servers have it.
      if (last !== "") fields.set(last, `${fields.get(last)} ${trimmed(line)}`);
    } else if (colon > 0) {
      last = trimmed(line.slice(0, colon)).toLowerCase();
      const value = trimmed(line.slice(line.charAt(colon + 1) === " " ? colon + 2 : colon + 1));
      const before = FRAMING_LISTS.includes(` ${last} `) ? fields.get(last) : undefined;
      fields.set(last, before === undefined ? value : `${before}, ${value}`);
    }
  }
  return fields;
}

/** Whether a list holds a word, in any case. */
function hasToken(list: string | undefined, token: string): boolean {
  if (list === undefined) return false;
  if (list.length === token.length) return list.toLowerCase() === token;
  return list.split(",").some((item) => trimmed(item).toLowerCase() === token);
}

/** A length that may be given several times, but not several lengths. */
function parseLength(text: string): number {
  if (!text.includes(",")) return parseSize(text, 10);
  const [first = "", ...others] = text.split(",").map(trimmed);
  const size = parseSize(first, 10);
  if (others.every((other) => parseSize(other, 10) === size)) return size;
  throw new HttpSyntaxError(`failed to read a response: it has two lengths: ${quoted(text)}`);
}

const DECIMAL_DIGITS = "0123456789";
const HEXADECIMAL_DIGITS = `${DECIMAL_DIGITS}abcdefABCDEF`;

function parseSize(text: string, radix: 10 | 16): number {
  if (text !== "" && isDigits(text, radix === 10 ? DECIMAL_DIGITS : HEXADECIMAL_DIGITS)) {
    return checkedSize(Number.parseInt(text, radix));
  }
  throw new HttpSyntaxError(`failed to read a response: its size is ${quoted(text)}`);
}

function checkedSize(bytes: number): number {
  if (bytes <= BODY_BYTES_MAX) return bytes;
  throw new HttpSyntaxError(`failed to read a response: it is over ${BODY_BYTES_MAX} bytes`);
}

function isDigits(text: string, digits = DECIMAL_DIGITS): boolean {
  for (let index = 0; index < text.length; index += 1) {
    if (!digits.includes(text.charAt(index))) return false;
  }
  return true;
}

function grown(body: Uint8Array, length: number, needed: number): Uint8Array {
  const larger = new Uint8Array(Math.max(needed, body.length * 2));
  larger.set(body.subarray(0, length));
  return larger;
}

/** The code of a space, above that of a tab. */
const SPACE = 0x20;

/** Text without what is blank around it: of what looks so in latin1 only spaces and tabs. */
function trimmed(text: string): string {
  // As nearly all are.
  if (text.charCodeAt(0) > SPACE && text.charCodeAt(text.length - 1) > SPACE) return text;
  let start = 0;
  let end = text.length;
  while (start < end && isBlank(text.charAt(start))) start += 1;
  while (end > start && isBlank(text.charAt(end - 1))) end -= 1;
  return text.slice(start, end);
}

function isBlank(character: string): boolean {
  return character === " " || character === "\t";
}

function withoutReturn(line: string): string {
  return line.endsWith("\r") ? line.slice(0, -1) : line;
}

function quoted(text: string): string {
  return JSON.stringify(text.slice(0, QUOTED_LENGTH_MAX));
}

function endedEarly(): ConnectionError {
  return new ConnectionError("the connection was closed before the response was complete", true);
}
