import { expect, test } from "bun:test";
import { copyFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { temporaryFolder } from "../../src/testing/temporary-folder.ts";
import { run } from "./command.ts";
import { ROOT } from "./paths.ts";

const SCRIPT = `
const { run } = await import(${JSON.stringify(`${import.meta.dir}/command.ts`)});
console.log(await run(["env"]));`;

test.each([
  ["of the loader", "LD_BIND_NOW"],
  ["of Python", "PYTHONHOME"],
  ["of apt", "APT_CONFIG"],
  ["of tar", "TAR_OPTIONS"],
  ["of zig", "ZIG_LIB_DIR"],
  ["of the clang in zig: options", "CCC_OVERRIDE_OPTIONS"],
  ["of the clang in zig: programs", "COMPILER_PATH"],
  ["of C compilers", "C_INCLUDE_PATH"],
  ["of shells", "CDPATH"],
  ["of make", "MAKEFLAGS"],
])("the programs of a build do not get a variable %s", async (_, name) => {
  const output = await run([process.execPath, "-e", SCRIPT], { env: { [name]: "1", KEPT: "2" } });
  expect(output).toContain("KEPT=2\n");
  expect(output).not.toContain(`${name}=`);
});

test.each([".env", ".env.local", ".env.development", ".env.production"])(
  "a build reads no variables from %s in the clone",
  async (name) => {
    const clone = temporaryFolder("clone");
    copyFileSync(join(ROOT, "bunfig.toml"), join(clone, "bunfig.toml"));
    writeFileSync(join(clone, name), "FROM_FILE=1\n");
    const script = "console.log(process.env.FROM_FILE)";
    for (const NODE_ENV of ["", "production"]) {
      const words = [process.execPath, "-e", script];
      expect(await run(words, { cwd: clone, env: { NODE_ENV } })).toBe("undefined\n");
    }
  },
);
