/**
 * Runs cold-start-store.c: a file that is served block by block, each at a latency.
 *
 * @module
 */

import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { outcomeOf } from "../layer/command.ts";

/** Blocks in which Lambda's storage fetches: 512 KiB ("On-demand Container Loading in AWS Lambda"). */
export const BLOCK_BYTES = 512 * 1024;

/** What a store served since it was started or made cold. */
export interface StoreCounts {
  readonly requests: number;
  readonly bytes: number;
  /** Blocks of {@link BLOCK_BYTES} of which at least a byte was asked for. */
  readonly blocks: number;
}

/** A mounted file whose blocks are slow once. */
export class BlockStore {
  /** The served file. */
  readonly path: string;
  readonly #mountPoint: string;
  readonly #process: Bun.Subprocess<"ignore", "pipe", "inherit">;
  readonly #lines: AsyncIterator<string>;

  private constructor(mountPoint: string, process: Bun.Subprocess<"ignore", "pipe", "inherit">) {
    this.#mountPoint = mountPoint;
    this.path = join(mountPoint, "image");
    this.#process = process;
    this.#lines = linesOf(process.stdout);
  }

  /**
   * Serves a file.
   * @param program What {@link compileStore} made.
   * @param folder An own, existing folder.
   * @param latencyMs How long the fetch of a block takes.
   * @param log File that gets a line "offset bytes" for each read.
   * @throws {Error} When it cannot be mounted: that needs root and FUSE.
   */
  static async start(
    program: string,
    file: string,
    folder: string,
    latencyMs: number,
    log?: string,
  ): Promise<BlockStore> {
    const mountPoint = join(folder, "store");
    mkdirSync(mountPoint, { recursive: true });
    const latencyUs = String(Math.round(latencyMs * 1000));
    const words = [program, file, mountPoint, latencyUs, String(BLOCK_BYTES)];
    if (log !== undefined) words.push(log);
    const process = Bun.spawn(words, { stdin: "ignore", stdout: "pipe", stderr: "inherit" });
    const store = new BlockStore(mountPoint, process);
    if ((await store.#line()) !== "ready") throw new Error(`failed to serve ${file} by FUSE`);
    return store;
  }

  /** Makes every block cold, and the counts zero. A cache of its bytes elsewhere stays. */
  async makeCold(): Promise<void> {
    this.#process.kill("SIGHUP");
    // A signal that found nothing to do is reported in order, so the first one has been obeyed.
    await this.counts();
  }

  /** Returns what was served. */
  async counts(): Promise<StoreCounts> {
    this.#process.kill("SIGUSR1");
    const [requests = 0, bytes = 0, blocks = 0] = (await this.#line()).split(" ").map(Number);
    return { requests, bytes, blocks };
  }

  /** Sets how far the kernel reads ahead in the served file, in KiB. */
  setReadAhead(kib: number): void {
    const device = statSync(this.#mountPoint).dev;
    // An anonymous device is 0:MINOR; the minor number's upper bits lie above the major's.
    const minor = (device & 0xff) | ((device >>> 12) & ~0xff);
    writeFileSync(`/sys/class/bdi/0:${minor}/read_ahead_kb`, String(kib));
  }

  /** Unmounts the file, which ends the store. */
  async stop(): Promise<void> {
    await run(["umount", this.#mountPoint]);
    await this.#process.exited;
  }

  async #line(): Promise<string> {
    const { value, done } = await this.#lines.next();
    return done === true ? "" : value;
  }
}

/**
 * Compiles the store into a folder and returns the program's path.
 * @throws {Error} When there is no C compiler, with its words.
 */
export async function compileStore(folder: string): Promise<string> {
  const program = join(folder, "cold-start-store");
  await run(["cc", "-O2", "-o", program, join(import.meta.dir, "cold-start-store.c")]);
  return program;
}

/** Why block stores cannot be run here, or `undefined` when they can. */
export function storeObstacle(): string | undefined {
  if (process.getuid?.() !== 0) return "it needs root, to mount file systems";
  if (Bun.which("cc") === null) return "it needs a C compiler (cc)";
  const fileSystems = readFileSync("/proc/filesystems", "utf8");
  if (!/\tfuse$/m.test(fileSystems)) return "it needs a kernel with FUSE";
  return undefined;
}

/**
 * Runs a command to its end and returns its standard output.
 * @throws {Error} When it fails, with its standard error.
 */
export async function run(words: string[]): Promise<string> {
  const child = Bun.spawn(words, { stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const { output, errors, status } = await outcomeOf(child);
  if (status !== 0) throw new Error(`failed to run ${words.join(" ")}: ${errors.trim()}`);
  return output;
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string, void> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of stream) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
}
