/**
 * Why the kernel would not execute a program, found by looking at it.
 *
 * The guard tells it by a signal without a name, of which there are fewer than reasons, and which Bun 1.4.2
 * does not hand on: the tool is compiled with that, and would take a bootstrap that is not executable for one
 * that has ended well.
 *
 * @see https://man7.org/linux/man-pages/man2/execve.2.html
 * @module
 */

import { accessSync, closeSync, constants, openSync, readSync, statSync } from "node:fs";

/** How much of a file the kernel looks at, in bytes. */
const HEAD_BYTES = 256;

/** Programs that name a program to run them, one after another, at most. */
const INTERPRETERS_MAX = 5;

/** Longest argument or variable, in bytes. */
const WORD_BYTES_MAX = 128 * 1024;

const MACHINE_OFFSET = 18;
/** `e_machine` of what each of our architectures executes. */
const MACHINES: Readonly<Record<string, readonly number[]>> = { x64: [62, 3], arm64: [183, 40] };

/**
 * The name of the errno with which a program is not executed, such as `EACCES`.
 * @param command A path with its arguments.
 * @param directory Folder to which the paths are relative.
 * @param environment The variables that it would get.
 * @returns Nothing when there seems to be no reason.
 */
export function startFault(
  command: readonly string[],
  directory: string,
  environment: Readonly<Record<string, string>>,
): string | undefined {
  const [program = "", ...others] = command;
  const variables = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
  const isTooLong = [...others, ...variables].some(
    (word) => Buffer.byteLength(word) >= WORD_BYTES_MAX,
  );
  return fileFault(program, directory, 0) ?? (isTooLong ? "E2BIG" : undefined);
}

function fileFault(program: string, directory: string, depth: number): string | undefined {
  const path = program.startsWith("/") ? program : `${directory}/${program}`;
  let head: Buffer;
  try {
    if (!statSync(path).isFile()) return "EACCES";
    accessSync(path, constants.X_OK);
    head = headOf(path);
  } catch (error) {
    return errorCode(error);
  }
  if (head.toString("latin1", 0, 2) === "#!") {
    const [line = ""] = head.toString("latin1", 2).split("\n", 1);
    // A carriage return is a part of the name.
    const [interpreter = ""] = line.replace(/^[ \t]+/, "").split(/[ \t\0]/, 1);
    if (interpreter === "") return "ENOEXEC";
    if (depth === INTERPRETERS_MAX) return "ELOOP";
    return fileFault(Buffer.from(interpreter, "latin1").toString(), directory, depth + 1);
  }
  return elfFault(head, directory, depth, path);
}

/** Why a program's own bytes are refused. */
function elfFault(
  head: Buffer,
  directory: string,
  depth: number,
  path: string,
): string | undefined {
  const isElf = head.toString("latin1", 0, 4) === "\x7fELF" && head.byteLength >= 64;
  const machines = MACHINES[process.arch] ?? [];
  if (!isElf || !machines.includes(head.readUInt16LE(MACHINE_OFFSET))) return "ENOEXEC";
  const loader = elfLoader(head, path);
  return loader === undefined ? undefined : fileFault(loader, directory, depth + 1);
}

const ELF_CLASS_OFFSET = 4;
const ELF_CLASS_64 = 2;
const PT_INTERP = 3;

/** The program that loads another one, as its first program headers name it. */
function elfLoader(head: Buffer, path: string): string | undefined {
  if (head[ELF_CLASS_OFFSET] !== ELF_CLASS_64) return undefined;
  const [table, rowBytes, rows] = [
    Number(head.readBigUInt64LE(32)),
    head.readUInt16LE(54),
    head.readUInt16LE(56),
  ];
  const headers = headOf(path, table, rowBytes * rows);
  for (let at = 0; at + 56 <= headers.byteLength; at += rowBytes) {
    if (headers.readUInt32LE(at) !== PT_INTERP) continue;
    const [from, length] = [headers.readBigUInt64LE(at + 8), headers.readBigUInt64LE(at + 32)];
    return headOf(path, Number(from), Number(length)).toString("utf8").replace(/\0.*$/s, "");
  }
  return undefined;
}

/** Bytes of a file. */
function headOf(path: string, position = 0, length = HEAD_BYTES): Buffer {
  const file = openSync(path, "r");
  try {
    const bytes = Buffer.alloc(Math.min(length, 64 * 1024));
    return bytes.subarray(0, readSync(file, bytes, 0, bytes.byteLength, position));
  } finally {
    closeSync(file);
  }
}

function errorCode(error: unknown): string | undefined {
  return error instanceof Error && "code" in error ? String(error.code) : undefined;
}
