import { expect, test } from "bun:test";

import { isNewer } from "./version-order.ts";

test.each([
  ["2.38.2", "2.38.1", true],
  ["2.38.1", "2.38.1", false],
  ["2.9.0", "2.38.1", false],
  ["2.38", "2.38.0", false],
  ["2.38.0.1", "2.38", true],
  ["1.10.0", "1.9.9", true],
  ["0.17.0-dev", "0.16.0", true],
])("isNewer(%j, %j) is %j", (version, than, expected) => {
  expect(isNewer(version, than)).toBe(expected);
});
