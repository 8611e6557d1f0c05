import { test } from "bun:test";

import { tryDamagedAnswers, tryValidAnswers } from "../testing/http-answers.ts";
import { fuzz } from "../testing/random.ts";

const TRIALS = 500;

test("answers of a server, valid and damaged", async () => {
  await fuzz((random) => {
    for (let trial = 0; trial < TRIALS; trial += 1) {
      tryValidAnswers(random);
      tryDamagedAnswers(random);
    }
  });
});
