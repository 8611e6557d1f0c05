/**
 * Builds everything twice, in two fresh copies of the sources at different paths, in different
 * time zones and with different umasks, and compares what came out.
 *
 *     bun build/layer/reproduce.ts        # or: make reproduce
 *
 * The copies share nothing but the downloads: what is compiled is compiled in each.
 *
 * @module
 */

import {
  cpSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
} from "node:fs";
import { join, resolve } from "node:path";

import { reportErrors } from "../plain-errors.ts";
import { run } from "./command.ts";
import { DOWNLOADS } from "./download.ts";
import { ROOT } from "./paths.ts";
import { step } from "./progress.ts";
import { formatTable } from "./table.ts";
import { workFolder } from "./work-folder.ts";

/** How the two builds differ. */
const BUILDS = [
  { name: "one", TZ: "Pacific/Kiritimati", umask: "0022" },
  { name: "another-at-a-longer-path", TZ: "America/Adak", umask: "0077" },
] as const;

/** The record to build from, if there is one, by a path that holds in both. */
const INPUTS = process.env["INPUTS"] ? { INPUTS: resolve(ROOT, process.env["INPUTS"]) } : {};

type BuildSettings = (typeof BUILDS)[number];

/** Copies the sources, committed or not, and links the downloads. */
async function copySources(copy: string): Promise<void> {
  const listing = await run(
    ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
    {
      cwd: ROOT,
    },
  );
  for (const path of listing.split("\0").filter((name) => name !== "")) {
    // A tracked file that was removed is not part of the sources any more.
    if (existsSync(join(ROOT, path))) cpSync(join(ROOT, path), join(copy, path));
  }
  mkdirSync(join(copy, "cache/downloads"), { recursive: true });
  for (const name of existsSync(DOWNLOADS) ? readdirSync(DOWNLOADS) : []) {
    if (/^[0-9a-f]{64}$|^awscli-|^jq-/.test(name)) {
      linkSync(join(DOWNLOADS, name), join(copy, "cache/downloads", name));
    }
  }
}

/** Builds one copy and returns its SHA256SUMS by file name. */
async function build(copy: string, settings: BuildSettings): Promise<Map<string, string>> {
  step(`build in ${settings.name} (TZ=${settings.TZ}, umask ${settings.umask})`);
  await run(["sh", "-c", `umask ${settings.umask} && exec make dist`], {
    cwd: copy,
    // Folders of the caller's would be the same for both.
    env: { TZ: settings.TZ, CACHE: "cache", DIST: "dist", ...INPUTS },
  });
  const sums = readFileSync(join(copy, "dist/SHA256SUMS"), "utf8");
  rmSync(copy, { recursive: true });
  return new Map(
    sums
      .trim()
      .split("\n")
      .map((line) => line.split("  "))
      .map(([sum = "", name = ""]) => [name, sum]),
  );
}

if (import.meta.main) {
  reportErrors();
  const folder = workFolder("reproduce");
  const copies = BUILDS.map(({ name }) => join(folder, name));
  // Both before the first build: the sources may change while it runs.
  for (const copy of copies) await copySources(copy);
  const first = await build(copies[0] ?? "", BUILDS[0]);
  const second = await build(copies[1] ?? "", BUILDS[1]);
  const names = [...new Set([...first.keys(), ...second.keys()])].sort();
  const rows = names.map((name) => {
    const same = first.get(name) !== undefined && first.get(name) === second.get(name);
    if (!same) process.exitCode = 1;
    return [name, first.get(name) ?? "missing", same ? "equal" : `DIFFERS ${second.get(name)}`];
  });
  console.log(formatTable([["artefact", "SHA-256", "second build"], ...rows]));
}
