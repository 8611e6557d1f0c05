import { beforeAll, describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { temporaryFolder } from "../../src/testing/temporary-folder.ts";
import { ARCHITECTURES, HOST_ARCHITECTURE } from "../architectures.ts";
import { lockedBun } from "../bun-executable.ts";
import { compile, type Program } from "../compile.ts";
import {
  ENTRY_FIELD,
  PF_X,
  PROGRAM_HEADER_BYTES,
  type ProgramHeader,
  PT_LOAD,
  readHeader,
  readProgramHeaders,
} from "./elf.ts";
import { type PageProfile, readProfile } from "./hot-pages.ts";
import { addStub, architectureOf, GROWTH_BYTES_MAX, verify } from "./prefetch.ts";
import { ENTRY_AT, type ProgramEnvironment, TABLE_AT } from "./stub.ts";

const PROGRAM: Program = {
  entry: "build/prefetch/fixtures/program.ts",
  outputName: ({ name }) => `program-${name}`,
  bun: "small",
  environment: undefined,
  prefetch: false,
  shrink: false,
  optimized: false,
  flags: [],
};

/** An environment that stays as it is, but for names that no test uses. */
const environment: ProgramEnvironment = { kind: "without", prefixes: [] };
/** What an empty list of prefixes takes, in bytes. */
const NO_PREFIXES_BYTES = 1;

/** Compiling copies 109 MB twice, and once fetches the other architecture's Bun. */
const COMPILE_MS_MAX = 120_000;

const folder = temporaryFolder("prefetch");
const plain = new Map<string, Uint8Array>();

beforeAll(async () => {
  for (const target of ARCHITECTURES) {
    plain.set(target.name, new Uint8Array(readFileSync(await compile(PROGRAM, target, folder))));
  }
}, COMPILE_MS_MAX);

function unreachable(): never {
  throw new Error("unreachable");
}

function segmentWithCode(file: Uint8Array): ProgramHeader {
  const found = readProgramHeaders(file).find(({ flags }) => (flags & PF_X) !== 0);
  return found ?? unreachable();
}

function plainProgram(name: string): Uint8Array {
  return plain.get(name) ?? unreachable();
}

for (const target of ARCHITECTURES) {
  describe(`addStub() for ${target.name}`, () => {
    const profile = readProfile(lockedBun(target).version, target);

    test("keeps every byte at its file offset, but for the entry point and the table", () => {
      const original = plainProgram(target.name);
      const { file } = addStub(original, { environment, profile });
      const { phoff, phnum } = readHeader(original);
      const table = phoff + phnum * PROGRAM_HEADER_BYTES;
      const kept = [
        [0, ENTRY_FIELD.at],
        [ENTRY_FIELD.at + ENTRY_FIELD.bytes, phoff],
        [table, original.byteLength],
      ] as const;
      for (const [start, end] of kept) {
        const same = Buffer.compare(original.subarray(start, end), file.subarray(start, end));
        expect(same).toBe(0);
      }
    });

    test("adds one segment that ends in the file, above the image, and jumps to the entry", () => {
      const original = plainProgram(target.name);
      const { file, runs } = addStub(original, { environment, profile });
      const before = readProgramHeaders(original);
      const added = readProgramHeaders(file).filter(
        ({ vaddr, type }) => type === PT_LOAD && !before.some((row) => row.vaddr === vaddr),
      );
      expect(added).toHaveLength(1);
      const segment = added[0] ?? unreachable();
      expect(readHeader(file).entry).toBe(segment.vaddr);
      expect(segment.offset + segment.filesz).toBe(file.byteLength);
      expect(segment.filesz).toBe(TABLE_AT + (runs + 1) * 8 + NO_PREFIXES_BYTES);
      const ends = before.map(({ vaddr, memsz }) => vaddr + memsz);
      expect(segment.vaddr).toBeGreaterThan(Math.max(...ends));
      const jump = Buffer.from(file).readBigUInt64LE(segment.offset + ENTRY_AT);
      expect(Number(jump)).toBe(readHeader(original).entry);
    });

    test("adds less than it may and gives the same bytes twice", () => {
      const original = plainProgram(target.name);
      const first = addStub(original, { environment, profile });
      expect(first.addedBytes).toBeGreaterThan(0);
      expect(first.addedBytes).toBeLessThan(GROWTH_BYTES_MAX);
      expect(Buffer.compare(first.file, addStub(original, { environment, profile }).file)).toBe(0);
    });

    test("refuses a program that has the stub already", () => {
      const { file } = addStub(plainProgram(target.name), { environment, profile });
      expect(() => addStub(file, { environment, profile })).toThrow(
        "its first program header is not PT_PHDR, whose row the stub takes: " +
          "has it the stub already? compile it again",
      );
    });

    test("refuses the profile of another Bun", () => {
      const other: PageProfile = { ...profile, bun: "9.9.9", buildId: "00ff" };
      expect(() => addStub(plainProgram(target.name), { environment, profile: other })).toThrow(
        `its build id is ${profile.buildId}, but the page profile of Bun 9.9.9 is for 00ff: ` +
          "it is another Bun; take a profile with `make page-profile`, or build with PREFETCH=off",
      );
    });

    test("refuses a profile with pages that are in no segment", () => {
      const other: PageProfile = { ...profile, runs: [...profile.runs, "fffff+1"] };
      expect(() => addStub(plainProgram(target.name), { environment, profile: other })).toThrow(
        "the page profile has 0xfffff000 to 0x100000000, which is in no segment of Bun's; " +
          "take a new one with `make page-profile`",
      );
    });

    test("verify() finds a byte that is not at its address", () => {
      const original = plainProgram(target.name);
      const { file } = addStub(original, { environment, profile });
      verify(original, file);
      const code = segmentWithCode(original);
      const at = code.offset + code.filesz - 1;
      file[at] = (file[at] ?? 0) ^ 1;
      expect(() => verify(original, file)).toThrow("has other bytes");
    });
  });
}

describe("addStub()", () => {
  const target = ARCHITECTURES[0] ?? unreachable();
  const profile = readProfile(lockedBun(target).version, target);

  /** The start of a program with a few bytes changed; what is refused is refused by its headers. */
  function changed(change: (view: DataView) => void): Uint8Array {
    const file = plainProgram(target.name).slice();
    change(new DataView(file.buffer));
    return file;
  }

  test("refuses a position-independent executable", () => {
    const file = changed((view) => view.setUint16(16, 3, true));
    expect(() => addStub(file, { environment, profile })).toThrow(
      "it is position-independent (PIE, ET_DYN): the table holds fixed addresses; " +
        "link without -pie",
    );
  });

  test("refuses an object file", () => {
    const file = changed((view) => view.setUint16(16, 1, true));
    expect(() => addStub(file, { environment, profile })).toThrow(
      "it is not an executable (e_type 1, not ET_EXEC)",
    );
  });

  test("refuses a segment with other sizes in the file and in memory", () => {
    const headers = readProgramHeaders(plainProgram(target.name));
    const row = headers.findLastIndex(({ type }) => type === PT_LOAD);
    const memsz = (headers[row]?.memsz ?? 0) + 4096;
    const file = changed((view) => {
      const at = readHeader(plainProgram(target.name)).phoff + row * PROGRAM_HEADER_BYTES;
      view.setBigUint64(at + 40, BigInt(memsz), true);
    });
    expect(() => addStub(file, { environment, profile })).toThrow(
      `has ${memsz - 4096} bytes in the file and ${memsz} in memory: the heap begins there`,
    );
  });

  test("refuses another version of ELF", () => {
    const file = changed((view) => view.setUint32(20, 2, true));
    expect(() => addStub(file, { environment, profile })).toThrow(
      "version 1 and 2; only ELF version 1",
    );
  });

  test("refuses a machine that has no stub", () => {
    const file = changed((view) => view.setUint16(18, 243, true));
    expect(() => addStub(file, { environment, profile })).toThrow(
      "the machine (e_machine) is 243; only x86-64",
    );
  });

  test("refuses the profile of another architecture", () => {
    const other: PageProfile = { ...profile, architecture: "arm64" };
    expect(() => addStub(plainProgram("amd64"), { environment, profile: other })).toThrow(
      "it is for amd64, the page profile for arm64",
    );
  });

  test("refuses what is not an ELF file, and a file that ends early", () => {
    const script = new TextEncoder().encode("#!/bin/sh\n".repeat(20));
    expect(() => addStub(script, { environment, profile })).toThrow(
      "does not begin with 7f 45 4c 46",
    );
    expect(() => addStub(plainProgram("amd64").slice(0, 200), { environment, profile })).toThrow(
      RangeError,
    );
  });

  test("knows the architecture of a program", () => {
    for (const each of ARCHITECTURES) expect(architectureOf(plainProgram(each.name))).toBe(each);
  });
});

test("readProfile() says what to do about a Bun without a profile", () => {
  expect(() => readProfile("9.9.9", ARCHITECTURES[0] ?? unreachable())).toThrow(
    /^failed to find the page profile of Bun 9\.9\.9 for amd64: .*`make page-profile`.*PREFETCH=off$/,
  );
});

describe("a prefetched program", () => {
  const target = HOST_ARCHITECTURE ?? unreachable();
  const profile = readProfile(lockedBun(target).version, target);

  const path = () => join(folder, "prefetched");
  const plainPath = () => join(folder, PROGRAM.outputName(target));

  beforeAll(() => {
    const { file } = addStub(plainProgram(target.name), { environment, profile });
    writeFileSync(path(), file, { mode: 0o755 });
  });

  function output(words: string[]): string {
    const { stdout, stderr } = Bun.spawnSync(words, { env: { PATH: process.env["PATH"] ?? "" } });
    return stdout.toString() + stderr.toString();
  }

  test("gets its arguments and runs", () => {
    expect(output([path(), "a", "b c"])).toBe("hello a b c\n");
  });

  // A file system in memory can't forget a page.
  const isOnDisk = !/tmpfs|ramfs/.test(output(["stat", "-f", "-c", "%T", folder]));

  test.skipIf(Bun.which("strace") === null || !isOnDisk)(
    "asks for its pages unless they are in memory",
    () => {
      const log = join(folder, "strace.log");
      const asked = () => {
        output(["strace", "-o", log, "-e", "trace=madvise", path()]);
        return readFileSync(log, "utf8").split("MADV_WILLNEED").length - 1;
      };
      // Only what is on the disk can be forgotten.
      output(["sync", path()]);
      output(["dd", `if=${path()}`, "iflag=nocache", "count=0"]);
      const cold = asked();
      const warm = asked();
      // Some are Bun's own.
      expect(cold - warm).toBe(addStub(plainProgram(target.name), { environment, profile }).runs);
    },
  );

  test("crashes with Bun's own report", () => {
    const reports = [path(), plainPath()].map((program) =>
      output([program, "crash", "64"])
        .split("\n")
        .filter((line) => /^panic|^oh no|^Args|bun\.report/.test(line))
        .map((line) => line.replaceAll(program, "PROGRAM")),
    );
    expect(reports[0]?.[0]).toMatch(/^Args|^panic/);
    expect(reports[0]?.join("\n")).toContain("Segmentation fault at address 0x40");
    expect(reports[0]).toHaveLength(reports[1]?.length ?? 0);
  });

  test.skipIf(Bun.which("readelf") === null)("is read by readelf without a warning", () => {
    const lines = output(["readelf", "--headers", "--notes", "--dynamic", "-W", path()]).split(
      "\n",
    );
    expect(lines.filter((line) => line.includes(" LOAD "))).toHaveLength(4);
    expect(lines.filter((line) => line.startsWith("readelf: "))).toEqual([]);
  });

  test.skipIf(Bun.which("file") === null)("is an executable to file", () => {
    expect(output(["file", "-b", path()])).toBe(output(["file", "-b", plainPath()]));
  });

  test.skipIf(Bun.which("ldd") === null)("needs the same libraries, says ldd", () => {
    const names = (words: string) => words.replaceAll(/\(0x[0-9a-f]+\)/g, "");
    expect(names(output(["ldd", path()]))).toBe(names(output(["ldd", plainPath()])));
  });

  test.skipIf(Bun.which("gdb") === null)("keeps the registers of the entry, seen by gdb", () => {
    const [stubEntry, entry] = [path(), plainPath()].map((p) => readHeader(readFileSync(p)).entry);
    const registers = target.name === "arm64" ? "x0 sp" : "rdx rsp rbp";
    const script = ["-ex", `break *${stubEntry}`, "-ex", "run"];
    script.push("-ex", `info registers ${registers}`, "-ex", `break *${entry}`);
    script.push("-ex", "continue", "-ex", `info registers ${registers}`, "-ex", "continue");
    const said = output(["gdb", "-batch", "-nx", ...script, path()]);
    const values = [...said.matchAll(/^(?:rdx|rsp|rbp|x0|sp) .*$/gm)].map(([line]) => line);
    const half = registers.split(" ").length;
    expect(values).toHaveLength(2 * half);
    expect(values.slice(half)).toEqual(values.slice(0, half));
    expect(said).toContain("hello");
    expect(said).toContain("exited normally");
  });
});
