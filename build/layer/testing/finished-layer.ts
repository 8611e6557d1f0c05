/**
 * A finished layer, unzipped as Lambda does it, and commands that run in it as in Lambda.
 *
 * @module
 */

import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";

import { version } from "../../../package.json" with { type: "json" };
import { temporaryFolder } from "../../../src/testing/temporary-folder.ts";
import { type Architecture, HOST_ARCHITECTURE } from "../../architectures.ts";
import { outcomeOf, run } from "../command.ts";
import { DIST } from "../paths.ts";
import { lambdaRoot, type RootSuite } from "./lambda-root.ts";

/** How a sandboxed command ended. */
export interface SandboxResult {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** One finished layer. */
export class FinishedLayer {
  readonly target: Architecture;
  /** What Lambda mounts at /opt. */
  readonly opt: string;
  /** What Lambda mounts at /var/task; tests put their functions here. */
  readonly task: string;

  private constructor(target: Architecture, opt: string, task: string) {
    this.target = target;
    this.opt = opt;
    this.task = task;
  }

  /**
   * Unzips the layer of an architecture.
   * @throws {Error} When it has not been built: a test without it would prove nothing.
   */
  static async unzip(target: Architecture): Promise<FinishedLayer> {
    const folder = temporaryFolder(`layer-${target.name}`);
    const opt = join(folder, "opt");
    const task = join(folder, "task");
    mkdirSync(task);
    await run(["unzip", "-q", layerZip("lambda-shell-runtime", target), "-d", opt]);
    // Lambda's user is nobody's owner here: the folder above is private to the test.
    await run(["chmod", "755", folder, opt, task]);
    return new FinishedLayer(target, opt, task);
  }

  /** Returns the words in front of a command that runs it in the sandbox. */
  async sandbox(suite: RootSuite): Promise<string[]> {
    if (process.getuid?.() !== 0)
      throw new Error("failed to make a sandbox: run the tests as root");
    const root = await lambdaRoot(this.target, suite);
    return [
      ...["/bin/sh", join(import.meta.dir, "emulated.sh"), emulatorFor(this.target)],
      ...["/usr/bin/unshare", "--mount", "--propagation", "private"],
      ...["/bin/sh", join(import.meta.dir, "lambda-sandbox.sh"), root, this.opt, this.task],
    ];
  }

  /**
   * Runs a command in the sandbox, with these variables and no other.
   * @param options.around Words in front of the sandbox itself.
   */
  async run(
    command: readonly string[],
    options: {
      readonly env?: Readonly<Record<string, string>>;
      readonly suite?: RootSuite;
      readonly around?: readonly string[];
    } = {},
  ): Promise<SandboxResult> {
    const { env = {}, suite = "bullseye", around = [] } = options;
    const child = Bun.spawn([...around, ...(await this.sandbox(suite)), ...command], {
      env,
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    const { output, errors, status } = await outcomeOf(child);
    return { status, stdout: output, stderr: errors };
  }
}

/**
 * The path of a finished zip.
 * @throws {Error} When it has not been built.
 */
export function layerZip(kind: string, target: Architecture): string {
  const path = join(DIST, `${kind}-${target.name}-${version}.zip`);
  if (!existsSync(path)) throw new Error(`failed to find ${path}: run "make dist" first`);
  return path;
}

/** What starts programs of an architecture here; `none` where the machine does it itself. */
export function emulatorFor(target: Architecture): string {
  if (target.name === HOST_ARCHITECTURE?.name) return "none";
  const emulator = Bun.which(`qemu-${target.machine}-static`);
  if (emulator !== null) return emulator;
  throw new Error(`failed to find qemu-${target.machine}-static: install qemu-user-static`);
}
