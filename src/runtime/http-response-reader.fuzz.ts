import { test } from "bun:test";

import { tryDamagedResponses, tryValidResponses } from "../testing/http-responses.ts";
import { fuzz } from "../testing/random.ts";

const TRIALS = 500;

test("responses of a server, valid and damaged", async () => {
  await fuzz((random) => {
    for (let trial = 0; trial < TRIALS; trial += 1) {
      tryValidResponses(random);
      tryDamagedResponses(random);
    }
  });
});
