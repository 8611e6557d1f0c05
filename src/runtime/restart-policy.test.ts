import { describe, expect, test } from "bun:test";

import { RestartDelay, RestartFailures } from "./restart-policy.ts";

describe("the delay before a loop is started again", () => {
  test("doubles from 100 ms to 10 s", () => {
    const delay = new RestartDelay();
    const delays = Array.from({ length: 10 }, () => delay.after(5));
    expect(delays).toEqual([100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000, 10_000]);
  });

  test.each([
    [59_999, 400],
    [60_000, 100],
    [3_600_000, 100],
  ])("after a life of %d ms it is %d ms", (lifeMs, expected) => {
    const delay = new RestartDelay();
    delay.after(5);
    delay.after(5);
    expect(delay.after(lifeMs)).toBe(expected);
  });

  test("begins again with 100 ms after a long life", () => {
    const delay = new RestartDelay();
    for (let end = 0; end < 20; end += 1) delay.after(5);
    expect([delay.after(60_000), delay.after(5), delay.after(5)]).toEqual([100, 200, 400]);
  });
});

describe("restarts in a row that came to nothing", () => {
  const failed = { lifeMs: 5, isRestart: true, hadEvent: false };
  const after = (...lives: readonly (typeof failed)[]) => {
    const failures = new RestartFailures();
    for (const life of lives) failures.note(life);
    return failures.areTooMany;
  };

  test("are too many when there are five", () => {
    expect(after(failed, failed, failed, failed)).toBe(false);
    expect(after(failed, failed, failed, failed, failed)).toBe(true);
  });

  test("do not include first starts", () => {
    const first = { ...failed, isRestart: false };
    expect(after(first, first, first, first, first, first)).toBe(false);
    expect(after(first, failed, failed, first, failed, failed, failed)).toBe(true);
  });

  test.each([
    ["was given an event", { ...failed, hadEvent: true }],
    ["has lived for a minute", { ...failed, lifeMs: 60_000 }],
    ["was given an event in its first life", { ...failed, isRestart: false, hadEvent: true }],
  ])("begin again with a loop that %s", (_, life) => {
    expect(after(failed, failed, failed, failed, life, failed)).toBe(false);
  });
});
