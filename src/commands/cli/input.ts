/**
 * Files and standard input that the command line names, or why they cannot be read.
 *
 * @module
 */

import { existsSync, fstatSync, readdirSync, readFileSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";

import { isClosed, isForWriting, systemFault } from "./ending.ts";
import { CommandError } from "./exit-status.ts";
import { closest, pathWord } from "./suggest.ts";

/**
 * Reads a whole file.
 * @param option Where the path comes from, such as `--env-file`.
 * @throws {CommandError} When it cannot be read, with the option, the path and the reason.
 */
export function readInputFile(path: string, option: string): Buffer<ArrayBuffer> {
  // As that of a variable that is not set.
  if (path === "") throw new CommandError(`${option}: the path is empty`);
  try {
    return readFileSync(path);
  } catch (error) {
    throw unreadable(`${option} ${path}`, error);
  }
}

/**
 * A file that is written must not be one with something else in it, as where a wrong name was given.
 * @param what What is written, such as `zip`.
 * @param isOwn Whether a text begins like one, by its first bytes.
 * @returns The bytes that are there, in a file that may be written over; nothing where there is none, or a device.
 * @throws {CommandError} When it has something else in it.
 */
export function writtenBefore(
  path: string,
  option: string,
  what: string,
  isOwn: RegExp,
): Uint8Array<ArrayBuffer> | undefined {
  if (path === "") throw new CommandError(`${option}: the path is empty`);
  // Without the slash it would be a file of the folder's name.
  if (path.endsWith("/")) {
    throw new CommandError(`${option} ${path}: it is a folder, not a file\n  name a file in it`);
  }
  let bytes: Buffer<ArrayBuffer>;
  try {
    if (!statSync(path).isFile()) return undefined;
    bytes = readFileSync(path);
  } catch (error) {
    if (!existsSync(path)) return undefined;
    throw unreadable(`${option} ${path}`, error);
  }
  if (bytes.byteLength === 0 || isOwn.test(bytes.toString("latin1", 0, START_BYTES))) return bytes;
  throw new CommandError(
    `${option} ${path}: it is there and is not a ${what}; nothing was changed\n` +
      "  give another name, or remove it first",
  );
}

/** Bytes of a file by which it is known. */
const START_BYTES = 64;

const STDIN = 0;

const INPUT_FIX = "  give it an event: < event.json; or nothing: < /dev/null";

/**
 * Standard input, chunk by chunk; nothing where it is empty.
 * @throws {CommandError} When it cannot be read, as a folder cannot, or is closed.
 */
export async function* standardInput(): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const unread = isClosed(STDIN) ? "closed" : isForWriting(STDIN) && "not open for reading";
  if (unread) throw new CommandError(`standard input: it is ${unread}\n${INPUT_FIX}`);
  try {
    yield* Bun.stdin.stream();
  } catch (error) {
    throw unreadable("standard input", error);
  }
}

/** All of standard input; @throws as {@link standardInput} does. */
export async function wholeStandardInput(): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of standardInput()) chunks.push(chunk);
  return new Uint8Array(Buffer.concat(chunks));
}

/** Whether standard input is a file in which there is something: a pipe may be there although nobody meant it as input. */
export function isStandardInputGiven(): boolean {
  try {
    const status = fstatSync(0);
    return status.isFile() && status.size > 0;
  } catch {
    // It is closed.
    return false;
  }
}

/**
 * The folder that an argument names must be there.
 * @param name As the user wrote it.
 * @throws {CommandError} When it is not, when it is something else, or when its name is empty.
 */
export function requireFolder(path: string, name: string, hint = ""): void {
  // As that of a variable that is not set, which would be the current folder.
  if (name === "")
    throw new CommandError("the name of the folder is empty\n  the current one is .");
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined)
    throw new CommandError(`no such folder: ${name}${meantFolder(path, name)}`);
  if (!found.isDirectory()) throw new CommandError(`not a folder: ${name}${hint}`);
}

/** Letters of a name from which on another one may be a slip of the finger away. */
const LETTERS_MIN = 4;

/** What a folder that is missing was probably meant as. */
function meantFolder(path: string, name: string): string {
  if (/^[A-Za-z_]\w*=/.test(name))
    return `\n  each variable has an option of its own: --env ${pathWord(name)}`;
  if (basename(path).length < LETTERS_MIN) return "";
  const meant = closest(basename(path), foldersIn(dirname(path)));
  // Before one that is not an argument stands its option.
  const folder = dirname(name.startsWith("--") ? path : name);
  return meant === undefined ? "" : `\n  did you mean ${pathWord(join(folder, meant))}?`;
}

function foldersIn(path: string): readonly string[] {
  try {
    const entries = readdirSync(path, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  } catch {
    // It is missing, too, or may be entered and not read.
    return [];
  }
}

/** What a path that cannot be read or written is reported as. */
export function unreadable(what: string, error: unknown): unknown {
  const fault = systemFault(error);
  return fault === undefined ? error : new CommandError(`${what}: ${fault.fact}`);
}
