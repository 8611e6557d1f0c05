/**
 * Starts a runtime once in a mounted image and measures it up to its first response.
 *
 * @module
 */

import { readFileSync } from "node:fs";
import { join } from "node:path";

import { ColdStartApi } from "./cold-start-api.ts";
import type { ColdDevice } from "./cold-start-device.ts";
import { BLOCK_BYTES } from "./cold-start-store.ts";
import { residentPages } from "./resident-pages.ts";

const EVENT = new TextEncoder().encode('{"key": "value"}');
/** On Debian not on the PATH that the runtime gets. */
const CHROOT = Bun.which("chroot") ?? "/usr/sbin/chroot";
/** A start that takes longer is stuck. */
const START_MS_MAX = 30_000;

/** What one start cost. */
export interface ColdStart {
  /** From the start of the process to GET /next, in milliseconds. */
  readonly nextMs: number;
  /** From the start of the process to the first response, in milliseconds. */
  readonly responseMs: number;
  /** Page faults that waited for storage, of the runtime and of children that it waited for. */
  readonly majorFaults: number;
  /** Read from the device, in bytes. */
  readonly readBytes: number;
  /** Pages of the executable that are in memory at the end. */
  readonly pages: number;
  /** Blocks of {@link BLOCK_BYTES} of the executable of which pages are in memory. */
  readonly blocks: number;
}

/**
 * Starts /opt/NAME of the image and stops it after its first response.
 * @throws {Error} When it does not respond.
 */
export async function measureStart(device: ColdDevice, name: string): Promise<ColdStart> {
  const readBefore = device.bytesRead();
  const api = new ColdStartApi([EVENT]);
  const startMs = performance.now();
  const child = Bun.spawn([CHROOT, device.root, `/opt/${name}`], {
    env: {
      PATH: "/usr/local/bin:/usr/bin:/bin:/opt/bin",
      LAMBDA_TASK_ROOT: "/var/task",
      _HANDLER: "function.handler",
      AWS_LAMBDA_RUNTIME_API: api.address,
    },
    stdio: ["ignore", "ignore", "inherit"],
  });
  const timer = setTimeout(() => child.kill("SIGKILL"), START_MS_MAX);
  try {
    await Promise.race([api.done, child.exited]);
    const majorFaults = child.exitCode === null ? majorFaultsOf(child.pid) : 0;
    const { nextMs, responsesMs } = api.times;
    const responseMs = responsesMs[0];
    if (nextMs === undefined || responseMs === undefined) {
      throw new Error(`failed to start ${name}: no response, status ${child.exitCode}`);
    }
    const resident = residentPages(join(device.root, "opt", name));
    return {
      nextMs: nextMs - startMs,
      responseMs: responseMs - startMs,
      majorFaults,
      readBytes: device.bytesRead() - readBefore,
      pages: resident.length,
      blocks: new Set(resident.map((page) => Math.floor((page * 4096) / BLOCK_BYTES))).size,
    };
  } finally {
    clearTimeout(timer);
    child.kill("SIGKILL");
    await child.exited;
    await api.stop();
  }
}

/** majflt and cmajflt of proc(5), the 12th and 13th fields; the name before may hold spaces. */
function majorFaultsOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)?.split(" ") ?? [];
  return Number(fields[9]) + Number(fields[10]);
}
