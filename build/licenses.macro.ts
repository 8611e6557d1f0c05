/**
 * Runs while the tool is compiled: gives it the licence texts of everything that is inside it.
 *
 * @see https://bun.com/docs/bundler/macros
 * @module
 */

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const ROOT = join(import.meta.dir, "..");

/** What is installed with a dependency but never compiled into the tool. */
export const NOT_INSIDE: readonly string[] = [
  // Bindings to Node.js, of a grammar of which the tool has the WebAssembly alone.
  "node-addon-api",
  "node-gyp-build",
  // Helpers of code that is compiled for older engines; the modules that are taken have none.
  "tslib",
];

/** A package of package-lock.json. */
interface LockedPackage {
  readonly version: string;
  readonly license?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
}

/** A part of the tool, with the texts that must go with it. */
export interface LicensedPart {
  readonly name: string;
  readonly version: string;
  /** SPDX expression. */
  readonly license: string;
  readonly texts: readonly string[];
}

function lockedPackages(): Readonly<Record<string, LockedPackage>> {
  const text = readFileSync(join(ROOT, "package-lock.json"), "utf8");
  return (JSON.parse(text) as { packages: Record<string, LockedPackage> }).packages;
}

/** The packages that are compiled into the tool, in the order of their names. */
export function licensedPackages(): readonly LicensedPart[] {
  const packages = lockedPackages();
  const found = new Map<string, LicensedPart>();
  const waiting = Object.keys(packages[""]?.dependencies ?? {});
  for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
    if (found.has(name) || NOT_INSIDE.includes(name)) continue;
    const locked = packages[`node_modules/${name}`];
    if (locked === undefined) throw new Error(`failed to find ${name} in package-lock.json`);
    const { version, license = "" } = locked;
    found.set(name, { name, version, license, texts: [licenseText(name)] });
    waiting.push(...Object.keys(locked.dependencies ?? {}));
  }
  return [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

function licenseText(name: string): string {
  const folder = join(ROOT, "node_modules", name);
  const files = readdirSync(folder).filter((file) => /^(licen[cs]e|copying)/i.test(file));
  const [file] = files.sort();
  if (file === undefined) throw new Error(`failed to find the licence of ${name}`);
  return readFileSync(join(folder, file), "utf8");
}

/** Every part with its licence, a text that several share once. */
export function licenseTexts(): string {
  const file = (path: string) => readFileSync(join(ROOT, path), "utf8");
  // The Bun that the tool is made of, which is not the runtime's.
  const bun = lockedPackages()["node_modules/bun"];
  if (bun === undefined) throw new Error("failed to find bun in package-lock.json");
  const { version } = JSON.parse(file("package.json")) as { version: string };
  const parts: readonly LicensedPart[] = [
    {
      name: "lambda-shell-runtime",
      version,
      license: "Apache-2.0",
      texts: [file("NOTICE"), file("LICENSE")],
    },
    {
      name: `Bun ${bun.version}, with JavaScriptCore and the libraries that its licence names`,
      version: "",
      license: "MIT AND LGPL-2.0-or-later",
      texts: [file("layer/licenses/bun.txt"), file("layer/licenses/common/LGPL-2")],
    },
    {
      name: "aws_lambda_events, its example events",
      version: "",
      license: "MIT",
      texts: [file("fixtures/events/aws/LICENSE")],
    },
    ...licensedPackages(),
  ];
  const named = new Map<string, string[]>();
  for (const part of parts) {
    const label = `${part.name}${part.version === "" ? "" : ` ${part.version}`} (${part.license})`;
    for (const text of part.texts) {
      const key = text.replaceAll("\r\n", "\n").trim();
      named.set(key, [...(named.get(key) ?? []), label]);
    }
  }
  const line = "=".repeat(80);
  const blocks = [...named].map(
    ([text, labels]) => `${line}\n${[...new Set(labels)].join("\n")}\n${line}\n\n${text}\n`,
  );
  return blocks.join("\n");
}
