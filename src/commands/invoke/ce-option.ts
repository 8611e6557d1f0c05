/**
 * `--ce type=… source=…`: a CloudEvent in its JSON form.
 *
 * @module
 */

import { randomUUID } from "node:crypto";

import {
  type CloudEvent,
  dataOf,
  formatStructured,
  SPEC_VERSION,
  validate,
} from "../../host/front/cloud-events/cloud-event.ts";
import { CommandError } from "../cli/exit-status.ts";
import { guessContentType } from "./content-type.ts";

/**
 * Makes the event; id, time and the type of the data are added where they are not given.
 * @param assignments Attributes as `name=value`; `type` and `source` must be among them.
 * @throws {CommandError} When an attribute is missing or not allowed.
 */
export function cloudEvent(
  assignments: readonly string[],
  data: Uint8Array = new Uint8Array(0),
): Uint8Array {
  const given = new Map(assignments.map(attribute));
  const attributes = new Map([
    ["specversion", SPEC_VERSION],
    ["id", randomUUID()],
    ["time", new Date().toISOString()],
    ...(data.byteLength === 0 ? [] : [["datacontenttype", guessContentType(data)] as const]),
    ...given,
  ]);
  const event: CloudEvent = { attributes, data: dataOf(data, attributes.get("datacontenttype")) };
  const checked = validate(event);
  if (checked.kind === "invalid") {
    throw new CommandError(
      `--ce: ${checked.reason}\n  write attributes: --ce type=com.example.created source=/shop`,
    );
  }
  return Buffer.from(formatStructured(event));
}

function attribute(assignment: string): readonly [string, string] {
  const at = assignment.indexOf("=");
  if (at < 1) {
    throw new CommandError(
      `--ce ${assignment}: no attribute name=value\n` +
        "  the function's name stands before the options: lambda-shell invoke NAME --ce …",
    );
  }
  return [assignment.slice(0, at), assignment.slice(at + 1)];
}
