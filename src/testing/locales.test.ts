import { expect, test } from "bun:test";
import { join } from "node:path";

import { LOCALE_NAMES } from "./locales.ts";

/** Asks for each locale in turn, and prints what `locale charmap` says, or the error. */
const PROGRAM = `
  import { LOCALE_NAMES, localeVariables } from "${join(import.meta.dir, "locales.ts")}";
  for (const name of LOCALE_NAMES) {
    try {
      const env = { PATH: "/usr/bin:/bin", ...localeVariables(name) };
      console.log(Bun.spawnSync(["locale", "charmap"], { env }).stdout.toString().trim());
    } catch (error) {
      console.log(error.message.split("\\n")[0]);
    }
  }`;

test("a locale whose source is not installed is an error, not another locale", () => {
  const hidden = 'mount -t tmpfs none /usr/share/i18n && exec "$@"';
  const command = ["unshare", "--mount", "sh", "-c", hidden, "sh", process.execPath, "-e", PROGRAM];
  const { stdout } = Bun.spawnSync(command);
  expect(stdout.toString().trim().split("\n")).toEqual([
    "ANSI_X3.4-1968",
    "UTF-8",
    ...LOCALE_NAMES.slice(2).map((name) =>
      expect.stringContaining(`failed to compile ${name} (package locales): `),
    ),
  ]);
});
