/**
 * Whatever signals the runtime was started to ignore or to block, it and its handlers see none of that.
 *
 * @module
 */

import { describe, expect, test } from "bun:test";

import { EnvironmentUnderTest } from "../testing/environment-under-test.ts";
import { expectOutcome } from "../testing/expectations.ts";
import { marked } from "../testing/process-facts.ts";
import { SHELLS } from "../testing/shells.ts";

const INHERITED: readonly (readonly [string, readonly string[]])[] = [
  ["SIGCHLD ignored", ["--ignore-signal=CHLD"]],
  ["SIGCHLD blocked", ["--block-signal=CHLD"]],
  ["SIGTERM ignored", ["--ignore-signal=TERM"]],
  ["SIGTERM blocked", ["--block-signal=TERM"]],
  ["SIGPIPE ignored", ["--ignore-signal=PIPE"]],
  ["all signals ignored and blocked", ["--ignore-signal", "--block-signal"]],
];

const files = {
  "function.sh": `handler() {
    case $1 in
      fail) return 3 ;;
      kill) sh -c 'kill -9 $PPID'; sleep 60 ;;
      shell) kill -9 $$; sleep 60 ;;
      pipe) yes | head -n 1; sh -c 'sed -n "s/^Sig\\(Blk\\|Ign\\):.//p" /proc/self/status' ;;
      busy) echo started >&2; sleep 60 ;;
      *) printf '%s' "$1" ;;
    esac
  }`,
};

describe.each(INHERITED)("%s", (_, options) => {
  const wrapper = ["/usr/bin/env", ...options];

  test.concurrent.each(SHELLS.map(({ name }) => name))(
    "every event gets its response from %s",
    async (shell) => {
      await using environment = await EnvironmentUnderTest.start({ shell, files, wrapper });
      const { api } = environment;
      for (const body of ["a", "fail", "b", "kill", "c", "shell", "d", "shell", "e", "pipe"]) {
        const invocation = api.enqueue({ body });
        const post = await invocation.posted;
        if (body.length === 1) expectOutcome(invocation, { echo: true });
        else if (body === "fail")
          expectOutcome(invocation, { error: { errorType: "Function.ExitError" } });
        else if (body === "pipe") expect(post.latin1).toMatch(/^y\n(0{16}\n){2}$/);
        else expectOutcome(invocation, { error: { errorType: "Function.KilledBySignal" } });
      }
    },
  );

  test.concurrent.each(["1", "3"])("SIGTERM ends %s loops and their handlers", async (count) => {
    await using environment = await EnvironmentUnderTest.start({
      files,
      wrapper,
      env: { AWS_LAMBDA_MAX_CONCURRENCY: count },
    });
    const { api, bootstrap, exited, taskRoot } = environment;
    await api.idle(Number(count));
    api.enqueue({ body: "busy" });
    await bootstrap.logged("started");
    bootstrap.signal("SIGTERM");
    expect(await exited).toEqual({ status: 0, signal: null });
    expect(await marked(taskRoot)).toEqual([]);
  });

  test.concurrent("a loop that is killed is started again", async () => {
    await using environment = await EnvironmentUnderTest.start({
      files: {
        "function.sh": `handler() {
          [ "$1" = kill ] && kill -9 "$(sed -n 's/^PPid:[^0-9]*//p' "/proc/$$/status")"
          printf '%s' "$1"
        }`,
      },
      wrapper,
      env: { AWS_LAMBDA_MAX_CONCURRENCY: "2" },
    });
    const { api } = environment;
    const lost = api.enqueue({ body: "kill" });
    await lost.posted;
    expectOutcome(lost, { error: { errorType: "Runtime.ExitError" } });
    await api.idle(2);
  });
});
