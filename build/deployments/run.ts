/**
 * Runs a program for a check and shows what it said when it fails.
 *
 * @module
 */

import { temporaryFolder } from "../../src/testing/temporary-folder.ts";
import { outcomeOf } from "../layer/command.ts";

/**
 * Before the command of a server: the kernel ends it with this process, whatever that has ended by.
 * `afterAll` is not called in a process that is killed, nor for what a failed `beforeAll` has started.
 */
export const UNTIL_THIS_PROCESS_ENDS = ["setpriv", "--pdeathsig", "KILL"] as const;

/** What a program is run with. */
export interface RunOptions {
  readonly cwd?: string;
  /** Added to this process's environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** The status that is expected; 0 unless said otherwise. */
  readonly status?: number;
}

/** What a program said. */
export interface RunResult {
  readonly stdout: string;
  readonly stderr: string;
}

/** What programs leave in TMPDIR, and CDK beside its cache in the home, is removed when the tests end. */
let left: string | undefined;

/**
 * Runs a program to its end.
 * @throws {Error} With all its output, when it ends with another status than the expected one.
 */
export async function run(
  command: readonly string[],
  options: RunOptions = {},
): Promise<RunResult> {
  left ??= temporaryFolder("left");
  const child = Bun.spawn([...command], {
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env: { ...process.env, TMPDIR: left, CDK_HOME: left, ...options.env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const { output: stdout, errors: stderr, status } = await outcomeOf(child);
  if (status !== (options.status ?? 0)) {
    throw new Error(`failed to run ${command.join(" ")}: status ${status}\n${stdout}${stderr}`);
  }
  return { stdout, stderr };
}
