/**
 * The tests of a function's folder: every file in `tests`, and every event in `events` that none of
 * them names.
 *
 * @module
 */

import { existsSync, readdirSync, readFileSync, realpathSync } from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";

import { otherFolder } from "../check/missing-handler.ts";
import { systemFault } from "../commands/cli/ending.ts";
import { CommandError } from "../commands/cli/exit-status.ts";
import { requireFolder } from "../commands/cli/input.ts";
import { pathWord } from "../commands/cli/suggest.ts";
import { setMembers } from "../commands/events/event-member.ts";
import { DEFAULT_HANDLER } from "../commands/function/settings.ts";
import { jsonComplaint } from "../host/http/json-text.ts";
import { type EventSource, parseTestFile, type TestDescription } from "./test-file.ts";

/** A test with its event. */
export interface FunctionTest extends Omit<TestDescription, "event"> {
  readonly event: Uint8Array;
}

/** Where the tests stand in a function's folder. */
export const TESTS_FOLDER = "tests";

/** Where its events stand. */
export const EVENTS_FOLDER = "events";

/**
 * Reads the tests of a folder, in the order of their files' names.
 * @param directory As people name it.
 * @throws {CommandError} When a file is malformed, with everything that is wrong; or when there is no
 * test, with how to write one.
 */
export async function readSuite(directory: string): Promise<readonly FunctionTest[]> {
  const complaints: string[] = [];
  const tests: TestDescription[] = [];
  for (const file of jsonFiles(directory, TESTS_FOLDER)) {
    const read = readOrComplain(file);
    if (typeof read === "string") {
      complaints.push(read);
      continue;
    }
    const result = parseTestFile(read, file);
    if (result.kind === "valid") tests.push(...result.tests);
    else complaints.push(...result.complaints);
  }
  const ready: FunctionTest[] = [];
  for (const test of tests) {
    const event = await eventBytes(test.event);
    if (typeof event === "string") complaints.push(`${test.id}: ${event}`);
    else ready.push({ ...test, event });
  }
  const named = new Set(
    tests.flatMap(({ event }) => (event.kind === "file" ? [realPath(event.path)] : [])),
  );
  for (const file of jsonFiles(directory, EVENTS_FOLDER)) {
    if (named.has(realPath(file))) continue;
    const event = eventFile(file);
    if (typeof event === "string") complaints.push(event);
    else ready.push({ id: file, file, event, env: {}, headers: {} });
  }
  if (complaints.length > 0) throw malformed(complaints);
  if (ready.length > 0) return ready;
  const looked = `no tests in ${directory}: looked for ${TESTS_FOLDER}/*.json and ${EVENTS_FOLDER}/*.json`;
  const parent = dirname(resolve(directory));
  if ([TESTS_FOLDER, EVENTS_FOLDER].includes(basename(resolve(directory)))) {
    const path = pathWord(relative("", parent) || ".");
    throw new CommandError(`${looked}\n  name the function's folder: lambda-shell test ${path}`);
  }
  const folder = otherFolder(resolve(directory), DEFAULT_HANDLER);
  if (folder !== undefined) throw new CommandError(`${looked}\n  ${folder}`);
  throw new CommandError(
    `${looked}\n` +
      `  begin with an event, and have its response written down as what is expected:\n` +
      `  mkdir -p ${pathWord(join(directory, EVENTS_FOLDER))}\n` +
      `  echo '{"name":"Ada"}' > ${pathWord(join(directory, EVENTS_FOLDER, "ada.json"))}\n` +
      `  lambda-shell test --update${directory === "." ? "" : ` ${pathWord(directory)}`}`,
  );
}

function malformed(complaints: readonly string[]): CommandError {
  const count = complaints.length === 1 ? "a test is" : `${complaints.length} tests are`;
  const lines = complaints.map((each) => `  ${each.replaceAll("\n", "\n  ")}`);
  return new CommandError(`${count} malformed, and no test was run\n${lines.join("\n")}`);
}

/** The files of a folder whose names end in .json, without hidden ones. */
function jsonFiles(directory: string, name: string): readonly string[] {
  const folder = join(directory, name);
  if (!existsSync(folder)) return [];
  requireFolder(folder, folder);
  return readdirSync(folder)
    .filter((file) => file.endsWith(".json") && !file.startsWith("."))
    .sort()
    .map((file) => join(folder, file));
}

/** A file's bytes, or what is wrong with it. */
function readOrComplain(file: string): Uint8Array | string {
  try {
    return new Uint8Array(readFileSync(file));
  } catch (error) {
    const fault = systemFault(error);
    if (fault === undefined) throw error;
    return `${file}: ${fault.fact}`;
  }
}

/** The bytes of a file with an event, or why no function gets them: Lambda takes nothing but JSON. */
function eventFile(file: string): Uint8Array | string {
  const bytes = readOrComplain(file);
  const complaint = typeof bytes === "string" ? undefined : jsonComplaint(bytes);
  return complaint === undefined ? bytes : `${file}: the event is not JSON: ${complaint}`;
}

/** The bytes of a test's event, or why there are none. */
async function eventBytes(event: EventSource): Promise<Uint8Array | string> {
  if (event.kind === "bytes") return event.bytes;
  try {
    const bytes = event.kind === "file" ? eventFile(event.path) : await exampleBytes(event.name);
    return typeof bytes === "string" ? `eventFile ${bytes}` : setMembers(bytes, event.set);
  } catch (error) {
    // What commands say of an example or of --set.
    if (error instanceof CommandError) return error.message;
    throw error;
  }
}

async function exampleBytes(name: string): Promise<Uint8Array> {
  const { exampleEvent } = await import("../commands/events/examples.ts");
  return Buffer.from(exampleEvent(name));
}

function realPath(path: string): string {
  return existsSync(path) ? realpathSync(path) : path;
}
