import { describe, test } from "bun:test";

import { expectOwnResponses } from "../testing/killer.ts";
import { fuzz } from "../testing/random.ts";
import { FURTHER_SHELLS, SHELLS } from "../testing/shells.ts";

const EVENTS = 5_000;

describe.each([...SHELLS, ...FURTHER_SHELLS].map(({ name }) => name))("%s", (shell) => {
  test("each event gets its own response while a killer strikes", async () => {
    await fuzz(async (random) => {
      const { responses, strikes } = await expectOwnResponses(shell, EVENTS, random);
      console.log(`${shell}: ${responses} responses of ${EVENTS}, ${JSON.stringify(strikes)}`);
    });
  });
});
