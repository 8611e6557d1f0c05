/**
 * Texts that are hard to quote, and what a shell makes of them once they are quoted.
 *
 * @module
 */

import { writeFileSync } from "node:fs";
import { join } from "node:path";

import { quote } from "../runtime/quote.ts";
import { difference } from "./bytes.ts";
import { localeVariables } from "./locales.ts";
import type { Random } from "./random.ts";
import { shell, type ShellName } from "./shells.ts";
import { temporaryFolder } from "./temporary-folder.ts";

/** Bytes that mean something to one shell or another, or are part of a character somewhere. */
const SPECIAL = [
  ..."'\"\\$`!\n\r\t ()*?[]{}~#&;|<>=@%^-+09aZ\x01\x7f\x80\x81\x83\x95\xe0\xfe\xff\xc3\xa9",
];
/** Pieces that are an expansion, or a character whose last byte looks like something else. */
const PIECES = [
  ..."'\"\\`!\n\x01\x7f",
  ...["$x", "${", "$(", "$((", "$'", "`id`", "\\\n", "!!", "'\\''", '"\'"', "\x01'", '\x7f"', "$*"],
  ...[
    "\x83\\",
    "\x95`",
    "\xe9\\n",
    '\xc3\xa9"',
    "\x810",
    "\x810\x81",
    "\x810\x810",
    "\xe3\x81\x82",
  ],
];

/** A random text, one character a byte, without NUL. */
export function hardText(random: Random): string {
  const length = 1 + random.below(200);
  const kind = random.below(3);
  let text = "";
  for (let index = 0; index < length; index += 1) {
    if (kind === 0) text += String.fromCharCode(1 + random.below(255));
    else text += random.pick(kind === 1 ? SPECIAL : PIECES);
  }
  return text;
}

/**
 * Whether a shell can read any text in a locale: ksh93 takes characters of these sets apart even between
 * single quotes.
 */
export function readsExactly(shellName: ShellName, locale: string): boolean {
  return shellName !== "ksh93" || !/SJIS|GB|BIG5/.test(locale);
}

/** Fails unless a shell, in a locale, reads each of the quoted texts as what it is. */
export function expectReadAsTheyAre(
  texts: readonly string[],
  shellName: ShellName,
  locale: string,
): void {
  const folder = temporaryFolder("quoted");
  for (const [index, text] of texts.entries()) {
    writeFileSync(join(folder, `${index}`), `\\say ${quote(text)}\n`, "latin1");
  }
  // mksh has no printf of its own.
  const say = shellName === "mksh" ? `print -rn -- "$1"; print -n '\\0'` : `printf '%s\\0' "$1"`;
  const script = `say() { ${say}; }
    index=0
    while [ "$index" -lt ${texts.length} ]; do . "./$index"; index=$((index + 1)); done`;
  const [program = "", ...options] = shell(shellName).shebang.slice("#!".length).split(" ");
  const { stdout, stderr } = Bun.spawnSync([program, ...options, "-c", script], {
    cwd: folder,
    env: { PATH: "/usr/bin:/bin", ...localeVariables(locale) },
  });
  const read = stdout.toString("latin1").split("\0");
  for (const [index, text] of texts.entries()) {
    const found = difference(
      Buffer.from(read[index] ?? "nothing", "latin1"),
      Buffer.from(text, "latin1"),
    );
    if (found === undefined) continue;
    const quoted = JSON.stringify(quote(text));
    throw new Error(`${shellName}, ${locale}: ${found}\n${quoted}\n${stderr.toString()}`);
  }
}
