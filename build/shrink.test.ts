import { beforeAll, describe, expect, test } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { temporaryFolder } from "../src/testing/temporary-folder.ts";
import { type Architecture, ARCHITECTURES, HOST_ARCHITECTURE } from "./architectures.ts";
import { lockedBun } from "./bun-executable.ts";
import { BOOTSTRAP, compile, type Program } from "./compile.ts";
import { PT_LOAD, readHeader, readProgramHeaders, readSections } from "./prefetch/elf.ts";
import { readProfile } from "./prefetch/hot-pages.ts";
import { addStub } from "./prefetch/prefetch.ts";
import { shrink, verify } from "./shrink.ts";
import { cutIcuData } from "./shrink/icu-data.ts";

const PROGRAM: Program = {
  entry: "build/shrink/fixtures/text.ts",
  outputName: ({ name }) => `text-${name}`,
  bun: "small",
  environment: undefined,
  prefetch: false,
  shrink: false,
  optimized: false,
  flags: [],
};
const COMPILE_MS_MAX = 120_000;
const SYSTEM_ROOT = "/usr/aarch64-linux-gnu";

const folder = temporaryFolder("shrink");
const plain = new Map<Architecture, Uint8Array>();

beforeAll(async () => {
  for (const target of ARCHITECTURES) {
    plain.set(target, new Uint8Array(readFileSync(await compile(PROGRAM, target, folder))));
  }
}, COMPILE_MS_MAX);

function plainProgram(target: Architecture): Uint8Array {
  return plain.get(target) ?? new Uint8Array(0);
}

/** Runs a program, in the emulator if it is for another machine; `undefined` where there is none. */
function emulator(target: Architecture): readonly string[] | undefined {
  if (target === HOST_ARCHITECTURE) return [];
  const program = Bun.which(`qemu-${target.machine}-static`);
  return program === null || !existsSync(SYSTEM_ROOT) ? undefined : [program, "-L", SYSTEM_ROOT];
}

for (const target of ARCHITECTURES) {
  describe(`shrink() for ${target.name}`, () => {
    const path = () => join(folder, `shrunk-${target.name}`);
    const words = emulator(target);

    beforeAll(() => {
      const file = shrink(plainProgram(target));
      const profile = readProfile(lockedBun(target).version, target);
      // As it ships: the stub comes after.
      const environment = { kind: "without", prefixes: [] } as const;
      writeFileSync(path(), addStub(file, { environment, profile }).file, { mode: 0o755 });
      writeFileSync(`${path()}-only`, file, { mode: 0o755 });
    });

    const output = (program: string, ...args: string[]): string => {
      const env = { PATH: process.env["PATH"] ?? "", TZ: "Europe/Berlin" };
      const { stdout, stderr } = Bun.spawnSync([...(words ?? []), program, ...args], { env });
      return `${stdout}${stderr}`;
    };

    test("takes ICU's locales and the zeros of .bss out of the file", () => {
      const before = plainProgram(target);
      const removed = before.byteLength - readFileSync(`${path()}-only`).byteLength;
      const { free } = cutIcuData(before);
      const bss = readSections(before).find(({ name }) => name === ".bss");
      const expected = free.end - free.start + (bss?.size ?? 0);
      // But for what whole pages do not hold, at most 64 KiB at each end.
      expect(removed).toBeLessThanOrEqual(expected);
      expect(removed).toBeGreaterThan(expected - 4 * 65_536);
      expect(removed).toBeGreaterThan(12_000_000);
    });

    test("leaves no address of the locales in memory", () => {
      const before = plainProgram(target);
      const { free } = cutIcuData(before);
      const loads = readProgramHeaders(before).filter(({ type }) => type === PT_LOAD);
      const segment = loads.find(
        ({ offset, filesz }) => free.start >= offset && free.end <= offset + filesz,
      );
      const addressOf = (offset: number) => offset - (segment?.offset ?? 0) + (segment?.vaddr ?? 0);
      const after = readProgramHeaders(new Uint8Array(readFileSync(path())));
      for (const at of [free.start + 131_072, (free.start + free.end) / 2, free.end - 131_072]) {
        const address = addressOf(at);
        const mapped = after.some(
          ({ type, vaddr, memsz }) =>
            type === PT_LOAD && address >= vaddr && address < vaddr + memsz,
        );
        expect(mapped).toBe(false);
      }
    });

    test("gives the same bytes twice", () => {
      const [first, second] = [shrink(plainProgram(target)), shrink(plainProgram(target))];
      expect(Buffer.compare(first, second)).toBe(0);
    });

    test("has a program header table that is in memory where it is in the file", () => {
      for (const name of [path(), `${path()}-only`]) {
        const file = new Uint8Array(readFileSync(name));
        const { phoff, phnum } = readHeader(file);
        const [first] = readProgramHeaders(file).filter(({ type }) => type === PT_LOAD);
        // Linux before 5.18 computes its address from the first segment alone.
        expect(first?.offset).toBe(0);
        expect(phoff + phnum * 56).toBeLessThanOrEqual(first?.filesz ?? 0);
        // And takes no more than a page of them.
        expect(phnum * 56).toBeLessThan(4096);
      }
    });

    test("refuses a program that is shrunk already", () => {
      expect(() => shrink(new Uint8Array(readFileSync(`${path()}-only`)))).toThrow(
        "ICU's data is not as expected",
      );
    });

    test("refuses a program whose .bss does not hold zeros, or with more after its sections", () => {
      const file = new Uint8Array(plainProgram(target));
      const sections = readSections(file);
      const ours = sections.find(({ name }) => name === ".bun");
      file[(ours?.offset ?? 0) - 100] = 1;
      expect(() => shrink(file)).toThrow(
        "its section .bss is not followed by .bun, or not of zeros",
      );
      expect(() => shrink(Buffer.concat([plainProgram(target), Buffer.alloc(1)]))).toThrow(
        "its section header table is not the last part of the file",
      );
    });

    test("verify() finds a byte that is not at its address", () => {
      const { file: cut, free } = cutIcuData(plainProgram(target));
      const shrunk = shrink(plainProgram(target));
      verify(cut, shrunk, free);
      for (const { offset, filesz } of readProgramHeaders(shrunk).filter(
        ({ type }) => type === PT_LOAD,
      )) {
        const at = offset + filesz - 1;
        const changed = new Uint8Array(shrunk);
        changed[at] = (changed[at] ?? 0) ^ 1;
        expect(() => verify(cut, changed, free)).toThrow("are not the same");
      }
    });

    test.skipIf(words === undefined)("a program runs, and says what it said before", () => {
      const before = output(join(folder, PROGRAM.outputName(target)), "same");
      expect(before).toContain("normalized");
      expect(output(path(), "same")).toBe(before);
      expect(output(`${path()}-only`, "same")).toBe(before);
    });

    test.skipIf(words === undefined)("what asks for locales is refused or does without", () => {
      const said = output(path(), "locales");
      expect(said).toContain("date TypeError: failed to initialize DateTimeFormat");
      expect(said).toContain("zone 01:00:00 GMT+0100\n");
      expect(said).toContain("collator TypeError: failed to initialize Collator");
      expect(said).not.toContain("panic");
    });

    test.skipIf(Bun.which("readelf") === null)("is read by readelf without a warning", () => {
      const readelf = ["readelf", "--headers", "--notes", "--dynamic", "--relocs", "-W", path()];
      const { stdout, stderr } = Bun.spawnSync(readelf);
      expect(stderr.toString()).toBe("");
      expect(stdout.toString().split(" LOAD ")).toHaveLength(7);
    });
  });
}

test("the runtime as it ships keeps its budget", async () => {
  for (const target of ARCHITECTURES) {
    const path = await compile(BOOTSTRAP, target, folder);
    expect(Bun.file(path).size).toBeLessThan(74_000_000);
  }
});

describe.skipIf(HOST_ARCHITECTURE === undefined)("a shrunk program", () => {
  const target = HOST_ARCHITECTURE ?? (ARCHITECTURES[0] as Architecture);
  const path = () => join(folder, `shrunk-${target.name}`);
  const plainPath = () => join(folder, PROGRAM.outputName(target));
  const output = (...words: string[]): string => {
    const { stdout, stderr } = Bun.spawnSync(words, { env: { PATH: process.env["PATH"] ?? "" } });
    return `${stdout}${stderr}`;
  };

  test.skipIf(Bun.which("file") === null)("is an executable to file", () => {
    expect(output("file", "-b", path())).toBe(output("file", "-b", plainPath()));
  });

  test.skipIf(Bun.which("ldd") === null)("needs the same libraries, says ldd", () => {
    const names = (words: string) => words.replaceAll(/\(0x[0-9a-f]+\)/g, "");
    expect(names(output("ldd", path()))).toBe(names(output("ldd", plainPath())));
  });

  test.skipIf(Bun.which("gdb") === null)("runs in gdb, which finds its sections", () => {
    const script = ["-ex", "run", "-ex", "info files"];
    const said = output("gdb", "-batch", "-nx", ...script, "--args", path(), "same");
    expect(/exited \w+/.exec(said)?.[0]).toBe("exited normally");
    expect(said.match(/ is \.rodata$/gm)).toHaveLength(2);
  });
});
