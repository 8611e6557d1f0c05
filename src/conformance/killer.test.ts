/**
 * A killer strikes the waiting fork and the loaded shell at random, and the runtime is stopped now and
 * then: each event has exactly one response, its own or an error with a type. `make fuzz` does it for longer.
 *
 * @module
 */

import { describe, expect, test } from "bun:test";

import { expectOwnResponses } from "../testing/killer.ts";
import { Random } from "../testing/random.ts";
import { FURTHER_SHELLS, SHELLS } from "../testing/shells.ts";

const EVENTS = 200;

describe.each([...SHELLS, ...FURTHER_SHELLS].map(({ name }) => name))("%s", (shell) => {
  test.concurrent("each event gets its own response while a killer strikes", async () => {
    const { responses, strikes } = await expectOwnResponses(shell, EVENTS, new Random(1));
    expect(responses).toBeGreaterThan(0);
    expect(strikes.forks).toBeGreaterThan(0);
  });
});
