/**
 * How the Runtime API refuses a request.
 *
 * @module
 */

import type { ServerResponse } from "node:http";

import { RESPONSE_BYTES_MAX, STATUS } from "../../runtime-api/contract.ts";
import type { RefusalType } from "../../runtime-api/function-error.ts";
import { replyJson, type RequestBody } from "../http/node-http.ts";
import { refusalMessage, type RuntimeEvent, type RuntimeState } from "./runtime-state.ts";

/** Refuses in the form that every refusal has. */
export function refuse(
  response: ServerResponse,
  status: number,
  errorType: RefusalType,
  errorMessage: string,
): void {
  replyJson(response, status, { errorMessage, errorType });
}

/** Refuses what the state table does not allow. */
export function refuseTransition(
  response: ServerResponse,
  state: RuntimeState,
  event: RuntimeEvent,
): void {
  refuse(response, STATUS.forbidden, "InvalidStateTransition", refusalMessage(state, event));
}

/** Refuses a body that is too large; one that was broken off has nobody to be told. */
export function refuseBody(
  response: ServerResponse,
  body: Exclude<RequestBody, { kind: "complete" }>,
) {
  if (body.kind === "truncated") return void response.destroy();
  const words = `Exceeded maximum allowed payload size (${RESPONSE_BYTES_MAX} bytes).`;
  refuse(response, STATUS.payloadTooLarge, "RequestEntityTooLarge", words);
}
