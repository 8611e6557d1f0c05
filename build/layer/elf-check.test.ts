import { expect, test } from "bun:test";
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { temporaryFolder } from "../../src/testing/temporary-folder.ts";
import { architecture, HOST_ARCHITECTURE } from "../architectures.ts";
import { run } from "./command.ts";
import { checkElfFiles } from "./elf-check.ts";
import { isWholeElf } from "./elf.ts";

const HOST = HOST_ARCHITECTURE ?? architecture("amd64");
const OTHER = architecture(HOST.name === "amd64" ? "arm64" : "amd64");

test("checkElfFiles() names what needs a newer glibc, a missing library, another machine", async () => {
  const tree = temporaryFolder("elf");
  mkdirSync(join(tree, "bin"));
  const source = join(tree, "source.c");
  // Asks for a symbol version that no glibc has had, as a program from the future would.
  await Bun.write(
    source,
    '__asm__(".symver future, future@GLIBC_2.99");\nvoid future(void);\nint main(void) { future(); }\n',
  );
  const map = join(tree, "versions.map");
  await Bun.write(map, "GLIBC_2.99 { global: future; };\n");
  await Bun.write(join(tree, "library.c"), "void future(void) {}\n");
  const library = join(tree, "libc-of-the-future.so");
  await run([
    ...["cc", "-shared", "-fPIC", "-o", library, join(tree, "library.c")],
    ...[`-Wl,--version-script=${map}`, "-Wl,-soname,libfuture.so.1"],
  ]);
  await run(["cc", "-o", join(tree, "bin/future"), source, library]);
  await run(["rm", source, map, library, join(tree, "library.c")]);

  await expect(checkElfFiles(tree, HOST)).rejects.toThrow(
    "bin/future: needs glibc 2.99, Lambda has 2.34",
  );
  await expect(checkElfFiles(tree, HOST)).rejects.toThrow(
    "bin/future: Lambda lacks libfuture.so.1",
  );
  await expect(checkElfFiles(tree, OTHER)).rejects.toThrow("bin/future: is for ");
});

test("checkElfFiles() accepts a program with the layer's own libc, and names the loader", async () => {
  const tree = temporaryFolder("elf");
  mkdirSync(join(tree, "aws-cli/bin"), { recursive: true });
  mkdirSync(join(tree, "aws-cli/lib"));
  await Bun.write(join(tree, "main.c"), "int main(void) { return 0; }\n");
  await run(["cc", "-o", join(tree, "aws-cli/bin/program"), join(tree, "main.c")]);
  const needed = await run(["ldd", join(tree, "aws-cli/bin/program")]);
  for (const path of needed.match(/\/\S+/g) ?? []) {
    copyFileSync(path, join(tree, "aws-cli/lib", path.split("/").at(-1) ?? ""));
  }
  const files = await checkElfFiles(tree, HOST);
  const program = files.find(({ path }) => path === "aws-cli/bin/program");
  expect(program?.loader).toMatch(/^aws-cli\/lib\/ld-linux/);

  await run(["rm", join(tree, "aws-cli/lib/libc.so.6")]);
  await expect(checkElfFiles(tree, HOST)).rejects.toThrow(
    "aws-cli/bin/program: the layer lacks libc.so.6",
  );
});

test("an executable that is not whole is told from one that is", async () => {
  const folder = temporaryFolder("elf");
  const program = join(folder, "program");
  await Bun.write(join(folder, "main.c"), "int main(void) { return 0; }\n");
  await run(["cc", "-static", "-o", program, join(folder, "main.c")]);
  await run(["rm", join(folder, "main.c")]);
  expect(isWholeElf(program)).toBe(true);
  const whole = readFileSync(program);
  for (const length of [0, 3, 4, 63, 64, 1000, whole.length >> 1, whole.length - 1]) {
    writeFileSync(program, whole.subarray(0, length));
    expect({ length, isWhole: isWholeElf(program) }).toEqual({ length, isWhole: false });
  }
  await expect(checkElfFiles(folder, HOST)).rejects.toThrow("program: is cut off");
  writeFileSync(program, Buffer.alloc(whole.length));
  expect(isWholeElf(program)).toBe(false);
  expect(isWholeElf(join(folder, "none"))).toBe(false);
});
