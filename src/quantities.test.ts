/** Times and sizes with a unit that is not read: the message says which value to write. */

import { expect, test } from "bun:test";

import { megabytesFix, parseTime, secondsFix, timeFix } from "./quantities.ts";

test.each([
  ["3 s", "3s"],
  ["3S", "3s"],
  ["3sec", "3s"],
  ["3 seconds", "3s"],
  ["1 min 30 sec", "1m30s"],
  ["2 minutes", "2m"],
  ["500 msec", "500ms"],
  ["250milliseconds", "250ms"],
  ["1,5s", "1.5s"],
  ["0.25 hrs", "0.25h"],
])("the time %j is probably meant as %j", (text, meant) => {
  expect(parseTime(text)).toBeUndefined();
  expect(timeFix(text, 1, 1_800_000)).toBe(`\n  write: ${meant}`);
});

test.each(["3000", "1800000"])("%s seconds are probably meant as milliseconds", (text) => {
  expect(timeFix(text, 1, 1_800_000)).toBe(
    `\n  without a unit it is seconds; for milliseconds write: ${text}ms`,
  );
});

test.each(["", "soon", "0", "1801", "900s0", "2 h", "-3s", "3 days", "1800100"])(
  "nobody can say which time is meant by %j",
  (text) => {
    expect(timeFix(text, 1, 1_800_000)).toBe("");
  },
);

test.each([
  ["128MB", 128],
  ["128 MiB", 128],
  ["128Mi", 128],
  ["512m", 512],
  ["1GB", 1024],
  ["1 gib", 1024],
  ["0.5G", 512],
  ["1,5 GB", 1536],
  ["131072KB", 128],
  ["134217728 bytes", 128],
  ["134217728B", 128],
])("the size %j is %i MB", (text, mb) => {
  expect(megabytesFix(text, 16, 32_768)).toBe(`\n  write: ${mb}`);
});

test.each(["", "much", "128", "1.5MB", "8MB", "1TB", "64GB", "-128MB", "128MBs"])(
  "nobody can say which size is meant by %j",
  (text) => {
    expect(megabytesFix(text, 16, 32_768)).toBe("");
  },
);

test.each([
  ["10s", 10],
  ["1m30s", 90],
  ["5 minutes", 300],
  ["2000ms", 2],
])("the time %j is %i seconds", (text, seconds) => {
  expect(secondsFix(text, 1, 1800)).toBe(`\n  write: ${seconds}`);
});

test.each(["", "soon", "500ms", "1801s", "0s"])("no whole number of seconds is %j", (text) => {
  expect(secondsFix(text, 1, 1800)).toBe("");
});
