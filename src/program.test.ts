/** What helps with a program that could not be executed, wherever its path leads. */

import { expect, test } from "bun:test";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { programFix } from "./program.ts";
import { temporaryFolder } from "./testing/temporary-folder.ts";

const folder = temporaryFolder("program");
writeFileSync(join(folder, "text"), "text\n", { mode: 0o755 });
writeFileSync(join(folder, "closed"), "#!/bin/sh\n", { mode: 0o644 });
mkdirSync(join(folder, "inner"));
symlinkSync("loop", join(folder, "loop"));
symlinkSync("gone", join(folder, "dangling"));

const MISSING = "the file is missing: name the bootstrap to run: --bootstrap PATH, or -- COMMAND";

test.each([
  ["no-such-file-at-all", MISSING],
  ["a".repeat(300), MISSING],
  ["text/inner", "text is not a folder"],
  ["none/inner", "none is missing"],
  ["loop", "it is a link to loop, which leads to no file"],
  ["dangling", "it is a link to gone, which leads to no file"],
  ["loop/inner", "loop is missing"],
  ["inner", "it is a folder: the function's folder stands before --, a program after it"],
  ["text", "it must begin with a #! line, as in #!/bin/sh"],
  ["closed", "it is not executable: chmod +x "],
])("%s", (name, words) => {
  expect(programFix(join(folder, name))).toContain(words);
});
