/**
 * The runtime is one thread, whatever it does: where processes are limited (Lambda allows 1,024, threads
 * included) there is no later moment at which it could fail to make another.
 *
 * @module
 */

import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";

import { EnvironmentUnderTest } from "../testing/environment-under-test.ts";
import { processLimit } from "../testing/process-limit.ts";

/** The names of a process's threads. */
function threadsOf(pid: number): string[] {
  const tasks = readdirSync(`/proc/${pid}/task`);
  return tasks.map((task) => readFileSync(`/proc/${pid}/task/${task}/comm`, "utf8").trim());
}

const FUNCTION = `
handler() {
  case $1 in
    fail) echo 'what went wrong' >&2; return 3 ;;
    stream) printf '{"statusCode":200}\\0\\0\\0\\0\\0\\0\\0\\0body' ;;
    die) kill -9 $$ ;;
    log) seq 20000 >&2 ;;
    *) printf '%s' "$1" ;;
  esac
}
`;

describe.each(["text", "JSON"])("with logs as %s", (format) => {
  test("the runtime stays one thread through starts, errors, streams, logs and large events", async () => {
    await using environment = await EnvironmentUnderTest.start({
      files: { "function.sh": FUNCTION },
      env: { AWS_LAMBDA_LOG_FORMAT: format },
    });
    const { api, bootstrap } = environment;
    await api.invoke({ body: "first" });
    expect(threadsOf(bootstrap.pid)).toHaveLength(1);
    // Enough garbage for collections, and enough rounds for the compiler.
    for (let event = 0; event < 1500; event += 1) await api.invoke({ body: "again" });
    const large = `"${"it's ".repeat(1_000_000)}"`;
    for (const body of ["fail", "stream", "log", "die", large, large, large, "last"]) {
      await api.invoke({ body });
      await api.idle();
      expect(threadsOf(bootstrap.pid)).toHaveLength(1);
    }
    // Some threads are started by a timer.
    await Bun.sleep(1500);
    expect(threadsOf(bootstrap.pid)).toHaveLength(1);
  });
});

// The shell, the process that waits for the runtime's end, the waiting fork, and one more of the shell's.
const PROCESSES = 1 + 4;

test("the runtime runs where no process is allowed but its own and its handler's", async () => {
  await using environment = await EnvironmentUnderTest.start({
    files: { "function.sh": FUNCTION },
    wrapper: processLimit(PROCESSES),
  });
  const { api, bootstrap } = environment;
  const large = "it's ".repeat(1_000_000);
  for (let event = 0; event < 1000; event += 1) await api.invoke({ body: `${event}` });
  for (const body of [large, "fail", "stream", large]) await api.invoke({ body });
  expect((await api.invoke({ body: "last" })).latin1).toBe("last");
  expect(bootstrap.stderr).toBe("what went wrong\n");
});

test("a handler that starts processes up to the limit does not end the runtime", async () => {
  await using environment = await EnvironmentUnderTest.start({
    files: {
      "function.sh":
        'handler() { n=$1; while [ "$n" -gt 0 ]; do sleep 2 & n=$((n - 1)); done; echo "$1"; }',
    },
    wrapper: processLimit(40),
  });
  const { api, bootstrap } = environment;
  const ended = bootstrap.exited.then((exit) => {
    throw new Error(`the runtime ended: ${JSON.stringify(exit)}, ${bootstrap.stderr}`);
  });
  ended.catch(() => undefined);
  const first = await Promise.race([api.invoke({ body: "60" }), ended]);
  expect(first.latin1).toContain("annot fork");
  // Until the limit is not reached any more.
  await Bun.sleep(2500);
  const next = await Promise.race([api.invoke({ body: "0" }), ended]);
  expect(next.latin1).toBe("0\n");
  expect(threadsOf(bootstrap.pid)).toHaveLength(1);
});
