/**
 * Every exit status and the common signals, of functions and of files.
 *
 * @module
 */

import { describe, expect, test } from "bun:test";

import { PATH } from "../runtime-api/contract.ts";
import type { FunctionError } from "../runtime-api/function-error.ts";
import { EnvironmentUnderTest } from "../testing/environment-under-test.ts";
import { expectOutcome } from "../testing/expectations.ts";
import { FURTHER_SHELLS, SHELLS } from "../testing/shells.ts";
import type { TaskFile } from "../testing/task-root.ts";

const STATUSES = 256;
/** Statuses from here on are those of a process that a signal killed: 128 and its number. */
const SIGNAL_BASE = 128;
/** Signals that end a process by default; bash and ash ignore QUIT. */
const SIGNALS = [
  "HUP",
  "INT",
  "ILL",
  "TRAP",
  "BUS",
  "FPE",
  "KILL",
  "USR1",
  "SEGV",
  "USR2",
  "PIPE",
  "ALRM",
  "TERM",
  "XCPU",
];

const HANDLERS: Readonly<Record<string, { handler: string; file: Record<string, TaskFile> }>> = {
  function: { handler: "function.handler", file: { "function.sh": { from: "end-as-told.sh" } } },
  file: { handler: "respond", file: { respond: { from: "end-as-told", mode: "755" } } },
};

describe.each([...SHELLS, ...FURTHER_SHELLS].map(({ name }) => name))("%s", (shell) => {
  for (const [kind, { handler, file }] of Object.entries(HANDLERS)) {
    test.concurrent(`all ${STATUSES} exit statuses of a ${kind} are told apart`, async () => {
      await using environment = await EnvironmentUnderTest.start({ shell, handler, files: file });
      for (let status = 0; status < STATUSES; status += 1) {
        const invocation = environment.api.enqueue({ body: `exit ${status}` });
        await invocation.posted;
        if (status === 0) {
          expectOutcome(invocation, { response: "words" });
        } else if (status <= SIGNAL_BASE) {
          const errorMessage = { matches: `\\b${status}\\b.*last words` };
          expectOutcome(invocation, { error: { errorType: "Function.ExitError", errorMessage } });
        } else {
          expectExitOrSignal(invocation.posts[0]?.json() as FunctionError, status);
          expect(invocation.posts.map(({ path }) => path)).toEqual([
            PATH.error(invocation.requestId),
          ]);
        }
      }
    });

    test.concurrent(`a ${kind} that a signal kills is an error that names the signal`, async () => {
      await using environment = await EnvironmentUnderTest.start({ shell, handler, files: file });
      // mksh catches ALRM, for its TMOUT.
      for (const signal of SIGNALS.filter((name) => shell !== "mksh" || name !== "ALRM")) {
        const invocation = environment.api.enqueue({ body: `kill ${signal}` });
        await invocation.posted;
        const errorMessage = { contains: [`SIG${signal}`] };
        expectOutcome(invocation, {
          error: { errorType: "Function.KilledBySignal", errorMessage },
        });
      }
      const survivor = environment.api.enqueue({ body: "exit 0" });
      await survivor.posted;
      expectOutcome(survivor, { response: "words" });
    });
  }
});

/** A status above 128 cannot be told from a signal's: the error names either. */
function expectExitOrSignal(error: FunctionError, status: number): void {
  expect(["Function.ExitError", "Function.KilledBySignal"]).toContain(error.errorType);
  expect(error.errorMessage).toContain(String(status));
}
