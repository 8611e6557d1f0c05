/**
 * Strikes a runtime's processes at random moments while it handles events.
 *
 * @module
 */

import { expect } from "bun:test";

import { PATH } from "../runtime-api/contract.ts";
import { EnvironmentUnderTest } from "./environment-under-test.ts";
import { expectOutcome } from "./expectations.ts";
import { expectTyped } from "./hostile-table.ts";
import { childrenOf, signal } from "./process-facts.ts";
import type { Random } from "./random.ts";
import type { ShellName } from "./shells.ts";

/** Longest time between two strikes, in ms; most are shorter. */
const PAUSE_MS = 6;
/** Longest time that the runtime is stopped, in ms. */
const STOP_MS = 100;

const files = {
  "function.sh": `handler() {
  case $1 in *slow) sleep 0.003 ;; esac
  printf 'response to %s' "$1"
}`,
};

/** How often something was struck. */
export interface Strikes {
  forks: number;
  shells: number;
  stops: number;
}

/**
 * Fails unless each of many events gets exactly one response, its own or an error with a type.
 * @returns How many got a response.
 */
export async function expectOwnResponses(
  shell: ShellName,
  events: number,
  random: Random,
): Promise<{ readonly responses: number; readonly strikes: Strikes }> {
  await using environment = await EnvironmentUnderTest.start({ shell, files });
  const { api, bootstrap, exited } = environment;
  await api.idle();
  const strikes = { forks: 0, shells: 0, stops: 0 };
  let isOver = false;
  const striking = (async () => {
    while (!isOver) {
      await Bun.sleep(random.below(PAUSE_MS * 10) / 10);
      await strike(bootstrap.pid, random, strikes);
    }
  })();
  let responses = 0;
  try {
    for (let event = 0; event < events; event += 1) {
      const body = `event ${event}${random.below(3) === 0 ? " slow" : ""}`;
      const invocation = api.enqueue({ body });
      const end = await Promise.race([invocation.posted, exited]);
      if ("signal" in end) throw new Error(`the runtime ended at ${body}: ${bootstrap.stderr}`);
      expectTyped(invocation);
      if (invocation.posts[0]?.path === PATH.response(invocation.requestId)) {
        responses += 1;
        expectOutcome(invocation, { response: `response to ${body}` });
      }
    }
  } finally {
    isOver = true;
    await striking;
  }
  // The last strike may still meet the next event; then nothing of all that is left.
  await api.invoke({ body: "first after" });
  for (const body of ["second after", "third after"]) {
    const invocation = api.enqueue({ body });
    await invocation.posted;
    expectOutcome(invocation, { response: `response to ${body}` });
  }
  await api.idle();
  expect(api.invocations.filter(({ posts }) => posts.length !== 1)).toEqual([]);
  expect(bootstrap.stderr.split("\n").filter((line) => line.includes("/fd/"))).toEqual([]);
  return { responses, strikes };
}

async function strike(runtime: number, random: Random, strikes: Strikes): Promise<void> {
  // The fork that waits, or has the event, is the shell's last child.
  const loadedShell = childrenOf(runtime).at(0);
  const killFork = () => signal(childrenOf(loadedShell ?? 0).at(-1), "SIGKILL");
  switch (random.below(20)) {
    case 0:
      signal(loadedShell, "SIGKILL");
      strikes.shells += 1;
      break;
    case 1:
    case 2:
    case 3:
      signal(runtime, "SIGSTOP");
      strikes.stops += 1;
      // Others are struck meanwhile, too.
      for (let index = random.below(4); index > 0; index -= 1) killFork();
      await Bun.sleep(random.below(STOP_MS));
      signal(runtime, "SIGCONT");
      break;
    default:
      killFork();
      strikes.forks += 1;
  }
}
