/**
 * Hostile handlers: whatever they do, the events around them get their responses, and theirs just one.
 *
 * Nothing that a handler or its file does loses an event, alters another's
 * response, or leaves the loop dead.
 *
 * @module
 */

import { describe, expect, test } from "bun:test";

import { PATH } from "../runtime-api/contract.ts";
import { EnvironmentUnderTest } from "../testing/environment-under-test.ts";
import { expectError, expectOutcome } from "../testing/expectations.ts";
import {
  expectEnd,
  expectTyped,
  hostileEvents,
  type HostileFile,
  hostileFiles,
} from "../testing/hostile-table.ts";
import { type ShellName, SHELLS } from "../testing/shells.ts";

/** Posts for an event; resolves when the runtime has responded to it or has ended. */
async function invoke({ api, exited }: EnvironmentUnderTest, body: string) {
  const invocation = api.enqueue({ body });
  const exit = await Promise.race([invocation.posted, exited]);
  if ("signal" in exit) {
    throw new Error(
      `the runtime ended with ${JSON.stringify(exit)} and left ${body} without a response`,
    );
  }
  return invocation;
}

async function expectInnocent(environment: EnvironmentUnderTest, name: string): Promise<void> {
  const invocation = await invoke(environment, name);
  expectOutcome(invocation, { response: `response to ${name}` });
}

/** Fails unless each event has exactly one response, also after all late effects. */
function expectOneOutcomeEach({ api }: EnvironmentUnderTest): void {
  expect(api.invocations.filter(({ posts }) => posts.length !== 1)).toEqual([]);
  const posts = api.requests.filter(({ path }) => path !== PATH.next && path !== PATH.initError);
  expect(posts.length).toBe(api.invocations.length);
}

/** Adds the log to a failure. */
async function withLog(environment: EnvironmentUnderTest, run: () => Promise<void>) {
  try {
    await run();
  } catch (cause) {
    const log = environment.bootstrap.stderr.slice(-1_500);
    throw new Error(`${cause instanceof Error ? cause.message : cause}\nlog:\n${log}`, { cause });
  }
}

describe.each(SHELLS.map(({ name }) => name))("%s", (shell) => {
  const events = hostileEvents().map((row) => [`${row.file}: ${row.event}`, row] as const);
  test.concurrent.each(events)(
    "other events are not affected by %s",
    async (_name, { file, event, ends }) => {
      const files = { "function.sh": { from: `hostile/${file}` } };
      await using environment = await EnvironmentUnderTest.start({ shell, files });
      await withLog(environment, async () => {
        await expectInnocent(environment, "innocent 1");
        expectEnd(await invoke(environment, event), ends);
        await expectInnocent(environment, "innocent 2");
        await expectInnocent(environment, "innocent 3");
        expectOneOutcomeEach(environment);
      });
    },
  );

  const files = hostileFiles().map((row) => [row.file, row] as const);
  test.concurrent.each(files)(
    "events are handled, or an error is typed, with the file %s",
    (_name, row) => runHostileFile(shell, row),
  );

  test.concurrent.each([...new Set(hostileEvents().map(({ file }) => file))])(
    "each event gets one response with all events of %s in one environment",
    async (file) => {
      await using environment = await EnvironmentUnderTest.start({
        shell,
        files: { "function.sh": { from: `hostile/${file}` } },
      });
      await withLog(environment, async () => {
        for (const row of hostileEvents().filter((candidate) => candidate.file === file)) {
          expectTyped(await invoke(environment, row.event));
          await expectInnocent(environment, `innocent after ${row.event}`);
        }
        await environment.api.idle();
        expectOneOutcomeEach(environment);
      });
    },
  );
});

const FILE_EVENTS = 3;

async function runHostileFile(shell: ShellName, { file, ends }: HostileFile): Promise<void> {
  await using environment = await EnvironmentUnderTest.start({
    shell,
    files: { "function.sh": { from: `hostile-files/${file}` } },
  });
  const { api, exited } = environment;
  await withLog(environment, async () => {
    for (let event = 1; event <= FILE_EVENTS; event += 1) {
      const invocation = api.enqueue({ body: `innocent ${event}` });
      const end = await Promise.race([invocation.posted, exited]);
      if ("signal" in end) {
        expect([ends, end.status, api.initErrors.length]).toEqual(["typed", 1, 1]);
        const [post] = api.initErrors;
        if (post === undefined) return;
        const { errorType } = post.json() as { errorType: string };
        expectError(post, { errorType });
        return;
      }
      if (ends === "responds")
        expectOutcome(invocation, { response: `response to innocent ${event}` });
      else expectTyped(invocation);
      // Longer than TMOUT's second: a read that gives up must not end the loop.
      if (file === "limits-the-time-of-reads.sh") await Bun.sleep(1_300);
    }
    // The file may not load once more after the last event: the runtime ends then.
    await Promise.race([api.idle(), exited]);
    expect(api.initErrors.length).toBeLessThanOrEqual(ends === "typed" ? 1 : 0);
    expectOneOutcomeEach(environment);
  });
}
