/**
 * Ten thousand events leave no descriptor, process, file or memory behind.
 *
 * @module
 */

import { describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";

import { EnvironmentUnderTest } from "../testing/environment-under-test.ts";
import { anonymousBytes, descendants, descriptors, stateOf } from "../testing/process-facts.ts";
import { sandbox } from "../testing/sandbox.ts";
import type { TaskFile } from "../testing/task-root.ts";

const EVENTS = 10_000;
const WARM_UP_EVENTS = 100;
/** How much the runtime's anonymous memory may grow after the first hundred events, in bytes. */
const GROWTH_BYTES_MAX = 8 * 1024 * 1024;
/** Time for background processes of the last events to end, and how often that may pass on a busy machine. */
const SETTLE_MS = 300;
const SETTLE_TIMES = 20;
/** Ten times as long as it takes on a quiet machine. */
const TIME_LIMIT_MS = 600_000;

/**
 * The facts as soon as they are those expected, or the same twice: the fork for the next event may just be
 * made. What has leaked does not go away.
 */
async function settledFacts(environment: EnvironmentUnderTest, expected?: object) {
  let found = await facts(environment);
  for (let time = 1; time < SETTLE_TIMES; time += 1) {
    const last = found;
    found = await facts(environment);
    if (Bun.deepEquals(found, expected ?? last)) break;
  }
  return found;
}

/** What one event may not change. */
async function facts({ api, bootstrap }: EnvironmentUnderTest) {
  // What ended in the background is collected when the runtime wakes up.
  await Bun.sleep(SETTLE_MS);
  await api.invoke({ body: "plain" });
  await api.idle();
  api.forget();
  const below = descendants(bootstrap.pid);
  return {
    // What is behind them: their numbers depend on which of two pipes was closed first.
    runtimeDescriptors: descriptors(bootstrap.pid)
      .map((descriptor) => descriptor.slice(descriptor.indexOf(" ")))
      .sort(),
    // The loaded shell; its waiting fork may be opening its own at this moment.
    shellDescriptors: below.slice(0, 1).map(descriptors),
    processes: below.length,
    zombies: below.filter((pid) => stateOf(pid) === "Z").length,
    // The sandbox's own /tmp: nobody else writes there.
    files: readdirSync(`/proc/${bootstrap.pid}/root/tmp`),
  };
}

/** Without a shebang it is the sandbox's /bin/sh: bash in POSIX mode. */
const SCRIPTS: readonly (readonly [string, TaskFile])[] = [
  ["dash", { from: "all-kinds-of-events.sh" }],
  ["bash as sh", { from: "all-kinds-of-events.sh", shebang: false }],
];

describe.each(SCRIPTS)("%s", (_shell, script) => {
  test(
    `${EVENTS} events leave nothing behind`,
    async () => {
      await using environment = await EnvironmentUnderTest.start({
        files: { "function.sh": script },
        wrapper: sandbox("empty"),
      });
      const { api, bootstrap } = environment;
      const kinds = ["plain", "plain", "plain", "fail", "program", "background", "large", "stream"];
      let handled = 0;
      const run = async (count: number) => {
        for (const end = handled + count; handled < end; handled += 1) {
          const body = kinds[handled % kinds.length] ?? "";
          const post = await api.invoke({ body });
          if (post.responseStatus !== 202) throw new Error(`event ${handled} (${body}) failed`);
          // The server under test is this process: do not let its own record grow.
          api.forget();
        }
      };
      await run(WARM_UP_EVENTS);
      const before = await settledFacts(environment);
      const memoryBefore = anonymousBytes(bootstrap.pid);
      await run(EVENTS - WARM_UP_EVENTS);
      const after = await settledFacts(environment, before);
      expect(after).toEqual(before);
      expect(anonymousBytes(bootstrap.pid) - memoryBefore).toBeLessThan(GROWTH_BYTES_MAX);
      expect(before.zombies).toBe(0);
    },
    TIME_LIMIT_MS,
  );
});
