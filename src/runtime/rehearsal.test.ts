import { describe, expect, test } from "bun:test";

import { parseLoadReport } from "./load-report.ts";
import type { RunnableHandler } from "./loaded-shell.ts";
import { CONTROL, ENDED, exampleReport, rehearse } from "./rehearsal.ts";

const NAMES = ["handler", "a-b", "été", "it's"];

describe("the rehearsal", () => {
  test.each(NAMES)("has a complete report of a bash that has %s", (name) => {
    const report = parseLoadReport(exampleReport(name), CONTROL, ENDED);
    expect(report).toMatchObject({ status: 0, hindrance: undefined, rest: "" });
    expect(report?.state).toMatchObject({ isBash: true, isPosix: true, readonlyNames: [] });
    expect(report?.state.functionNames).toContain(name);
  });

  test.each(NAMES)("goes through with %s, and asks no shell", (functionName) => {
    const shell = { path: "/bin/bash", options: [] };
    const handler: RunnableHandler = { kind: "function", script: "/f.sh", functionName, shell };
    expect(() => rehearse(handler)).not.toThrow();
  });
});
