/**
 * Handlers that start as many processes as Lambda allows, event after event: each event gets a response, and
 * the runtime goes on.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
 * @module
 */

import { describe, expect, test } from "bun:test";

import { EnvironmentUnderTest } from "../testing/environment-under-test.ts";
import { expectOutcome } from "../testing/expectations.ts";
import { expectTyped } from "../testing/hostile-table.ts";
import { processLimit } from "../testing/process-limit.ts";
import type { ShellName } from "../testing/shells.ts";

/** Lambda's limit. */
const PROCESSES = 1024;
const TIME_LIMIT_MS = 300_000;
/** Bash tries again for 15 seconds where it cannot fork: its events are ended before that, in ms. */
const DEADLINE_MS = 2000;
/** Bash forks alike in both of its modes: the one in which more failures end a shell stands for both. */
const EVENTS: readonly (readonly [ShellName, number])[] = [
  ["dash", 50],
  ["busybox ash", 50],
  ["bash as sh", 10],
];

/** Ways to reach the limit; what is started lives into the events that follow. */
const SCRIPT = `many() { n=1100; while [ "$n" -gt 0 ]; do "$@"; n=$((n - 1)); done; }
job() { sleep 2 & }
orphan() { (sleep 2 &); }
session() { setsid sleep 2 & }
handler() {
  case $1 in
    jobs) many job ;;
    orphans) many orphan ;;
    sessions) many session ;;
    program) awk 'BEGIN { for (n = 0; n < 1100; n++) system("sleep 2 &") }' ;;
    nothing) ;;
  esac
  printf '%s' "$1"
}`;
const KINDS = ["jobs", "orphans", "sessions", "program", "nothing"];

describe.each(EVENTS)("with %s", (shell, events) => {
  test(
    `${events} of ${events} events get a response at the limit of processes`,
    async () => {
      await using environment = await EnvironmentUnderTest.start({
        shell,
        files: { "function.sh": SCRIPT },
        wrapper: processLimit(PROCESSES),
      });
      const { api, bootstrap, exited } = environment;
      let failures = 0;
      for (let at = 0; at < events; at += 1) {
        const invocation = api.enqueue({
          body: KINDS[at % KINDS.length] ?? "",
          timeoutMs: DEADLINE_MS,
        });
        await Promise.race([invocation.posted, exited]);
        if (bootstrap.ended) throw new Error(`the runtime ended: ${bootstrap.stderr.slice(-1000)}`);
        expectTyped(invocation);
        if (invocation.posts[0]?.path.endsWith("/error") === true) failures += 1;
      }
      // Else it was not reached.
      expect(failures).toBeGreaterThan(0);
      // Until it is not reached any more.
      await Bun.sleep(3000);
      expect((await api.invoke({ body: "last" })).latin1).toBe("last");
      expect(bootstrap.ended).toBe(false);
    },
    TIME_LIMIT_MS,
  );
});

/** Starts orphans one after the other, each of which ends at once, and says how many could not be started. */
const ORPHANS = `many() {
  n=1000
  trap 'echo "not started: $n" >&2' EXIT
  while [ "$n" -gt 0 ]; do (: &) || break; n=$((n - 1)); done
}`;
/** Fewer than that, though more than run at the same time. */
const FEW_PROCESSES = 300;

/** Longer than bash tries again. */
const LATE_MS = 30_000;

/** Where they are started. */
const PLACES: readonly (readonly [string, string])[] = [
  ["a file, while it is loaded,", "(many)\nhandler() { printf '%s' \"$1\"; }"],
  ["an event", "handler() { (many); printf '%s' \"$1\"; }"],
  [
    "what an event has left in the background",
    "handler() { (sleep 0.1; many) & printf '%s' \"$1\"; }",
  ],
];

describe.each(EVENTS.map(([shell]) => shell))("with %s", (shell) => {
  test.each(PLACES)(
    "%s may start more processes, one after the other, than there may be at once",
    async (_, script) => {
      await using environment = await EnvironmentUnderTest.start({
        shell,
        files: { "function.sh": `${ORPHANS}\n${script}` },
        wrapper: processLimit(FEW_PROCESSES),
      });
      const { api, bootstrap } = environment;
      const invocation = api.enqueue({ body: "event", timeoutMs: LATE_MS });
      await Promise.all([invocation.posted, bootstrap.logged("not started: ")]);
      expectOutcome(invocation, { response: "event" });
      expect(bootstrap.stderr).toBe("not started: 0\n");
    },
  );
});
