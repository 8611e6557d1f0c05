import { test } from "bun:test";

import { tryKilledLoops } from "../testing/loop-killer.ts";
import { fuzz } from "../testing/random.ts";
import { SHELLS } from "../testing/shells.ts";

const STRIKES = 15;

test("loops that are killed and stopped at random", async () => {
  await fuzz((random) => tryKilledLoops(random, random.pick(SHELLS).name, STRIKES));
});
