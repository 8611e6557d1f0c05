/**
 * A control group of the kernel: what the processes in it have used of the processors, and a limit on
 * that and on their memory. Version 1 and 2, whichever the machine has.
 *
 * @see https://docs.kernel.org/admin-guide/cgroup-v2.html
 * @see https://docs.kernel.org/admin-guide/cgroup-v1/cpuacct.html
 * @module
 */

import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const ROOT = "/sys/fs/cgroup";
/** Controllers of version 1, each a tree of its own. */
const CONTROLLERS = ["cpuacct", "cpu", "memory"] as const;
/** Memory at which Lambda gives a function one whole processor, in MB. */
const WHOLE_CPU_MB = 1769;
/** The period in which a share of a processor is given, in microseconds. */
const PERIOD_US = 20_000;
const BYTES_PER_MB = 1024 * 1024;
const REMOVE_MS_MAX = 5000;
const REMOVE_RETRY_MS = 10;

/** How many groups this process has made: their names must differ. */
let made = 0;

/** A group that was made, and how it is read and set. */
export class ControlGroup {
  readonly #version: 1 | 2;
  readonly #name: string;

  private constructor(version: 1 | 2, name: string) {
    this.#version = version;
    this.#name = name;
  }

  /**
   * Makes a group, without limits.
   * @throws {Error} When that is not allowed here, or there are no control groups.
   */
  static make(): ControlGroup {
    const version = existsSync(join(ROOT, "cpuacct")) ? 1 : 2;
    made += 1;
    const group = new ControlGroup(version, `lambda-shell-bench-${process.pid}-${made}`);
    try {
      if (version === 2) {
        writeFileSync(join(ROOT, "cgroup.subtree_control"), "+cpu +memory");
        mkdirSync(group.#path("cpu"));
      } else {
        for (const controller of CONTROLLERS) mkdirSync(group.#path(controller));
      }
      group.usedMs();
    } catch (cause) {
      throw new Error(`failed to make a control group (as root, in ${ROOT}): ${cause}`, { cause });
    }
    return group;
  }

  /** Gives the group what Lambda gives a function with this memory. */
  limit(memoryMb: number): void {
    const quotaUs = Math.round((PERIOD_US * memoryMb) / WHOLE_CPU_MB);
    const bytes = memoryMb * BYTES_PER_MB;
    if (this.#version === 2) {
      this.#set("cpu", "cpu.max", `${quotaUs} ${PERIOD_US}`);
      this.#set("memory", "memory.max", `${bytes}`);
    } else {
      this.#set("cpu", "cpu.cfs_period_us", `${PERIOD_US}`);
      this.#set("cpu", "cpu.cfs_quota_us", `${quotaUs}`);
      this.#set("memory", "memory.limit_in_bytes", `${bytes}`);
    }
  }

  /** The files that a process writes 0 to, to be one of the group. */
  get procsFiles(): readonly string[] {
    return this.#controllers.map((controller) => join(this.#path(controller), "cgroup.procs"));
  }

  /** Runs a function that starts processes, and has them start in the group. */
  start<T>(spawn: () => T): T {
    const homes = this.#controllers.map((controller) => this.#homeOf(controller));
    try {
      for (const file of this.procsFiles) writeFileSync(file, String(process.pid));
      return spawn();
    } finally {
      for (const file of homes) writeFileSync(file, String(process.pid));
    }
  }

  /** Its processes. */
  pids(): number[] {
    return this.#get("cpu", "cgroup.procs").split("\n").filter(Boolean).map(Number);
  }

  /** What the group's processes have used until now, those that have ended included, in ms of CPU. */
  usedMs(): number {
    if (this.#version === 1) return Number(this.#get("cpuacct", "cpuacct.usage")) / 1e6;
    return Number(/^usage_usec (\d+)/m.exec(this.#get("cpu", "cpu.stat"))?.[1]) / 1e3;
  }

  /** Removes the group; its processes must have been killed. */
  async remove(): Promise<void> {
    const giveUpMs = performance.now() + REMOVE_MS_MAX;
    for (const controller of this.#controllers) {
      for (;;) {
        try {
          rmdirSync(this.#path(controller));
          break;
        } catch (error) {
          if (performance.now() > giveUpMs) throw error;
          await Bun.sleep(REMOVE_RETRY_MS);
        }
      }
    }
  }

  /** Those whose trees the group has a folder in. */
  get #controllers(): readonly (typeof CONTROLLERS)[number][] {
    return this.#version === 2 ? ["cpu"] : CONTROLLERS;
  }

  /** The file by which this process comes back to the group that it is in. */
  #homeOf(controller: (typeof CONTROLLERS)[number]): string {
    const name = this.#version === 2 ? "" : `(?:[^:]*,)?${controller}(?:,[^:]*)?`;
    const memberships = readFileSync("/proc/self/cgroup", "utf8");
    const [, path = "/"] = RegExp(`^\\d+:${name}:(.*)$`, "m").exec(memberships) ?? [];
    return join(ROOT, this.#version === 2 ? "" : controller, path, "cgroup.procs");
  }

  #path(controller: (typeof CONTROLLERS)[number]): string {
    return this.#version === 2 ? join(ROOT, this.#name) : join(ROOT, controller, this.#name);
  }

  #get(controller: (typeof CONTROLLERS)[number], file: string): string {
    return readFileSync(join(this.#path(controller), file), "utf8");
  }

  #set(controller: (typeof CONTROLLERS)[number], file: string, value: string): void {
    writeFileSync(join(this.#path(controller), file), value);
  }
}
