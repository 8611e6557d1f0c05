/**
 * The arm64 executable in an emulator: every conformance case under one shell, some under all.
 *
 * The emulated bootstrap starts the machine's own shells, since the emulator passes `execve` on:
 * what is tested is all of the runtime, with its system calls and foreign functions on arm64.
 *
 * @module
 */

import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";

import { PATH } from "../runtime-api/contract.ts";
import { conformanceCases } from "../testing/conformance-case.ts";
import { EnvironmentUnderTest } from "../testing/environment-under-test.ts";
import { runCase } from "../testing/run-case.ts";
import { SHELLS } from "../testing/shells.ts";

/** Where Debian's libc6-arm64-cross puts the C library that Bun's executables need. */
const SYSTEM_ROOT = "/usr/aarch64-linux-gnu";
const EMULATOR = Bun.which("qemu-aarch64-static");

/** The emulator's command; nothing at all on a machine of that architecture. */
function emulator(): string[] {
  if (process.arch === "arm64") return [];
  if (EMULATOR === null || !existsSync(`${SYSTEM_ROOT}/lib/ld-linux-aarch64.so.1`)) {
    throw new Error(
      'failed to find the emulator: "apt-get install qemu-user-static libc6-arm64-cross"',
    );
  }
  return [EMULATOR, "-L", SYSTEM_ROOT];
}

const setting = { wrapper: emulator(), architecture: "arm64" } as const;

describe("dash", () => {
  const cases = conformanceCases()
    .filter(({ shells }) => shells?.includes("dash") ?? true)
    .filter(({ native }) => native !== true || setting.wrapper.length === 0)
    .map((given) => [given.name, given] as const);
  test.concurrent.each(cases)("%s", (_name, given) =>
    runCase(given, { ...setting, shell: "dash" }),
  );
});

describe.each(SHELLS.map(({ name }) => name))("%s", (shell) => {
  test("events, errors, a killed shell and SIGTERM end as on amd64", async () => {
    await using environment = await EnvironmentUnderTest.start({
      ...setting,
      shell,
      files: { "function.sh": { from: "hostile/processes.sh" } },
    });
    const { api, bootstrap, exited } = environment;
    for (const event of ["exits_seven", "kills_the_loaded_shell", "leaves_a_writer"]) {
      await api.invoke({ body: event });
      expect((await api.invoke({ body: "innocent" })).latin1).toBe("response to innocent");
    }
    await api.idle();
    bootstrap.signal("SIGTERM");
    expect(await exited).toEqual({ status: 0, signal: null });
    const posts = api.requests.filter(({ path }) => path !== PATH.next);
    expect(posts.length).toBe(api.invocations.length);
  });
});
