/** What is found by looking is what the kernel says, and what the Bun that compiles the tool needs. */

import { expect, test } from "bun:test";
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";

import { compilerBun } from "../../build/bun-executable.ts";
import { outputOf } from "../testing/running-tool.ts";
import { temporaryFolder } from "../testing/temporary-folder.ts";
import { guarded, startErrno } from "./guard.ts";
import { startFault } from "./start-fault.ts";

const FOLDER = temporaryFolder("faults");

/** A file of these bytes, and its path. */
function file(name: string, content: string | Uint8Array, mode = 0o755): string {
  const path = join(FOLDER, name);
  writeFileSync(path, content);
  chmodSync(path, mode);
  return path;
}

const TRUE = readFileSync("/bin/true");
const otherMachine = Buffer.from(TRUE);
otherMachine.writeUInt16LE(process.arch === "arm64" ? 62 : 183, 18);
const otherLoader = Buffer.from(TRUE);
const LOADER = ["/lib64/ld-", "/lib/ld-"].map((path) => otherLoader.indexOf(path));
otherLoader.write("/no/", Math.max(...LOADER));

mkdirSync(join(FOLDER, "folder"));
symlinkSync("loop", join(FOLDER, "loop"));
symlinkSync("script", join(FOLDER, "link"));
copyFileSync("/bin/true", join(FOLDER, "copy"));
chmodSync(join(FOLDER, "copy"), 0o755);
for (let depth = 1; depth <= 7; depth += 1) {
  file(`nested${depth}`, `#!${depth === 1 ? "/bin/true" : join(FOLDER, `nested${depth - 1}`)}\n`);
}

const PROGRAMS: readonly (readonly [what: string, program: string, fault: string | undefined])[] = [
  ["a program", "/bin/true", undefined],
  ["a copy of one", join(FOLDER, "copy"), undefined],
  ["a script", file("script", "#!/bin/true\n"), undefined],
  ["a script with an argument", file("argument", "#! /bin/true -x y\n"), undefined],
  ["a script without a line end", file("unended", "#!/bin/true"), undefined],
  ["a script by env", file("env", "#!/usr/bin/env true\n"), undefined],
  ["a link to a script", join(FOLDER, "link"), undefined],
  ["a script of a script", join(FOLDER, "nested2"), undefined],
  ["nothing", "/no/such/program", "ENOENT"],
  ["a path through a file", "/etc/passwd/x", "ENOTDIR"],
  ["a link to itself", join(FOLDER, "loop"), "ELOOP"],
  ["a name that is too long", `/${"x".repeat(300)}`, "ENAMETOOLONG"],
  ["a folder", join(FOLDER, "folder"), "EACCES"],
  ["a script that is not executable", file("plain", "#!/bin/true\n", 0o644), "EACCES"],
  ["a program that is not executable", file("elf644", TRUE, 0o644), "EACCES"],
  ["a script whose interpreter is missing", file("missing", "#!/no/such/shell\n"), "ENOENT"],
  ["one whose interpreter ends in a carriage return", file("crlf", "#!/bin/true\r\n"), "ENOENT"],
  [
    "one whose interpreter is not executable",
    file("bad", `#!${file("no-x", "", 0o644)}\n`),
    "EACCES",
  ],
  ["a script without an interpreter", file("none", "#!\n"), "ENOEXEC"],
  ["a text", file("text", "echo hi\n"), "ENOEXEC"],
  ["an empty file", file("empty", ""), "ENOEXEC"],
  ["a program for another machine", file("machine", otherMachine), "ENOEXEC"],
  ["the beginning of a program", file("short", TRUE.subarray(0, 20)), "ENOEXEC"],
  ["a program whose loader is missing", file("loader", otherLoader), "ENOENT"],
  ["scripts of scripts of scripts", join(FOLDER, "nested7"), "ELOOP"],
];

/** Reasons for which the guard has no signal of their own. */
const UNTOLD = ["ELOOP", "ENAMETOOLONG"];

test.each(PROGRAMS)("%s: startFault() is what the kernel says", async (_what, program, fault) => {
  expect(startFault([program], "/", {})).toBe(fault);
  const { promise, resolve } = Promise.withResolvers<number | string | null>();
  Bun.spawn({
    ...(guarded([program]) ?? { cmd: [] }),
    detached: true,
    stdio: ["ignore", "ignore", "ignore"],
    onExit: (_process, _status, signal) => resolve(signal),
  });
  const signal = await promise;
  const errno = typeof signal === "number" ? startErrno(signal) : undefined;
  const code = Object.entries(constants.errno).find(([, number]) => number === errno)?.[0];
  expect(code).toBe(UNTOLD.includes(fault ?? "") ? undefined : fault);
});

test("a relative path, and words that are too long", () => {
  expect(startFault(["./copy"], FOLDER, {})).toBeUndefined();
  expect(startFault(["./plain"], FOLDER, {})).toBe("EACCES");
  const long = "x".repeat(128 * 1024);
  expect(startFault(["/bin/true", long], "/", {})).toBe("E2BIG");
  expect(startFault(["/bin/true"], "/", { LONG: long })).toBe("E2BIG");
  expect(startFault(["/bin/true", long.slice(1)], "/", {})).toBeUndefined();
});

const TOOL = join(import.meta.dir, "..", "lambda-shell.ts");

/** Runs an event with a bootstrap by the Bun that the tool is compiled with. */
const runCompiled = (...command: readonly string[]) => runWith(compilerBun(), ...command);

const runWith = (bun: string, ...command: readonly string[]) =>
  outputOf(
    Bun.spawn([bun, TOOL, "run", FOLDER, ...command], {
      env: { PATH: process.env["PATH"] ?? "", NO_COLOR: "1" },
      stdin: new Blob(["{}"]),
      stdout: "pipe",
      stderr: "pipe",
    }),
  );

test.each([
  ["plain", "permission denied"],
  ["missing", "no such file or directory"],
  ["text", "exec format error"],
  ["machine", "exec format error"],
])("the tool's own Bun tells that %s cannot be executed: %s", async (name, words) => {
  const path = join(FOLDER, name);
  const { status, errors } = await runCompiled("--", path);
  expect(status).toBe(4);
  expect(errors).toBe(`error: Runtime.InvalidEntrypoint: fork/exec ${path}: ${words}\n`);
});

test.each([
  [join(FOLDER, "loop"), "ELOOP"],
  [`/${"x".repeat(300)}`, "ENAMETOOLONG"],
  ["/etc/passwd/x", "not a directory"],
  ["/no/such", "Couldn't find valid bootstrap"],
])("a bootstrap that is not a file is told by its reason: %s", async (path, words) => {
  for (const bun of [compilerBun(), process.execPath]) {
    const { status, errors } = await runWith(bun, "--", path);
    expect(status).toBe(4);
    expect(errors).toStartWith("error: Runtime.InvalidEntrypoint: ");
    expect(errors).toContain(words);
  }
});

test("the tool's own Bun tells that an extension cannot be executed", async () => {
  const layer = temporaryFolder("layer");
  mkdirSync(join(layer, "extensions"));
  copyFileSync(join(FOLDER, "plain"), join(layer, "extensions", "plain"));
  chmodSync(join(layer, "extensions", "plain"), 0o644);
  const { errors } = await runCompiled("--layer", layer, "--", "/bin/true");
  expect(errors).toContain("error: Extension.LaunchError: fork/exec ");
  expect(errors).toContain("permission denied");
});

test.each([
  ["exit 3", "exit status 3"],
  ["kill -9 $$", "signal: killed"],
  ["kill -40 $$", "signal: signal without a name"],
])("the tool's own Bun tells that a bootstrap has ended by itself: %s", async (script, words) => {
  const path = file("ends", `#!/bin/sh\n${script}\n`);
  expect((await runCompiled("--", path)).errors).toBe(`error: Runtime.ExitError: ${words}\n`);
});
