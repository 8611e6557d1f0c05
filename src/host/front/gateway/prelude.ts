/**
 * The JSON that stands before a streamed HTTP response: status, headers, cookies.
 *
 * The prelude may come in any number of pieces; only the eight NUL bytes end it, and they must be
 * within the bytes that the runtime looks at too.
 * @see https://docs.aws.amazon.com/lambda/latest/dg/response-streaming-tutorial.html
 * @module
 */

import { membersOf, parsedObject } from "../../../json-object.ts";
import {
  CONTENT_TYPE,
  PRELUDE_BYTES_MAX,
  PRELUDE_DELIMITER,
} from "../../../runtime-api/contract.ts";
import type { HttpResponse } from "../../http/message.ts";
import { elementsOf, lastOfEachName, responseStatus, valueFault } from "./response.ts";

/** A streamed response split into what the prelude says and the rest. */
export interface SplitStream {
  readonly prelude: Record<string, unknown> | undefined;
  /** The prelude as it is written. */
  readonly text?: Uint8Array;
  readonly body: AsyncIterable<Uint8Array>;
  /** Lets go of the rest, which nobody will read. */
  readonly discard: () => Promise<void>;
}

/**
 * Reads as far as the end of the prelude. A stream without one is passed on whole, and at once where its type
 * says that it has none.
 * @param contentType As the runtime has sent it.
 */
export async function splitPrelude(
  chunks: AsyncIterable<Uint8Array>,
  contentType: string | undefined,
): Promise<SplitStream> {
  const iterator = chunks[Symbol.asyncIterator]();
  const discard = async () => void (await iterator.return?.());
  let head = Buffer.alloc(0);
  if (contentType?.startsWith(CONTENT_TYPE.httpIntegrationResponse) !== true) {
    return { prelude: undefined, body: following(head, iterator), discard };
  }
  for (;;) {
    const { done, value } = await iterator.next();
    if (value !== undefined) head = Buffer.concat([head, value]);
    const end = head.subarray(0, PRELUDE_BYTES_MAX).indexOf(PRELUDE_DELIMITER);
    if (end !== -1) {
      const prelude = parsedObject(new TextDecoder().decode(head.subarray(0, end)));
      const rest = prelude === undefined ? head : head.subarray(end + PRELUDE_DELIMITER.length);
      return { prelude, text: head.subarray(0, end), body: following(rest, iterator), discard };
    }
    if (done === true || head.byteLength >= PRELUDE_BYTES_MAX) {
      return { prelude: undefined, body: following(head, iterator), discard };
    }
  }
}

/** The response that a prelude and the bytes after it make; nothing when it can have no such status or header. */
export function streamedResponse(
  { prelude, body }: SplitStream,
  contentType?: string,
): HttpResponse | undefined {
  const status = responseStatus(prelude?.["statusCode"] ?? 200, true);
  if (status === undefined || valueFault(prelude ?? {}, true) !== undefined) return undefined;
  const headers: [string, string][] = [];
  for (const cookie of elementsOf(prelude?.["cookies"]))
    headers.push(["Set-Cookie", String(cookie)]);
  for (const [name, values] of Object.entries(membersOf(prelude?.["multiValueHeaders"]))) {
    for (const value of elementsOf(values)) headers.push([name, String(value)]);
  }
  const single = Object.entries(membersOf(prelude?.["headers"]));
  for (const [name, value] of lastOfEachName(single.map(([each, of]) => [each, String(of)]))) {
    // The length that the function names is not that of the chunked body on the wire.
    const isLength = name.toLowerCase() === "content-length";
    headers.push([isLength ? "x-amzn-remapped-content-length" : name, value]);
  }
  if (!headers.some(([name]) => name.toLowerCase() === "content-type")) {
    const type = prelude === undefined ? contentType : undefined;
    headers.push(["Content-Type", type ?? "application/octet-stream"]);
  }
  return { status, headers, body };
}

async function* following(
  first: Uint8Array,
  rest: AsyncIterator<Uint8Array>,
): AsyncGenerator<Uint8Array, void, void> {
  try {
    if (first.byteLength > 0) yield first;
    for (;;) {
      const { done, value } = await rest.next();
      if (done === true) return;
      yield value;
    }
  } finally {
    await rest.return?.();
  }
}
