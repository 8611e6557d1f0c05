/**
 * Which pages of Bun's executable a start touches: the form of build/prefetch/profiles/*.json, and the
 * table that the stub gets from it.
 *
 * @module
 */

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

import type { Architecture } from "../architectures.ts";
import type { PageRun } from "./stub.ts";

const PROFILES = join(import.meta.dir, "profiles");

/**
 * Runs that are nearer than this become one, in pages.
 *
 * One call more costs more than three pages of a block that is fetched anyway: 4 made the table of
 * 544 runs one of 305 (measured on the first prototype).
 */
export const MERGE_PAGES = 4;

/**
 * Longest run that is asked for in one call, in pages: 128 KiB.
 *
 * Linux serves only the first part of a longer request, as much as the device takes in one
 * operation or its read-ahead, whichever is more (force_page_cache_ra in mm/readahead.c): 1280 KiB
 * on the disk here, and the rest would fault. 128 KiB is the least that is usual; Bun, too, asks for
 * its own section in such pieces.
 */
export const RUN_PAGES_MAX = 32;

/** What one file of build/prefetch/profiles/ holds. */
export interface PageProfile {
  /** Version of Bun, as in package-lock.json. */
  readonly bun: string;
  readonly architecture: Architecture["name"];
  /** The linker's build id of that Bun: a profile fits no other. */
  readonly buildId: string;
  /** Runs of pages by first touch; each is `page+pages`, the page of the address hexadecimal. */
  readonly runs: readonly string[];
}

/** The file that holds the profile of a Bun for an architecture. */
export function profilePath(bun: string, target: Architecture): string {
  return join(PROFILES, `${bun}-${target.name}.json`);
}

/**
 * Reads the profile of a Bun for an architecture.
 * @throws {Error} When there is none, or it is not of this form; the message says what to do.
 */
export function readProfile(bun: string, target: Architecture): PageProfile {
  const path = profilePath(bun, target);
  if (!existsSync(path)) {
    throw new Error(
      `failed to find the page profile of Bun ${bun} for ${target.name}: no ${path}; ` +
        "take one with `make page-profile` (build/prefetch/README.md), " +
        "or build with PREFETCH=off",
    );
  }
  const profile: unknown = JSON.parse(readFileSync(path, "utf8"));
  if (!isPageProfile(profile) || profile.bun !== bun || profile.architecture !== target.name) {
    throw new Error(
      `failed to read ${path}: it is not the page profile of Bun ${bun} for ${target.name}; ` +
        "take a new one with `make page-profile`",
    );
  }
  return profile;
}

/**
 * Returns the runs of a profile, in its order.
 * @throws {Error} When one is malformed.
 */
export function runsOf(profile: PageProfile): PageRun[] {
  return profile.runs.flatMap((line) => line.split(" ")).map(parseRun);
}

/** Writes runs in lines of the width of our sources. */
export function formatRuns(runs: readonly PageRun[]): string[] {
  const lines: string[] = [];
  for (const { page, pages } of runs) {
    const word = `${page.toString(16)}+${pages}`;
    const line = lines.at(-1);
    if (line !== undefined && line.length + word.length < LINE_COLUMNS) {
      lines[lines.length - 1] = `${line} ${word}`;
    } else {
      lines.push(word);
    }
  }
  return lines;
}

/** Columns of a line of runs: a source line without its indent, quotes and comma. */
const LINE_COLUMNS = 92;

/**
 * Makes one run of those that overlap or are nearer than a distance, at the place in the order of
 * the one that was touched first.
 * @param distancePages 1 joins what touches; each page more is a page asked for in vain.
 */
export function mergeRuns(runs: readonly PageRun[], distancePages: number): PageRun[] {
  const ranked = runs.map((run, rank) => ({ ...run, rank })).sort((a, b) => a.page - b.page);
  const merged: { page: number; pages: number; rank: number }[] = [];
  for (const run of ranked) {
    const last = merged.at(-1);
    if (last !== undefined && run.page - (last.page + last.pages) < distancePages) {
      last.pages = Math.max(last.pages, run.page + run.pages - last.page);
      last.rank = Math.min(last.rank, run.rank);
    } else {
      merged.push({ ...run });
    }
  }
  return merged.sort((a, b) => a.rank - b.rank).map(({ page, pages }) => ({ page, pages }));
}

/** Cuts runs into pieces of at most {@link RUN_PAGES_MAX}. */
export function splitRuns(runs: readonly PageRun[]): PageRun[] {
  return runs.flatMap(({ page, pages }) =>
    Array.from({ length: Math.ceil(pages / RUN_PAGES_MAX) }, (_, piece) => {
      const skipped = piece * RUN_PAGES_MAX;
      return { page: page + skipped, pages: Math.min(RUN_PAGES_MAX, pages - skipped) };
    }),
  );
}

function parseRun(word: string): PageRun {
  const [, page, pages] = /^([0-9a-f]{1,8})\+([1-9][0-9]{0,5})$/.exec(word) ?? [];
  if (page === undefined || pages === undefined) {
    throw new Error(`failed to read a page profile: ${JSON.stringify(word)} is not a run of pages`);
  }
  return { page: Number.parseInt(page, 16), pages: Number(pages) };
}

function isPageProfile(value: unknown): value is PageProfile {
  if (typeof value !== "object" || value === null) return false;
  const { bun, architecture, buildId, runs } = value as Partial<Record<keyof PageProfile, unknown>>;
  return (
    typeof bun === "string" &&
    typeof architecture === "string" &&
    typeof buildId === "string" &&
    Array.isArray(runs) &&
    runs.every((line) => typeof line === "string")
  );
}
