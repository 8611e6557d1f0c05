/**
 * Where responses go instead of to the caller, when a sink is set: Knative's `K_SINK`.
 *
 * @module
 */

import { RESPONSE_BYTES_MAX } from "../../runtime-api/contract.ts";
import { type HttpResponse, shownAddress } from "../http/message.ts";
import type { Caller } from "../http/server.ts";
import type { HostLog } from "../invocation/platform-log.ts";

/** Longest time for one delivery, in milliseconds. */
export const DELIVERY_TIMEOUT_MS = 10_000;

/** Deliveries after the first that are tried. */
const DELIVERY_RETRIES = 3;

/** Pause before the first retry, in milliseconds; it doubles each time. */
const RETRY_PAUSE_MS = 100;

/** Takes responses that do not go to the caller. */
export interface ResponseSink {
  /**
   * Sends a response on and returns what the caller gets: its status without a body, or the failure.
   * @param hold Is told of the bytes that wait for the sink, as of {@link Caller}.
   */
  deliver(response: HttpResponse, hold: Caller["hold"]): Promise<HttpResponse>;
}

/** Delivers responses to one address. */
export class Sink implements ResponseSink {
  readonly #url: string;
  readonly #log: HostLog;

  constructor(url: string, log: HostLog) {
    this.#url = url;
    this.#log = log;
  }

  async deliver(response: HttpResponse, hold: Caller["hold"]): Promise<HttpResponse> {
    // A failure is the caller's, who can send again; a broker would refuse it as no event.
    if (response.status >= 400 || response.body === "") return response;
    const body = await wholeBody(response.body, hold);
    if (body === undefined) return this.#failed(TOO_LARGE);
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
        // Its words are for nobody, and may have no end.
        await received.body?.cancel();
        if (received.ok) return caller;
        problem = `status ${received.status}${redirection(received)}`;
        // What a sink calls the sender's fault will not get better.
        if (received.status < 500 && received.status !== 429) break;
      } catch (error) {
        problem = error instanceof Error ? error.message : String(error);
      }
    }
    return this.#failed(problem);
  }

  #failed(problem: string): HttpResponse {
    this.#log("warning", `failed to deliver to ${shownAddress(this.#url)}: ${problem}`);
    return { status: 502, headers: [], body: "" };
  }
}

/** Why a reply does not go to a sink that is larger than one which is taken whole may be. */
export const TOO_LARGE = `the reply has more than ${RESPONSE_BYTES_MAX} bytes`;

/** Where a response sends its caller, for the person who can set the sink to that. */
function redirection({ headers }: Response): string {
  const location = headers.get("location");
  return location === null ? "" : `, a redirect\n  set the sink to where it leads: ${location}`;
}

/**
 * All bytes of a body: they may have to be sent again. Of a stream no more are kept than of a response that is
 * taken whole, but it is read to its end.
 * @param hold Is told of the bytes that are kept.
 * @returns Nothing when a stream has more.
 */
export async function wholeBody(
  body: HttpResponse["body"],
  hold: Caller["hold"],
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const chunks: Uint8Array[] = [];
  if (typeof body === "string") chunks.push(Buffer.from(body));
  else if (body instanceof Uint8Array) chunks.push(body);
  else if (!(await keepChunks(body, chunks, hold))) return undefined;
  const whole = new Uint8Array(Buffer.concat(chunks));
  hold(whole.byteLength);
  return whole;
}

/** Whether all chunks were kept. */
async function keepChunks(
  stream: AsyncIterable<Uint8Array>,
  chunks: Uint8Array[],
  hold: Caller["hold"],
): Promise<boolean> {
  let byteLength = 0;
  for await (const chunk of stream) {
    byteLength += chunk.byteLength;
    if (byteLength <= RESPONSE_BYTES_MAX) chunks.push(chunk);
    else chunks.length = 0;
    hold(byteLength <= RESPONSE_BYTES_MAX ? byteLength : 0);
  }
  return byteLength <= RESPONSE_BYTES_MAX;
}
