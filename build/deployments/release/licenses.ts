/**
 * Writes dist/LICENSES.txt: the licence of every part of the executables, which lie in a release as
 * single files. A layer carries its own in share/lambda-shell-runtime/.
 *
 *     bun build/deployments/release/licenses.ts
 *
 * @module
 */

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import packageLock from "../../../package-lock.json" with { type: "json" };
import { ROOT } from "../layer-dist.ts";

/** Name of the file in dist/ and in a release. */
export const LICENSES_FILE = "LICENSES.txt";

/** A package of npm that is compiled into `lambda-shell`. */
export interface BundledPackage {
  readonly name: string;
  readonly version: string;
  /** As an SPDX expression. */
  readonly license: string;
  /** Folder from the root of the repository. */
  readonly folder: string;
}

interface LockedPackage {
  readonly version?: string;
  readonly license?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
}

/**
 * The dependencies of the project and theirs, by name; none of what only develops or tests it.
 * @throws {Error} When the lock file lacks one.
 */
export function bundledPackages(): readonly BundledPackage[] {
  const locked: Readonly<Record<string, LockedPackage>> = packageLock.packages;
  const found = new Map<string, BundledPackage>();
  const add = (from: string): void => {
    for (const name of Object.keys(locked[from]?.dependencies ?? {})) {
      const folder = resolve(from, name);
      const { version, license } = locked[folder] ?? {};
      if (version === undefined || license === undefined) {
        throw new Error(`failed to find ${name} with its licence in package-lock.json`);
      }
      if (found.has(folder)) continue;
      found.set(folder, { name, version, license, folder });
      add(folder);
    }
  };
  // As Node.js does: the nearest node_modules, from the package that asks upwards.
  const resolve = (from: string, name: string): string => {
    const folder = join(from, "node_modules", name);
    return folder in locked || from === "" ? folder : resolve(parent(from), name);
  };
  add("");
  return [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** The package in whose node_modules another one lies; empty for the project itself. */
function parent(folder: string): string {
  const at = folder.lastIndexOf("node_modules/");
  return at <= 0 ? "" : folder.slice(0, at - 1);
}

/**
 * The text of a package's licence.
 * @throws {Error} When the package has none.
 */
function licenseOf({ name, folder }: BundledPackage): string {
  const file = ["LICENSE", "LICENSE.md", "LICENSE.txt", "license"]
    .map((each) => join(ROOT, folder, each))
    .find((path) => existsSync(path));
  if (file === undefined) throw new Error(`failed to find the licence of ${name}: run "npm ci"`);
  return readFileSync(file, "utf8");
}

/** Everything in one text; the same sources give the same bytes. */
export function licensesText(): string {
  const file = (path: string) => readFileSync(join(ROOT, path), "utf8");
  const parts = [
    ["lambda-shell-runtime: bootstrap and lambda-shell", `${file("NOTICE")}\n${file("LICENSE")}`],
    ["Bun, in bootstrap and lambda-shell", file("layer/licenses/bun.txt")],
    ["JavaScriptCore, in bootstrap and lambda-shell", file("layer/licenses/common/LGPL-2")],
    ["example events of aws_lambda_events, in lambda-shell", file("fixtures/events/aws/LICENSE")],
    ...bundledPackages().map(
      (each) => [`${each.name} ${each.version}, in lambda-shell`, licenseOf(each)] as const,
    ),
  ] as const;
  const line = "=".repeat(96);
  return parts.map(([title, text]) => `${line}\n${title}\n${line}\n\n${text.trim()}\n`).join("\n");
}

if (import.meta.main) writeFileSync(join(ROOT, "dist", LICENSES_FILE), licensesText());
