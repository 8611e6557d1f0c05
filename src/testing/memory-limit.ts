/**
 * A memory limit like that of a small Lambda function, by a control group of either version.
 *
 * @see https://docs.kernel.org/admin-guide/cgroup-v2.html#memory
 * @see https://docs.kernel.org/admin-guide/cgroup-v1/memory.html
 * @module
 */

import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** A control group whose processes share so much memory, and no swap. */
export interface MemoryLimit extends Disposable {
  /** The command before a program that must run in the group. */
  readonly wrapper: readonly string[];
  /** How many processes of the group the kernel has killed for want of memory. */
  kills(): number;
  /** Resolves when no process is left in the group. */
  emptied(): Promise<void>;
}

/** The files of one version that matter. */
interface Version {
  readonly folder: string;
  readonly limits: readonly (readonly [file: string, isOptional: boolean])[];
  readonly events: string;
}

let made = 0;

/**
 * Makes a control group; it must be empty when it is disposed of.
 * @throws {Error} When this machine lets us make none: a test without it would prove nothing.
 */
export function memoryLimit(bytes: number): MemoryLimit {
  const version = versionTwo() ?? versionOne();
  if (version === undefined) {
    throw new Error(
      "failed to find a control group for memory that can be written to, of version 1 or 2: " +
        "run the tests as root, and not in a container without them",
    );
  }
  made += 1;
  const group = join(version.folder, `lambda-shell-runtime-test-${process.pid}-${made}`);
  mkdirSync(group);
  for (const [file, isOptional] of version.limits) {
    if (isOptional && !existsSync(join(group, file))) continue;
    writeFileSync(join(group, file), file.includes("swap") ? "0" : String(bytes));
  }
  const enter = `echo $$ >${join(group, "cgroup.procs")} && exec "$0" "$@"`;
  const read = (file: string) => readFileSync(join(group, file), "utf8");
  return {
    wrapper: ["/bin/sh", "-c", enter],
    kills: () => Number(/^oom_kill (\d+)$/m.exec(read(version.events))?.[1]),
    emptied: async () => {
      while (read("cgroup.procs") !== "") await Bun.sleep(5);
    },
    [Symbol.dispose]: () => rmdirSync(group),
  };
}

function versionTwo(): Version | undefined {
  const folder = mountOf("cgroup2");
  if (folder === undefined || !hasMemory(folder, "cgroup.subtree_control")) return undefined;
  return {
    folder,
    limits: [
      ["memory.max", false],
      ["memory.swap.max", true],
    ],
    events: "memory.events",
  };
}

function versionOne(): Version | undefined {
  const folder = mountOf("cgroup", "memory");
  if (folder === undefined) return undefined;
  return {
    folder,
    limits: [
      ["memory.limit_in_bytes", false],
      // Memory and swap together.
      ["memory.memsw.limit_in_bytes", true],
    ],
    events: "memory.oom_control",
  };
}

function hasMemory(folder: string, file: string): boolean {
  return readFileSync(join(folder, file), "utf8").split(/\s+/).includes("memory");
}

/** Where a file system of a type, with an option, is mounted to be written to. */
function mountOf(type: string, option?: string): string | undefined {
  for (const line of readFileSync("/proc/mounts", "utf8").split("\n")) {
    const [, folder = "", mounted = "", options = ""] = line.split(" ");
    const has = options.split(",");
    if (mounted !== type || has.includes("ro")) continue;
    if (option === undefined || has.includes(option)) return folder;
  }
  return undefined;
}
