/**
 * Starts processes with posix_spawn(3), through Bun's foreign function interface.
 *
 * @see https://man7.org/linux/man-pages/man3/posix_spawn.3.html
 * @module
 */

import { dlopen, ptr } from "./ffi.ts";
import { lazy } from "./lazy.ts";
import { cString, LIBC, SystemError } from "./libc.ts";
import { remember } from "./process.ts";

const { symbols: libc } = dlopen(LIBC, {
  posix_spawn: { args: ["ptr", "ptr", "ptr", "ptr", "ptr", "ptr"], returns: "i32" },
  posix_spawn_file_actions_addchdir_np: { args: ["ptr", "ptr"], returns: "i32" },
  posix_spawn_file_actions_addclosefrom_np: { args: ["ptr", "i32"], returns: "i32" },
  posix_spawn_file_actions_adddup2: { args: ["ptr", "i32", "i32"], returns: "i32" },
});

const late = lazy(
  () =>
    dlopen(LIBC, {
      posix_spawn_file_actions_destroy: { args: ["ptr"], returns: "i32" },
    }).symbols,
);

/** What a new process gets. */
export interface SpawnOptions {
  /** Path of the executable; it is not looked up in PATH. */
  readonly path: string;
  readonly argv: readonly string[];
  /** NUL-terminated `NAME=value` entries. */
  readonly environment: readonly Uint8Array[];
  readonly cwd: string;
  /** Descriptors that become its standard input, output and error, and those after them: no other. */
  readonly stdio: readonly [number, number, number, ...number[]];
}

// glibc's opaque types on 64-bit machines, sizes rounded up. All zero they are as their init functions
// make them. Attributes begin with the flags (i16), the process group (i32 at 4) and the signals that
// get their default action (128 bytes at 8).
const FILE_ACTIONS_BYTES = 128;
const ATTRIBUTES_BYTES = 512;
const DEFAULT_SIGNALS_AT = 8;
const DEFAULT_SIGNALS_END = DEFAULT_SIGNALS_AT + 128;
const POSIX_SPAWN_SETPGROUP = 2;
const POSIX_SPAWN_SETSIGDEF = 4;
const POSIX_SPAWN_SETSIGMASK = 8;

/**
 * Starts a process in a process group of its own, with every signal at its default.
 *
 * (Bun ignores SIGPIPE, and an ignored signal would stay so in every shell below.)
 * @returns Its process id, for `endOf` and, in the end, `forget`.
 * @throws {SystemError} When the executable cannot be started.
 */
export function spawn({ path, argv, environment, cwd, stdio }: SpawnOptions): number {
  const attributes = new Uint8Array(ATTRIBUTES_BYTES);
  attributes[0] = POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK;
  attributes.fill(0xff, DEFAULT_SIGNALS_AT, DEFAULT_SIGNALS_END);
  const actions = new Uint8Array(FILE_ACTIONS_BYTES);
  const folder = cString(cwd);
  libc.posix_spawn_file_actions_addchdir_np(actions, folder);
  for (let target = 0; target < stdio.length; target += 1) {
    libc.posix_spawn_file_actions_adddup2(actions, stdio[target] as number, target);
  }
  libc.posix_spawn_file_actions_addclosefrom_np(actions, stdio.length);
  const args: Uint8Array[] = [];
  for (const arg of argv) args.push(cString(arg));
  const pid = new Int32Array(1);
  const failure = libc.posix_spawn(
    pid,
    cString(path),
    actions,
    attributes,
    pointersTo(args),
    pointersTo(environment),
  );
  late().posix_spawn_file_actions_destroy(actions);
  if (failure !== 0) throw new SystemError(`posix_spawn ${path}`, failure);
  remember(pid[0] as number);
  return pid[0] as number;
}

/** Lays out a `char *[]` of strings that have to outlive it. */
function pointersTo(strings: readonly Uint8Array[]): Int32Array {
  const halves = new Int32Array((strings.length + 1) * 2);
  for (let index = 0; index < strings.length; index += 1) {
    const address = ptr(strings[index] as Uint8Array);
    halves[index * 2] = address;
    halves[index * 2 + 1] = address / 2 ** 32;
  }
  return halves;
}
