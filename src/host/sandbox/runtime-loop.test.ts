import { expect, test } from "bun:test";

import { nextState, refusalMessage, RUNTIME_EVENTS, RUNTIME_STATES } from "./runtime-loop.ts";

/** Everything that is allowed, written once more by hand; all else must be refused. */
const ALLOWED: Readonly<Record<string, string>> = {
  "Started next": "Ready",
  "Started initError": "InitError",
  "Started restoreNext": "RestoreReady",
  "RestoreReady restored": "Restoring",
  "RestoreReady disconnect": "Started",
  "Restoring next": "Ready",
  "Restoring restoreError": "RuntimeRestoreErrorState",
  "Ready deliver": "Running",
  "Ready disconnect": "RuntimeResponseSentState",
  "Running next": "Running",
  "Running disconnect": "Running",
  "Running response": "InvocationResponse",
  "Running error": "InvocationErrorResponse",
  "Running expire": "Expired",
  "Expired next": "Ready",
  "InvocationResponse sent": "RuntimeResponseSentState",
  "InvocationErrorResponse sent": "RuntimeResponseSentState",
  "RuntimeResponseSentState next": "Ready",
};

const PAIRS = RUNTIME_STATES.flatMap((state) =>
  RUNTIME_EVENTS.map((event) => [state, event] as const),
);

test.each(PAIRS)("nextState() of %s on %s is what the table of the test says", (state, event) => {
  expect(String(nextState(state, event))).toBe(ALLOWED[`${state} ${event}`] ?? "undefined");
});

test("refusalMessage() has Lambda's words", () => {
  expect(refusalMessage("InvocationResponse", "next")).toBe(
    "State transition from InvocationResponse to Ready failed for runtime. " +
      "Error: State transition is not allowed",
  );
});
