import { expect, test } from "bun:test";
import { lstatSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
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

test("what killed builds have left unfinished goes, and nothing else", async () => {
  const dist = temporaryFolder("unfinished");
  // No process has this number.
  const dead = 4_194_305;
  const kept = [`.x.${process.pid}.unfinished`, `x.${dead}.unfinished`, ".x.unfinished", "x"];
  for (const name of [`.x.zip.${dead}.unfinished`, `..${dead}.unfinished`, ...kept]) {
    writeFileSync(join(dist, name), "");
  }
  mkdirSync(join(dist, `.bootstrap-amd64.${dead}.unfinished/below`), { recursive: true });
  mkdirSync(join(dist, `.bootstrap-amd64.${process.pid}.unfinished`));
  const script = `import { sweepUnfinished } from ${JSON.stringify(join(import.meta.dir, "artifacts.ts"))};
    sweepUnfinished();`;
  await run([process.execPath, "-e", script], { env: { DIST: dist } });
  expect(readdirSync(dist).sort()).toEqual(
    [...kept, `.bootstrap-amd64.${process.pid}.unfinished`].sort(),
  );
});
