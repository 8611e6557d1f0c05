/**
 * What a payload without a declared type is taken for.
 *
 * @module
 */

import { decodeUtf8 } from "../../host/front/cloud-events/cloud-event.ts";
import { isJson } from "../../host/http/json-text.ts";

/** The type that most callers would declare for such a payload. */
export function guessContentType(payload: Uint8Array): string {
  if (isJson(payload)) return "application/json";
  return decodeUtf8(payload) === undefined ? "application/octet-stream" : "text/plain";
}
