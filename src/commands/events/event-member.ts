/**
 * `--set path=value`: changes one member of an event.
 *
 *     --set Records.0.body=hi      a string stays a string; elsewhere JSON where it is JSON
 *     --set detail:='{"a":1}'      JSON, whatever stood there
 *
 * A number in the path is an element of a list, one after the last adds it; `\.` is a dot in a
 * name. Members that are missing are made.
 * @module
 */

import { isExactNumber, parseExactly } from "../../host/http/json-text.ts";
import { CommandError } from "../cli/exit-status.ts";

/** A value of JSON whose numbers keep all their digits. */
type Json = unknown;

/** A list or an object. */
type Container = Json[] | Record<string, Json>;

/**
 * Sets members in the JSON of an event; without assignments it is given back as it is.
 * @throws {CommandError} When the event is not JSON or an assignment cannot be done, with the fix.
 */
export function setMembers(event: Uint8Array, assignments: readonly string[]): Uint8Array {
  if (assignments.length === 0) return event;
  let root: Json;
  try {
    root = parseExactly(new TextDecoder().decode(event));
  } catch (error) {
    if (error instanceof RangeError) {
      throw new CommandError(
        "--set: lists and objects of the event are nested too deeply to change it",
      );
    }
    throw new CommandError("--set needs an event that is JSON");
  }
  for (const assignment of assignments) root = setMember(root, assignment);
  return Buffer.from(JSON.stringify(root));
}

function setMember(root: Json, assignment: string): Json {
  const { path, isJson, text } = splitAssignment(assignment);
  const keys = path.split(/(?<!\\)\./).map((key) => key.replaceAll("\\.", "."));
  const refuse = (reason: string) => new CommandError(`--set ${assignment}: ${reason}`);
  const holder: Record<string, Json> = { event: root };
  let container: Container = holder;
  let key = "event";
  for (const [at, next] of keys.entries()) {
    const place = at === 0 ? "the event" : keys.slice(0, at).join(".");
    let child: Json = member(container, key);
    if (child === undefined || child === null) {
      child = /^0$/.test(next) ? [] : {};
      assign(container, key, child);
    }
    if (!isContainer(child)) {
      throw refuse(`${place} is ${typeName(child)}, it has no member "${next}"`);
    }
    if (Array.isArray(child)) checkIndex(child, next, place, refuse);
    container = child;
    key = next;
  }
  const old = member(container, key);
  assign(container, key, isJson ? jsonValue(text, refuse) : plainValue(text, old));
  return holder["event"];
}

function splitAssignment(assignment: string): {
  readonly path: string;
  readonly isJson: boolean;
  readonly text: string;
} {
  const [, path, colon, text] = /^([^=]+?)(:?)=(.*)$/s.exec(assignment) ?? [];
  if (path === undefined || text === undefined) {
    throw new CommandError(`--set ${assignment}: write path=value, as in --set Records.0.body=hi`);
  }
  return { path, isJson: colon === ":", text };
}

function isContainer(value: Json): value is Container {
  return typeof value === "object" && value !== null && !isExactNumber(value);
}

function checkIndex(
  list: readonly Json[],
  key: string,
  place: string,
  refuse: (reason: string) => CommandError,
): void {
  if (/^(0|[1-9]\d*)$/.test(key) && Number(key) <= list.length) return;
  const elements = `${list.length} element${list.length === 1 ? "" : "s"}`;
  const indexes = list.length === 0 ? "0" : `0 to ${list.length}`;
  throw refuse(
    `${place} is a list of ${elements}, "${key}" is not one of ${indexes} (the last adds one)`,
  );
}

function member(container: Container, key: string): Json {
  if (Array.isArray(container)) return container[Number(key)];
  return Object.hasOwn(container, key) ? container[key] : undefined;
}

/** Defines the member, since an assignment to `__proto__` would do something else. */
function assign(container: Container, key: string, value: Json): void {
  const traits = { value, writable: true, enumerable: true, configurable: true };
  Object.defineProperty(container, key, traits);
}

function jsonValue(text: string, refuse: (reason: string) => CommandError): Json {
  try {
    return parseExactly(text);
  } catch {
    throw refuse("the value after := is not JSON; use = for a string");
  }
}

/** Text where a string was; else JSON where it is JSON. */
function plainValue(text: string, old: Json): Json {
  if (typeof old === "string") return text;
  try {
    return parseExactly(text);
  } catch {
    return text;
  }
}

function typeName(value: Json): string {
  if (typeof value === "string") return "a string";
  return typeof value === "boolean" ? "a boolean" : "a number";
}
