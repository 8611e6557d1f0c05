/** Words and numbers without quotes, as PyYAML reads them, and SAM's CLI with it. */

import { expect, test } from "bun:test";

import { plainScalarText } from "./plain-scalar.ts";

test.each([
  ...["yes", "Yes", "YES", "on", "On", "ON", "true", "True", "TRUE"].map((word) => [word, "true"]),
  ...["no", "No", "NO", "off", "Off", "OFF", "false", "FALSE"].map((word) => [word, "false"]),
  ["0755", "493"],
  ["-0755", "-493"],
  ["00", "0"],
  ["0", "0"],
  ["-0", "0"],
  ["5", "5"],
  ["+5", "5"],
  ["1_000", "1000"],
  ["0x1F", "31"],
  ["0b11", "3"],
  ["12:30", "750"],
  ["190:20:30", "685230"],
  ["123456789012345678901234567890", "123456789012345678901234567890"],
  ["1.10", "1.1"],
  ["3.10", "3.1"],
  ["-1.50", "-1.5"],
  [".5", "0.5"],
  ["5.", "5.0"],
  ["1.0", "1.0"],
  ["007.50", "7.5"],
])("%s is %s", (written, read) => {
  expect(plainScalarText(written ?? "")).toBe(read);
});

test.each([
  ...["", "y", "n", "Y", "N", "oN", "yES", "tRUE", "none", "x", "-", "+", ".", "_"],
  ...[
    "012345678901",
    "09",
    "0o17",
    "1e3",
    "1.5e3",
    "12:60",
    "12:30:",
    ":30",
    "0x",
    "1-1",
    "2020-01-02",
  ],
  ...["1.2.3", "127.0.0.1", "0x1G", "0b12", "1e400"],
])("%j is text", (written) => {
  expect(plainScalarText(written)).toBeUndefined();
});
