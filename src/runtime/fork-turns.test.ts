import { describe, expect, test } from "bun:test";

import { exploreForkModel, ModelFault } from "../testing/fork-model.ts";

describe("in every order of the steps of runtime, loaded shell, fork and killer", () => {
  test("each of three events has its own status and output", () => {
    expect(exploreForkModel({ events: 3, forkKills: 0, shellKill: false })).toBeGreaterThan(50);
  });

  test("each of two events has its own or that of a killed fork, with two kills", () => {
    expect(exploreForkModel({ events: 2, forkKills: 2, shellKill: false })).toBeGreaterThan(500);
  });

  test("each of two events has one end when the shell is killed, too", () => {
    expect(exploreForkModel({ events: 2, forkKills: 1, shellKill: true })).toBeGreaterThan(500);
  });

  test.each([["keepsReadEnd"], ["opensOutputFirst"]])(
    "the model finds the fault of a runtime that %s",
    (broken) => {
      const options = { events: 2, forkKills: 1, shellKill: false, [broken]: true };
      expect(() => exploreForkModel(options)).toThrow(ModelFault);
    },
  );
});
