/**
 * The headers of a reply as they go to the caller.
 *
 * A function that passes on what another server answered copies that connection's headers too. On
 * ours they would contradict how the body is sent, and the caller could not read it.
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1
 * @module
 */

import type { HttpReply } from "./message.ts";

/** Headers of one connection, besides those that `Connection` itself names. */
const HOP_BY_HOP = [
  "connection",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
];

/** Headers that only who writes the body can know. */
const FRAMING = ["content-length"];

/** A header with all of its values, under the name that came first. */
export interface ReplyHeader {
  readonly name: string;
  readonly values: readonly string[];
}

/** The headers that are not about the connection, each name once, in order of first sight. */
export function replyHeaders(headers: HttpReply["headers"]): readonly ReplyHeader[] {
  const dropped = new Set([...HOP_BY_HOP, ...FRAMING, ...namedByConnection(headers)]);
  const byName = new Map<string, { name: string; values: string[] }>();
  for (const [name, value] of headers) {
    const key = name.toLowerCase();
    if (dropped.has(key)) continue;
    const known = byName.get(key);
    if (known === undefined) byName.set(key, { name, values: [value] });
    else known.values.push(value);
  }
  return [...byName.values()];
}

function namedByConnection(headers: HttpReply["headers"]): readonly string[] {
  return headers
    .filter(([name]) => name.toLowerCase() === "connection")
    .flatMap(([, value]) => value.split(","))
    .map((option) => option.trim().toLowerCase());
}
