/**
 * Locales of other character sets, compiled when a test asks for them.
 *
 * @module
 */

import { existsSync } from "node:fs";
import { join } from "node:path";

import { temporaryFolder } from "./temporary-folder.ts";

/** A locale with the character set that glibc has for it; the system's own have none. */
interface Locale {
  readonly name: string;
  readonly source?: string;
  readonly charset?: string;
}

const LOCALES: readonly Locale[] = [
  { name: "C" },
  { name: "C.UTF-8" },
  { name: "ja_JP.SJIS", source: "ja_JP", charset: "SHIFT_JIS" },
  { name: "zh_CN.GBK", source: "zh_CN", charset: "GBK" },
  { name: "zh_CN.GB18030", source: "zh_CN", charset: "GB18030" },
  { name: "zh_TW.BIG5", source: "zh_TW", charset: "BIG5" },
  { name: "de_DE.ISO-8859-1", source: "de_DE", charset: "ISO-8859-1" },
];

/** The names of the locales, for `LC_ALL`. */
export const LOCALE_NAMES = LOCALES.map(({ name }) => name);

let folder: string | undefined;

/**
 * The variables that select a locale.
 * @throws {Error} When the C library has no sources to compile it from.
 */
export function localeVariables(name: string): Record<string, string> {
  const locale = LOCALES.find((candidate) => candidate.name === name);
  if (locale === undefined) throw new RangeError(`unknown locale ${name}`);
  const { source, charset } = locale;
  if (source === undefined || charset === undefined) return { LC_ALL: name };
  folder ??= temporaryFolder("locales");
  const path = join(folder, name);
  // Where a source is missing, localedef leaves an empty folder.
  const isThere = () => existsSync(join(path, "LC_CTYPE"));
  if (!isThere()) {
    // Shift JIS is not quite a superset of ASCII: it is compiled with a warning, by --force.
    const command = [
      "localedef",
      "--force",
      "--no-warnings=ascii",
      "-f",
      charset,
      "-i",
      source,
      path,
    ];
    const { stderr } = Bun.spawnSync(command, { stdout: "ignore" });
    if (!isThere()) {
      const reason = stderr.toString().trim();
      throw new Error(`failed to compile ${name} (package locales): ${reason}`);
    }
  }
  return { LC_ALL: name, LOCPATH: folder };
}
