/**
 * Several CloudEvents in one request: each is an invocation of its own, one after another.
 *
 * The first that fails ends the batch, as with Lambda's ordered event sources: its failure is the
 * response, so that the sender sends again, and no event overtakes another.
 * @see https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md
 * @module
 */

import { randomUUID } from "node:crypto";

import { RESPONSE_BYTES_MAX } from "../../../runtime-api/contract.ts";
import { decodeUtf8, rawElements } from "../../http/json-text.ts";
import { type HttpRequest, type HttpResponse, jsonResponse } from "../../http/message.ts";
import type { Adapter, RespondToElement } from "../adapter.ts";
import { BATCH_TYPE, parseStructured, STRUCTURED_TYPE } from "./cloud-event.ts";

/** Events of one batch, at most; as many as Lambda takes from a queue at once. */
const BATCH_EVENTS_MAX = 10_000;

/** A batch as one request for each of its events, or what is wrong with it. */
type BatchResult =
  | { readonly kind: "batch"; readonly elements: readonly HttpRequest[] }
  | { readonly kind: "invalid"; readonly reason: string };

/** Reads a batch whole before any of it is run: one wrong event refuses them all. */
export function readBatch(request: HttpRequest): BatchResult {
  const json = decodeUtf8(request.body);
  const texts = json === undefined ? undefined : rawElements(json);
  if (texts === undefined) return { kind: "invalid", reason: "the body is not a JSON array" };
  if (texts.length > BATCH_EVENTS_MAX) {
    const reason = `${texts.length} events are more than ${BATCH_EVENTS_MAX}`;
    return { kind: "invalid", reason };
  }
  const elements: HttpRequest[] = [];
  for (const [at, text] of texts.entries()) {
    const body = Buffer.from(text);
    const read = parseStructured(body);
    if (read.kind === "invalid") {
      return { kind: "invalid", reason: `event ${at + 1}: ${read.reason}` };
    }
    elements.push(elementRequest(request, body));
  }
  return { kind: "batch", elements };
}

/** The request that would have brought this event alone. */
function elementRequest(request: HttpRequest, body: Uint8Array): HttpRequest {
  const kept = request.headerLines.filter(([name]) => !/^(content-|ce-)/i.test(name));
  return {
    ...request,
    headerLines: [...kept, ["Content-Type", STRUCTURED_TYPE]],
    headers: { ...request.headers, "content-type": STRUCTURED_TYPE },
    body,
    requestId: randomUUID(),
  };
}

/**
 * Has the events handled one by one; their responses are one batch, in the same order. Events that
 * have no response have no place in it, and a batch without any gets status 202.
 */
export async function runBatch(
  elements: readonly HttpRequest[],
  adapter: Adapter,
  respond: RespondToElement,
): Promise<HttpResponse> {
  const responses: string[] = [];
  let byteLength = 0;
  for (const [at, element] of elements.entries()) {
    const response = await respond(element, adapter);
    const place = `event ${at + 1} of ${elements.length}`;
    const text = bodyText(response);
    if (response.status >= 400) return failure(response, text, place);
    if (text === "") continue;
    byteLength += Buffer.byteLength(text);
    if (byteLength > RESPONSE_BYTES_MAX) {
      const message = `the replies up to ${place} are larger than ${RESPONSE_BYTES_MAX} bytes`;
      return jsonResponse(500, { message: `${message}; send fewer events at once` });
    }
    responses.push(text);
  }
  if (responses.length === 0) return { status: 202, headers: [], body: "" };
  return { status: 200, headers: [["Content-Type", BATCH_TYPE]], body: `[${responses.join(",")}]` };
}

function failure(response: HttpResponse, text: string, place: string): HttpResponse {
  const message = `${place} failed; those before it were run, those after it were not`;
  const retryAfter = response.headers.filter(([name]) => name === "Retry-After");
  return jsonResponse(response.status, { message, cause: text }, retryAfter);
}

/** The response's text; a response of the CloudEvents adapter is never a stream. */
function bodyText({ body }: HttpResponse): string {
  if (typeof body === "string") return body;
  return body instanceof Uint8Array ? Buffer.from(body).toString("utf8") : "";
}
