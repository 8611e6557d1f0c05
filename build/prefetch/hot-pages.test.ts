import { expect, test } from "bun:test";

import { ARCHITECTURES } from "../architectures.ts";
import { lockedBun } from "../bun-executable.ts";
import {
  formatRuns,
  mergeRuns,
  type PageProfile,
  readProfile,
  RUN_PAGES_MAX,
  runsOf,
  splitRuns,
} from "./hot-pages.ts";
import type { PageRun } from "./stub.ts";

function pagesOf(runs: readonly PageRun[]): number[] {
  return runs
    .flatMap(({ page, pages }) => Array.from({ length: pages }, (_, i) => page + i))
    .sort((a, b) => a - b);
}

test("mergeRuns() joins runs nearer than the distance, at the place of the first touched", () => {
  const runs = [
    { page: 100, pages: 2 },
    { page: 10, pages: 1 },
    { page: 105, pages: 1 },
    { page: 14, pages: 1 },
  ];
  expect(mergeRuns(runs, 4)).toEqual([
    { page: 100, pages: 6 },
    { page: 10, pages: 5 },
  ]);
  expect(mergeRuns(runs, 3)).toEqual(runs);
});

test("mergeRuns() keeps the longer of two runs that overlap", () => {
  const runs = [
    { page: 1, pages: 9 },
    { page: 2, pages: 1 },
  ];
  expect(mergeRuns(runs, 1)).toEqual([{ page: 1, pages: 9 }]);
});

test("splitRuns() asks for every page once, in pieces that the kernel serves whole", () => {
  const runs = [
    { page: 7, pages: 2 * RUN_PAGES_MAX + 1 },
    { page: 500, pages: RUN_PAGES_MAX },
  ];
  const pieces = splitRuns(runs);
  expect(pieces.map(({ pages }) => pages)).toEqual([32, 32, 1, 32]);
  expect(pagesOf(pieces)).toEqual(pagesOf(runs));
});

test("formatRuns() and runsOf() are each other's inverse, in lines of our width", () => {
  const runs = Array.from({ length: 300 }, (_, i) => ({
    page: 4096 * i + 512,
    pages: 1 + (i % 7),
  }));
  const lines = formatRuns(runs);
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(92);
  const profile: PageProfile = { bun: "0", architecture: "amd64", buildId: "0", runs: lines };
  expect(runsOf(profile)).toEqual(runs);
});

test.each(["", "12", "12+", "12+0", "xyz+1", "12+-1"])("runsOf() refuses %p", (word) => {
  const profile: PageProfile = { bun: "0", architecture: "amd64", buildId: "0", runs: [word] };
  expect(() => runsOf(profile)).toThrow(`${JSON.stringify(word)} is not a run of pages`);
});

for (const target of ARCHITECTURES) {
  test(`the profile for ${target.name} has no page twice and is most of 7 MB`, () => {
    const pages = pagesOf(runsOf(readProfile(lockedBun(target).version, target)));
    expect(new Set(pages).size).toBe(pages.length);
    expect(pages.length).toBeGreaterThan(1500);
    expect(pages.length).toBeLessThan(3000);
  });
}
