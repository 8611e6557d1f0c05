/**
 * Where replies go instead of to the caller, when a sink is set: Knative's `K_SINK`.
 *
 * @module
 */

import type { HttpReply } from "../http/message.ts";

/** Longest time for one delivery, in milliseconds. */
export const DELIVERY_TIMEOUT_MS = 10_000;

/** Deliveries after the first that are tried. */
const DELIVERY_RETRIES = 3;

/** Pause before the first retry, in milliseconds; it doubles each time. */
const RETRY_PAUSE_MS = 100;

/** Takes replies that do not go to the caller. */
export interface ReplySink {
  /** Sends a reply on and returns what the caller gets: its status without a body, or the failure. */
  deliver(reply: HttpReply): Promise<HttpReply>;
}

/** Delivers replies to one address. */
export class Sink implements ReplySink {
  readonly #url: string;
  readonly #log: (message: string) => void;

  constructor(url: string, log: (message: string) => void) {
    this.#url = url;
    this.#log = log;
  }

  async deliver(reply: HttpReply): Promise<HttpReply> {
    // A failure is the caller's, who can send again; a broker would refuse it as no event.
    if (reply.status >= 400 || reply.body === "") return reply;
    const body = await wholeBody(reply.body);
    const headers = reply.headers.map(([name, value]) => [name, value] as [string, string]);
    const caller: HttpReply = { status: reply.status, headers: [], body: "" };
    if (body.byteLength === 0) return caller;
    let problem = "";
    for (let attempt = 0; attempt <= DELIVERY_RETRIES; attempt += 1) {
      if (attempt > 0) await Bun.sleep(RETRY_PAUSE_MS * 2 ** (attempt - 1));
      try {
        const signal = AbortSignal.timeout(DELIVERY_TIMEOUT_MS);
        const answer = await fetch(this.#url, { method: "POST", headers, body, signal });
        await answer.arrayBuffer();
        if (answer.ok) return caller;
        problem = `status ${answer.status}`;
        // What a sink calls the sender's fault will not get better.
        if (answer.status < 500 && answer.status !== 429) break;
      } catch (error) {
        problem = error instanceof Error ? error.message : String(error);
      }
    }
    this.#log(`warning: failed to deliver to ${this.#url}: ${problem}`);
    return { status: 502, headers: [], body: "" };
  }
}

/** All bytes of a body. */
export async function wholeBody(body: HttpReply["body"]): Promise<Uint8Array<ArrayBuffer>> {
  if (typeof body === "string") return new Uint8Array(Buffer.from(body));
  if (body instanceof Uint8Array) return new Uint8Array(body);
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return new Uint8Array(Buffer.concat(chunks));
}
