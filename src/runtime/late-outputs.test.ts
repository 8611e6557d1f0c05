import { describe, expect, test } from "bun:test";
import { join } from "node:path";

import { ENDED, type LateOutputsTrial } from "../testing/late-outputs-program.ts";

/** Pipes that are kept at most, where descriptors are not scarce. */
const KEPT_MAX = 64;

/** What the log gets, and the numbers of the pipes that are closed at the end. */
function run(trial: LateOutputsTrial): { readonly log: string; readonly closed: number[] } {
  const program = join(import.meta.dir, "../testing/late-outputs-program.ts");
  const { stdout, stderr, exitCode } = Bun.spawnSync([process.execPath, program], {
    stdin: Buffer.from(JSON.stringify(trial)),
  });
  expect(exitCode).toBe(0);
  return { log: stderr.toString(), closed: JSON.parse(stdout.toString()) as number[] };
}

describe("the pipes of former events", () => {
  test("lead to the log: what was read before, what comes later, and what comes last", () => {
    const { log, closed } = run({
      pipes: 2,
      writes: [
        [1, "b\n"],
        [0, "a\n"],
      ],
    });
    expect(log).toBe("kept 0\nkept 1\nb\na\nend\nend\n");
    expect(closed).toEqual([]);
  });

  test("lead no message of the shell to the log", () => {
    expect(run({ pipes: 1, writes: [[0, `late\n${ENDED}later\n`]] }).log).toBe(
      "kept 0\nlate\nlater\nend\n",
    );
  });

  test("are bounded: the oldest are closed first", () => {
    expect(run({ pipes: KEPT_MAX, writes: [] }).closed).toEqual([]);
    expect(run({ pipes: KEPT_MAX + 3, writes: [] }).closed).toEqual([0, 1, 2]);
  });
});
