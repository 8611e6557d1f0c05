/**
 * Whatever descriptors the runtime is started with, signals reach it: the pipes that take them need two
 * numbers, one of which any other descriptor may get first.
 *
 * @module
 */

import { describe, expect, test } from "bun:test";

import { EnvironmentUnderTest } from "../testing/environment-under-test.ts";
import { expectOutcome } from "../testing/expectations.ts";
import { marked } from "../testing/process-facts.ts";

/** Starts a program with descriptors 3 to the given one in use. */
function withDescriptorsTo(last: number): string[] {
  const script = 'for ((fd = 3; fd <= $0; fd++)); do eval "exec $fd</dev/null"; done; exec "$@"';
  return ["/bin/bash", "-c", script, `${last}`];
}

const files = {
  "function.sh": `handler() {
    case $1 in
      kill-loop) kill -9 "$(sed -n 's/^PPid:[^0-9]*//p' "/proc/$$/status")" ;;
      busy) echo started >&2; sleep 60 ;;
      *) printf '%s' "$1" ;;
    esac
  }`,
};

describe.each([5, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17, 20])("descriptors 3 to %d", (last) => {
  const wrapper = withDescriptorsTo(last);

  test.concurrent("one loop ends at SIGTERM, with its handler", async () => {
    await using environment = await EnvironmentUnderTest.start({ files, wrapper });
    const { api, bootstrap, exited, taskRoot } = environment;
    expectOutcome(await handled(environment, "one"), { echo: true });
    api.enqueue({ body: "busy" });
    await bootstrap.logged("started");
    bootstrap.signal("SIGTERM");
    expect(await exited).toEqual({ status: 0, signal: null });
    expect(await marked(taskRoot)).toEqual([]);
  });

  test.concurrent("of two loops one is started again; both end at SIGTERM", async () => {
    const env = { AWS_LAMBDA_MAX_CONCURRENCY: "2" };
    await using environment = await EnvironmentUnderTest.start({ files, wrapper, env });
    const { api, bootstrap, exited, taskRoot } = environment;
    await api.idle(2);
    const lost = await handled(environment, "kill-loop");
    expectOutcome(lost, { error: { errorType: "Runtime.ExitError" } });
    await api.idle(2);
    expectOutcome(await handled(environment, "two"), { echo: true });
    bootstrap.signal("SIGTERM");
    expect(await exited).toEqual({ status: 0, signal: null });
    expect(await marked(taskRoot)).toEqual([]);
  });
});

async function handled({ api }: EnvironmentUnderTest, body: string) {
  const invocation = api.enqueue({ body });
  await invocation.posted;
  return invocation;
}
