/**
 * Cross-origin rules of a Function URL, handled before the function as on AWS.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/urls-configuration.html#urls-cors
 * @module
 */

import type { HttpRequest, HttpResponse } from "./message.ts";

/** How long a browser may remember the response to a preflight, in seconds. */
const PREFLIGHT_SECONDS = 300;

/** Adds the rules for some origins. */
export class Cors {
  readonly #origins: readonly string[];

  /** @param origins `*`, or origins such as `https://example.com` with commas between them. */
  constructor(origins: string) {
    this.#origins = origins.split(",").map((origin) => origin.trim());
  }

  /** The response to a preflight request; nothing for any other request. */
  preflight(request: Pick<HttpRequest, "method" | "headers">): HttpResponse | undefined {
    const wanted = request.headers["access-control-request-method"];
    if (request.method !== "OPTIONS" || wanted === undefined) return undefined;
    const headers: [string, string][] = [
      ...this.#headers(request),
      ["Access-Control-Allow-Methods", wanted],
      ["Access-Control-Max-Age", String(PREFLIGHT_SECONDS)],
    ];
    const names = request.headers["access-control-request-headers"];
    if (names !== undefined) headers.push(["Access-Control-Allow-Headers", names]);
    return { status: 200, headers, body: "" };
  }

  /** A response with the rules' headers in place of the function's own. */
  apply(request: Pick<HttpRequest, "method" | "headers">, response: HttpResponse): HttpResponse {
    const ours = this.#headers(request);
    const names = new Set(ours.map(([name]) => name.toLowerCase()));
    // What else the response depends on, only the function knows: Origin comes to that.
    names.delete("vary");
    const kept = response.headers.filter(([name]) => !names.has(name.toLowerCase()));
    return { ...response, headers: [...kept, ...ours] };
  }

  #headers(request: Pick<HttpRequest, "headers">): [string, string][] {
    const origin = request.headers["origin"];
    if (this.#origins.includes("*")) return [["Access-Control-Allow-Origin", "*"]];
    if (origin === undefined || !this.#origins.includes(origin)) return [];
    return [
      ["Access-Control-Allow-Origin", origin],
      ["Vary", "Origin"],
    ];
  }
}
