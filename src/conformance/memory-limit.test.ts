/**
 * Handlers that use up the memory that Lambda gives them: each event gets a response, and the runtime
 * goes on.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
 * @module
 */

import { describe, expect, test } from "bun:test";

import { PATH } from "../runtime-api/contract.ts";
import { difference } from "../testing/bytes.ts";
import { EnvironmentUnderTest } from "../testing/environment-under-test.ts";
import { memoryLimit } from "../testing/memory-limit.ts";
import { anonymousBytes } from "../testing/process-facts.ts";
import { type ShellName, SHELLS } from "../testing/shells.ts";

const MEBIBYTE = 1024 * 1024;
/** The smallest function has so much memory, in bytes. */
const MEMORY_BYTES = 128 * MEBIBYTE;
const LARGE_EVENT = Buffer.from(`{"text":"${"x".repeat(6_000_000 - 11)}"}`);
const LARGE_EVENTS = 20;
/** More than the runtime has when it is idle, far less than one large event, in bytes. */
const IDLE_BYTES_MAX = 8 * MEBIBYTE;
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
  test.each([
    ["echoes", `printf '%s' "$1"`, LARGE_EVENT],
    ["counts", "wc -c | tr -dc 0-9", Buffer.from("6000000")],
    ["responds as much to", "head -c 5000000 /dev/zero", Buffer.alloc(5_000_000)],
    [
      "streams as much for",
      `printf '{}\\0\\0\\0\\0\\0\\0\\0\\0'; head -c 5000000 /dev/zero`,
      Buffer.concat([Buffer.from("{}"), Buffer.alloc(8 + 5_000_000)]),
    ],
  ])(`%s ${LARGE_EVENTS} events of 6 MB in a row`, async (_, body, response) => {
    using limit = memoryLimit(MEMORY_BYTES);
    {
      await using environment = await EnvironmentUnderTest.start({
        shell,
        files: { "function.sh": `handler() { ${body}; }` },
        wrapper: limit.wrapper,
      });
      const { api, bootstrap } = environment;
      for (let at = 0; at < LARGE_EVENTS; at += 1) {
        const invocation = api.enqueue({ body: LARGE_EVENT });
        await Promise.race([invocation.posted, bootstrap.exited]);
        expect(invocation.posts.map(({ path }) => path)).toEqual([
          PATH.response(invocation.requestId),
        ]);
        const { body: posted } = await invocation.posted;
        expect(difference(posted, response)).toBeUndefined();
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
