/**
 * The loaded shell, or its fork that waits for the next event, dies while it has nothing to do.
 *
 * @module
 */

import { describe, expect, test } from "bun:test";

import { EnvironmentUnderTest } from "../testing/environment-under-test.ts";
import { descendants, stateOf } from "../testing/process-facts.ts";
import { SHELLS } from "../testing/shells.ts";

const files = {
  "function.sh": 'printf x >>loads\nhandler() { printf \'%s %s\' "$1" "$(cat loads)"; }',
};

/** Time for the news of a death to reach the runtime, in ms. */
const SETTLE_MS = 100;

/** Whom to kill, of the processes below the runtime, parents first. */
const VICTIMS: readonly (readonly [string, (pids: number[]) => number[]])[] = [
  ["the loaded shell", (pids) => pids.slice(0, 1)],
  ["its waiting fork", (pids) => pids.slice(1)],
  ["both", (pids) => pids],
];

describe.each(SHELLS.map(({ name }) => name))("%s", (shell) => {
  test.concurrent.each(VICTIMS)("%s dies between two events", async (_, choose) => {
    await using environment = await EnvironmentUnderTest.start({ shell, files });
    const { api, bootstrap } = environment;
    expect((await api.invoke({ body: "first" })).latin1).toBe("first x");
    await api.idle();
    while (descendants(bootstrap.pid).length < 2) await Bun.sleep(1);
    const below = descendants(bootstrap.pid);
    const victims = choose(below);
    expect(victims.length).toBeGreaterThan(0);
    for (const pid of victims) process.kill(pid, "SIGKILL");
    while (victims.some((pid) => !["", "Z"].includes(stateOf(pid)))) await Bun.sleep(1);
    // A loaded shell that lives says what happened, and then makes another fork.
    while (!victims.includes(below[0] ?? 0) && !hasNew(descendants(bootstrap.pid), below)) {
      await Bun.sleep(1);
    }
    await Bun.sleep(SETTLE_MS);
    // None of them had begun with an event: none of their deaths is an event's fault.
    for (const body of ["second", "third"]) {
      const invocation = api.enqueue({ body });
      await invocation.posted;
      expect(invocation.posts.length).toBe(1);
      expect(invocation.posts[0]?.latin1).toStartWith(`${body} x`);
    }
  });
});

function hasNew(pids: readonly number[], known: readonly number[]): boolean {
  return pids.some((pid) => !known.includes(pid));
}
