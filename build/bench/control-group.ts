/**
 * A control group (version 2), which counts the processor time of all processes in it, whoever their
 * parents are. Needs root.
 *
 * @see https://docs.kernel.org/admin-guide/cgroup-v2.html
 * @module
 */

import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** One group, a child of the root's. */
export class ControlGroup {
  readonly #root: string;
  readonly #folder: string;

  constructor(name: string) {
    const mount = /^\S+ \S+ \S+ \S+ (\S+) .* - cgroup2 /m;
    const root = mount.exec(readFileSync("/proc/self/mountinfo", "utf8"))?.[1];
    if (root === undefined) throw new Error("failed to find a file system of type cgroup2");
    this.#root = root;
    this.#folder = join(root, `${name}-${process.pid}`);
    mkdirSync(this.#folder);
  }

  /** Runs a function that starts processes, and has them start in the group. */
  start<T>(spawn: () => T): T {
    writeFileSync(join(this.#folder, "cgroup.procs"), String(process.pid));
    try {
      return spawn();
    } finally {
      writeFileSync(join(this.#root, "cgroup.procs"), String(process.pid));
    }
  }

  /** Processor time that the group has used, in ms. */
  cpuMs(): number {
    const [, us] = /^usage_usec (\d+)/m.exec(this.#read("cpu.stat")) ?? [];
    return Number(us) / 1000;
  }

  /** Its processes. */
  pids(): number[] {
    return this.#read("cgroup.procs").split("\n").filter(Boolean).map(Number);
  }

  /** Removes the group when it is empty. */
  remove(): void {
    rmdirSync(this.#folder);
  }

  #read(name: string): string {
    return readFileSync(join(this.#folder, name), "utf8");
  }
}
