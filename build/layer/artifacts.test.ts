import { expect, test } from "bun:test";
import { lstatSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { version } from "../../package.json" with { type: "json" };
import { temporaryFolder } from "../../src/testing/temporary-folder.ts";
import { run } from "./command.ts";

const SCRIPT = `
import { writeChecksums, writeWhole, writeZip } from ${JSON.stringify(join(import.meta.dir, "artifacts.ts"))};
writeZip("lambda-shell-runtime-amd64-${version}.zip", "bootstrap", []);
writeWhole("inputs.json", "{}");
await writeChecksums();`;

// A build must not give away files that only its own user can read.
test.each(["077", "027", "000"])(
  "artefacts have the modes of a release under umask %s",
  async (umask) => {
    const dist = temporaryFolder("modes");
    for (const name of ["bootstrap-arm64", "lambda-shell-linux-amd64"]) {
      writeFileSync(join(dist, name), "", { mode: 0o700 });
    }
    await run(["sh", "-c", `umask ${umask} && exec "$0" -e "$1"`, process.execPath, SCRIPT], {
      env: { DIST: dist },
    });
    const modes = readdirSync(dist).map((name) => [
      name,
      (lstatSync(join(dist, name)).mode & 0o7777).toString(8),
    ]);
    expect(Object.fromEntries(modes)).toEqual({
      SHA256SUMS: "644",
      "bootstrap-arm64": "755",
      "inputs.json": "644",
      "lambda-shell-linux-amd64": "755",
      [`lambda-shell-runtime-amd64-${version}.zip`]: "644",
    });
  },
);
