import { describe, expect, test } from "bun:test";

import { type InheritedEnvironment, readEnvironment } from "./environment.ts";

function inherited(variables: Readonly<Record<string, string>>): InheritedEnvironment {
  const block = Object.entries(variables).map(([name, value]) => `${name}=${value}\0`);
  return { entries: block.map((entry) => Buffer.from(entry)), text: `\0${block.join("")}` };
}

describe("the number of loops", () => {
  test.each([
    ["", 1],
    ["0", 1],
    ["1", 1],
    ["-3", 1],
    ["many", 1],
    ["4.5", 1],
    ["4 ", 1],
    ["0x10", 1],
    ["1e3", 1],
    ["2", 2],
    ["08", 8],
    ["1600", 1600],
    ["1601", 1601],
    ["123456", 123_456],
  ])("for %p is %d", (text, expected) => {
    const environment = readEnvironment(inherited({ AWS_LAMBDA_MAX_CONCURRENCY: text }));
    expect(environment.concurrency).toBe(expected);
  });

  test("is one where it is not set", () => {
    expect(readEnvironment(inherited({ X_AWS_LAMBDA_MAX_CONCURRENCY: "4" })).concurrency).toBe(1);
  });
});

describe("the format of the log", () => {
  test.each([
    ["", "", false],
    ["", "1", false],
    ["", "2", true],
    ["Text", "2", false],
    ["text", "1600", false],
    ["JSON", "", true],
    ["json", "2", true],
    ["Json", "1", true],
  ])("that is given as %p, with %p loops: JSON is %p", (format, concurrency, expected) => {
    const environment = readEnvironment(
      inherited({ AWS_LAMBDA_LOG_FORMAT: format, AWS_LAMBDA_MAX_CONCURRENCY: concurrency }),
    );
    expect(environment.log.json).toBe(expected);
  });
});
