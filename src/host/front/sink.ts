/**
 * Where responses go instead of to the caller, when a sink is set: Knative's `K_SINK`.
 *
 * @module
 */

import type { HttpResponse } from "../http/message.ts";
import type { HostLog } from "../invocation/platform-log.ts";

/** Longest time for one delivery, in milliseconds. */
export const DELIVERY_TIMEOUT_MS = 10_000;

/** Deliveries after the first that are tried. */
const DELIVERY_RETRIES = 3;

/** Pause before the first retry, in milliseconds; it doubles each time. */
const RETRY_PAUSE_MS = 100;

/** Takes responses that do not go to the caller. */
export interface ResponseSink {
  /** Sends a response on and returns what the caller gets: its status without a body, or the failure. */
  deliver(response: HttpResponse): Promise<HttpResponse>;
}

/** Delivers responses to one address. */
export class Sink implements ResponseSink {
  readonly #url: string;
  readonly #log: HostLog;

  constructor(url: string, log: HostLog) {
    this.#url = url;
    this.#log = log;
  }

  async deliver(response: HttpResponse): Promise<HttpResponse> {
    // A failure is the caller's, who can send again; a broker would refuse it as no event.
    if (response.status >= 400 || response.body === "") return response;
    const body = await wholeBody(response.body);
    const headers = response.headers.map(([name, value]) => [name, value] as [string, string]);
    const caller: HttpResponse = { status: response.status, headers: [], body: "" };
    if (body.byteLength === 0) return caller;
    let problem = "";
    for (let attempt = 0; attempt <= DELIVERY_RETRIES; attempt += 1) {
      if (attempt > 0) await Bun.sleep(RETRY_PAUSE_MS * 2 ** (attempt - 1));
      try {
        const signal = AbortSignal.timeout(DELIVERY_TIMEOUT_MS);
        // Followed, most redirects would become a GET, and the event would be lost.
        const received = await fetch(this.#url, {
          ...{ method: "POST", headers, body, signal },
          redirect: "manual",
        });
        await received.arrayBuffer();
        if (received.ok) return caller;
        problem = `status ${received.status}${redirection(received)}`;
        // What a sink calls the sender's fault will not get better.
        if (received.status < 500 && received.status !== 429) break;
      } catch (error) {
        problem = error instanceof Error ? error.message : String(error);
      }
    }
    this.#log("warning", `failed to deliver to ${this.#url}: ${problem}`);
    return { status: 502, headers: [], body: "" };
  }
}

/** Where a response sends its caller, for the person who can set the sink to that. */
function redirection({ headers }: Response): string {
  const location = headers.get("location");
  return location === null ? "" : `, a redirect\n  set the sink to where it leads: ${location}`;
}

/** All bytes of a body. */
export async function wholeBody(body: HttpResponse["body"]): Promise<Uint8Array<ArrayBuffer>> {
  if (typeof body === "string") return new Uint8Array(Buffer.from(body));
  if (body instanceof Uint8Array) return new Uint8Array(body);
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return new Uint8Array(Buffer.concat(chunks));
}
