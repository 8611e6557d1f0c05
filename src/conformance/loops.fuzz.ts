import { describe, test } from "bun:test";

import { tryKilledLoops } from "../testing/loop-killer.ts";
import { fuzz } from "../testing/random.ts";
import { SHELLS } from "../testing/shells.ts";

const EVENTS = 5_000;

describe.each(SHELLS.map(({ name }) => name))("%s", (shell) => {
  test("each event gets one response while loops, shells and forks are killed", async () => {
    await fuzz(async (random) => {
      const strikes = await tryKilledLoops(random, shell, EVENTS);
      console.log(`${shell}: ${EVENTS} events, ${JSON.stringify(strikes)}`);
    });
  });
});
