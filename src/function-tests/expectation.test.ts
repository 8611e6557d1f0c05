import { expect, test } from "bun:test";

import { recorded } from "./expectation.ts";

const error = (text: string) => ({ kind: "error", body: Buffer.from(text), log: "" }) as const;

test.each(["null", "1", '"text"', "[]", "", "no JSON"])(
  "of the error %j, which has no members, nothing is written down as expected",
  (text) => {
    expect(recorded(error(text), undefined)).toBeUndefined();
  },
);

test.each([
  ['{"errorType":"A","errorMessage":"b"}', '{"errorType":"A","errorMessage":"b"}'],
  [
    '{"errorType":"A","errorMessage":"RequestId: 0123abcd-0123-4567-89ab-0123456789ab"}',
    '{"errorType":"A"}',
  ],
])("of the error %s its members are written down that are the same next time", (text, json) => {
  expect(recorded(error(text), undefined)).toEqual({ error: json });
});
