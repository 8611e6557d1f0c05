import { describe, expect, test } from "bun:test";

import { deadlineOf, timeoutError } from "./deadline.ts";

const NOW = 1_795_000_000_000;
const DAY_MS = 86_400_000;

function invocationWith(deadline: string | undefined) {
  const headers = new Map(
    deadline === undefined ? [] : [["lambda-runtime-deadline-ms", deadline] as const],
  );
  return { requestId: "id", headers, event: new Uint8Array(0) };
}

describe("a deadline", () => {
  test.each([
    ["in three seconds", NOW + 3000],
    ["in fifteen minutes", NOW + 900_000],
    ["in ninety minutes", NOW + 5_400_000],
    ["in a day", NOW + DAY_MS],
    ["now", NOW],
    ["that is just over", NOW - 1],
    ["of yesterday", NOW - DAY_MS],
  ])("%s is taken", (_, atMs) => {
    expect(deadlineOf(invocationWith(String(atMs)), NOW)).toEqual({ deliveredAtMs: NOW, atMs });
  });

  test.each([
    ["is missing", undefined],
    ["is empty", ""],
    ["is 0", "0"],
    ["is a duration", "600000"],
    ["is in seconds", String(NOW / 1000)],
    ["is in microseconds", String(NOW * 1000)],
    ["is more than a day away", String(NOW + DAY_MS + 1)],
    ["is more than a day ago", String(NOW - DAY_MS - 1)],
    ["is text", "soon"],
    ["is a date", "2026-11-28T00:00:00Z"],
    ["has a fraction", `${NOW}.5`],
    ["has an exponent", "1.795e12"],
    ["is hexadecimal", `0x${NOW.toString(16)}`],
    ["has a sign", `+${NOW}`],
    ["is negative", `-${NOW}`],
    ["has a leading zero", `0${NOW}`],
    ["has a unit", `${NOW}ms`],
    ["is given twice", `${NOW}, ${NOW}`],
    ["is infinite", "Infinity"],
    ["is far too long", "9".repeat(400)],
  ])("that %s is none", (_, text) => {
    expect(deadlineOf(invocationWith(text), NOW)).toBeUndefined();
  });
});

test.each([
  [1000, "1.00"],
  [1234, "1.23"],
  [59, "0.06"],
  [900_000, "900.00"],
  [0, "0.00"],
  [-5000, "0.00"],
])("an event with %d ms has timed out after %s seconds", (ms, seconds) => {
  const deadline = { deliveredAtMs: NOW, atMs: NOW + ms };
  expect(timeoutError("some-id", deadline)).toEqual({
    errorType: "Sandbox.Timedout",
    errorMessage: `RequestId: some-id Error: Task timed out after ${seconds} seconds`,
    stackTrace: [],
  });
});
