/**
 * Handlers that use up the memory that Lambda gives them: each event gets a response, and the runtime
 * goes on.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
 * @module
 */

import { describe, expect, test } from "bun:test";

import { PATH } from "../runtime-api/contract.ts";
import { EnvironmentUnderTest } from "../testing/environment-under-test.ts";
import { expectOutcome } from "../testing/expectations.ts";
import { memoryLimit } from "../testing/memory-limit.ts";
import { anonymousBytes } from "../testing/process-facts.ts";
import { type ShellName, SHELLS } from "../testing/shells.ts";

const MEBIBYTE = 1024 * 1024;
/** The smallest function has so much memory, in bytes. */
const MEMORY_BYTES = 128 * MEBIBYTE;
const LARGE_EVENT = Buffer.from(`{"text":"${"x".repeat(6_000_000 - 11)}"}`);
const LARGE_EVENTS = 20;
/** More than the runtime has when it is idle, far less than one large event, in bytes. */
const IDLE_BYTES_MAX = 10 * MEBIBYTE;
/** Megabytes of memory, and how many events ask for more of them: killing takes a while. */
const GREEDY_EVENTS: Partial<Record<ShellName, readonly [number, number]>> = {
  dash: [128, 160],
  bash: [128, 160],
};
const TIME_LIMIT_MS = 300_000;

/** Ways to ask for memory without end. */
const GREEDY = `
  doubles) x=x; while :; do x=$x$x; done ;;
  program) tail /dev/zero ;;
  pipeline) printf response; cat /etc/passwd | awk '{ x = "x"; while (1) x = x x }' ;;
  background) awk 'BEGIN { x = "x"; while (1) x = x x }' & wait $! ;;`;
/** A shell that doubles a variable takes longest. */
const KINDS = ["doubles", "program", "pipeline", "background", "program", "pipeline", "background"];

describe.each(SHELLS.map(({ name }) => name))("with little memory, %s", (shell) => {
  test(`echoes ${LARGE_EVENTS} events of 6 MB in a row`, async () => {
    using limit = memoryLimit(MEMORY_BYTES);
    {
      await using environment = await EnvironmentUnderTest.start({
        shell,
        files: { "function.sh": "handler() { printf '%s' \"$1\"; }" },
        wrapper: limit.wrapper,
      });
      const { api, bootstrap } = environment;
      for (let at = 0; at < LARGE_EVENTS; at += 1) {
        const invocation = api.enqueue({ body: LARGE_EVENT });
        await Promise.race([invocation.posted, bootstrap.exited]);
        expectOutcome(invocation, { echo: true });
        await api.idle();
        expect(anonymousBytes(bootstrap.pid)).toBeLessThan(IDLE_BYTES_MAX);
        api.forget();
      }
      expect(limit.kills()).toBe(0);
    }
    await limit.emptied();
  });

  test(
    "responds to events whose handlers ask for memory without end",
    async () => {
      const [megabytes, count] = GREEDY_EVENTS[shell] ?? [64, 20];
      using limit = memoryLimit(megabytes * MEBIBYTE);
      {
        await using environment = await EnvironmentUnderTest.start({
          shell,
          files: {
            "function.sh": `printf x >>loads
              handler() { case $1 in ${GREEDY} *) printf '%s %s' "$1" "$(cat loads)" ;; esac; }`,
          },
          wrapper: limit.wrapper,
        });
        const { api, bootstrap } = environment;
        for (let at = 0; at < count; at += 1) {
          const greedy = api.enqueue({ body: KINDS[at % KINDS.length] ?? "" });
          await Promise.race([greedy.posted, bootstrap.exited]);
          expect(greedy.posts.map(({ path }) => path)).toEqual([PATH.error(greedy.requestId)]);
          if (at % KINDS.length > 0) continue;
          // The loaded shell, too, is never the one that the kernel takes.
          expect((await api.invoke({ body: `${at}` })).latin1).toBe(`${at} x`);
          api.forget();
        }
        expect(limit.kills()).toBeGreaterThanOrEqual(count);
      }
      await limit.emptied();
    },
    TIME_LIMIT_MS,
  );
});
