/**
 * Processes that outlive their event.
 *
 * @module
 */

import { describe, expect, test } from "bun:test";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { EnvironmentUnderTest } from "../testing/environment-under-test.ts";
import { expectOutcome } from "../testing/expectations.ts";
import { SHELLS } from "../testing/shells.ts";

const files = { "function.sh": { from: "outlive-the-event.sh" } };

describe.each(SHELLS.map(({ name }) => name))("%s", (shell) => {
  test.concurrent(
    "a background process delays no response, adds to no response, and lives on",
    async () => {
      await using environment = await EnvironmentUnderTest.start({ shell, files });
      const { api, bootstrap, taskRoot } = environment;
      // The response is there although the background process waits for the file "go".
      expect((await api.invoke({ body: "leave" })).latin1).toBe("left");
      expect((await api.invoke({ body: "innocent" })).latin1).toBe("innocent");
      writeFileSync(join(taskRoot, "go"), "");
      while (!existsSync(join(taskRoot, "done"))) {
        expect((await api.invoke({ body: "innocent" })).latin1).toBe("innocent");
        await Bun.sleep(5);
      }
      expect((await api.invoke({ body: "innocent" })).latin1).toBe("innocent");
      await Promise.all([bootstrap.logged("late output"), bootstrap.logged("late words")]);
    },
  );

  test.concurrent("late lines are not in the error of a later event", async () => {
    await using environment = await EnvironmentUnderTest.start({ shell, files });
    const { api, taskRoot } = environment;
    await api.invoke({ body: "leave" });
    writeFileSync(join(taskRoot, "go"), "");
    while (!existsSync(join(taskRoot, "done"))) await Bun.sleep(5);
    const failing = api.enqueue({ body: "fail" });
    await failing.posted;
    expectOutcome(failing, {
      error: { errorType: "OwnError", errorMessage: "of this event" },
    });
  });

  test.concurrent("twenty background processes at once delay no response", async () => {
    await using environment = await EnvironmentUnderTest.start({ shell, files });
    const { api, taskRoot } = environment;
    for (let event = 0; event < 20; event += 1) {
      expect((await api.invoke({ body: "leave" })).latin1).toBe("left");
    }
    writeFileSync(join(taskRoot, "go"), "");
    while (!existsSync(join(taskRoot, "done"))) await Bun.sleep(5);
    expect((await api.invoke({ body: "innocent" })).latin1).toBe("innocent");
  });

  test.concurrent.each([
    ["by a subshell", "printf late"],
    ["by a program", "sh -c 'printf late'"],
    ["by a process without a parent", "(sh -c 'sleep 0.01; printf late' &)"],
    ["in pieces", 'for piece in l a t e; do printf "$piece"; done'],
    ["more than a pipe holds", "head -c 100000 /dev/zero | tr '\\0' x; printf late"],
  ])("its place tells what was written late %s, not the time of reading", async (_, write) => {
    // The runtime is stopped until the shell has said the status, which it does before the next fork, and the
    // background process has written.
    const text = `handler() {
      [ "$1" = stop ] || { printf '%s' "$1"; return; }
      children=/proc/$$/task/$$/children
      read -r before <$children
      printf own
      (
        while read -r now <$children; [ -z "$now" ] || [ "$now" = "$before" ]; do sleep 0.01; done
        ( ${write} ) &
        sleep 0.02
        kill -CONT "$PPID"
      ) &
      kill -STOP "$PPID"
    }`;
    await using environment = await EnvironmentUnderTest.start({
      shell,
      files: { "function.sh": text },
    });
    const { api, bootstrap } = environment;
    for (let event = 0; event < 20; event += 1) {
      expect((await api.invoke({ body: "stop" })).latin1).toBe("own");
      expect((await api.invoke({ body: "next" })).latin1).toBe("next");
    }
    await bootstrap.logged("late");
  });

  test.concurrent("an event whose status another program has read is an error", async () => {
    const text = `handler() {
      [ "$1" = steal ] || { printf '%s' "$1"; return; }
      cat </proc/self/fd/1 >stolen &
      (
        while ! grep -q ended stolen; do sleep 0.01; done
        kill -CONT "$PPID"
      ) 2>/dev/null &
      kill -STOP "$PPID"
    }`;
    await using environment = await EnvironmentUnderTest.start({
      shell,
      files: { "function.sh": text },
    });
    const { api } = environment;
    const error = (await api.invoke({ body: "steal" })).json();
    expect(error).toMatchObject({
      errorType: "Function.ExitError",
      errorMessage: expect.stringContaining("has read its exit status, too"),
    });
    for (const body of ["one", "two"]) expect((await api.invoke({ body })).latin1).toBe(body);
  });
});

test("with 64 descriptors, background processes that hold standard output leave room for events", async () => {
  await using environment = await EnvironmentUnderTest.start({
    files: { "function.sh": "handler() { sleep 60 & printf '%s' \"$1\"; }" },
    wrapper: ["prlimit", "--nofile=64:64"],
  });
  const { api, bootstrap } = environment;
  for (let event = 0; event < 100; event += 1) {
    expect((await api.invoke({ body: `${event}` })).latin1).toBe(`${event}`);
  }
  expect(bootstrap.stderr).toBe("");
});
