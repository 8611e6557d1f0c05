import { describe, expect, test } from "bun:test";

import { describeEnd, exitError, exitStatusOf, type LastWords } from "./exit-error.ts";

const NOTHING: LastWords = { lines: [], output: "", command: "" };
const exited = (status: number) => ({ kind: "exited", status }) as const;
const messageOf = (status: number, words: Partial<LastWords> = {}) =>
  exitError("the handler", exitStatusOf(status), { ...NOTHING, ...words }).errorMessage;

describe("a shell's status", () => {
  test("is an exit status up to 128, and above where there is no such signal", () => {
    for (const status of [0, 1, 2, 125, 126, 127, 128, 160, 161, 192, 200, 254, 255, 256]) {
      expect(exitStatusOf(status)).toEqual({ kind: "exited", status });
    }
  });

  test("is a signal from 129 to 159", () => {
    for (let status = 129; status <= 159; status += 1) {
      expect(exitStatusOf(status)).toEqual({ kind: "signaled", signal: status - 128 });
    }
  });

  test("is a signal of ksh93 from 257 on", () => {
    for (const signal of [1, 9, 15, 31, 34, 64]) {
      expect(exitStatusOf(256 + signal)).toEqual({ kind: "signaled", signal });
    }
  });

  test("decides the type of the error", () => {
    for (let status = 1; status <= 255; status += 1) {
      const isSignal = status > 128 && status < 160;
      const { errorType } = exitError("the handler", exitStatusOf(status), NOTHING);
      expect([status, errorType]).toEqual([
        status,
        isSignal ? "Function.KilledBySignal" : "Function.ExitError",
      ]);
    }
  });
});

describe("the message of an error", () => {
  test("of a handler whose status was read by another program", () => {
    const { errorType, errorMessage } = exitError("the handler", { kind: "lost" }, NOTHING);
    expect(errorType).toBe("Function.ExitError");
    expect(errorMessage).toStartWith("the handler has ended, but a program that reads");
  });

  test.each([
    [129, "SIGHUP (signal 1, exit status 129)"],
    [137, "SIGKILL (signal 9, exit status 137): if it was out of memory, raise the memory size"],
    [139, "SIGSEGV (signal 11, exit status 139)"],
    [143, "SIGTERM (signal 15, exit status 143)"],
    [159, "SIGSYS (signal 31, exit status 159)"],
  ])("for status %d names the signal", (status, words) => {
    expect(messageOf(status)).toBe(`the handler was killed by ${words}`);
  });

  test("of a signal without a name has its number", () => {
    const end = { kind: "signaled", signal: 64 } as const;
    expect(describeEnd("it", end)).toBe("it was killed by a signal (signal 64, exit status 192)");
  });

  test("has the last line, else the output's, else the last command", () => {
    const words = { lines: ["first", "last"], output: "out", command: "cmd" };
    expect(messageOf(3, words)).toBe("the handler exited with status 3: last");
    expect(messageOf(3, { ...words, lines: [] })).toBe("the handler exited with status 3: out");
    expect(messageOf(3, { command: "x=$(false) (in handler)" })).toBe(
      "the handler exited with status 3; its last command: x=$(false) (in handler)",
    );
    expect(messageOf(3)).toBe("the handler exited with status 3");
  });

  test.each([
    ["f.sh: line 3: /usr/bin/cat: Argument list too long", 126, "too long for a program"],
    ["f.sh: line 3: NAME: unbound variable", 127, "(an unset variable, under set -u)"],
    ["f.sh: line 3: 1: unbound variable", 127, "(an unset variable, under set -u)"],
    ["f.sh: line 3: names[3]: unbound variable", 127, "(an unset variable, under set -u)"],
    ["f: 3: cat: Argument list too long", 126, "standard input"],
    ["f.sh: line 1: ./ef: cannot execute binary file: Exec format error", 126, "another processor"],
    ["f: 1: ./ef: Exec format error", 126, "another processor"],
    ["E: mksh: ./ef: not executable: 1024-bit ELF file", 126, "another processor"],
    ["f.sh: line 1: ./ni: cannot execute: required file not found", 127, "the interpreter of"],
    ["f.sh: ./ni: /nosuch: bad interpreter: No such file or directory", 126, "the interpreter of"],
    ["f.sh: line 1: /tmp: Is a directory", 126, "a folder"],
    ["ksh93: /tmp: cannot execute [Is a directory]", 126, "a folder"],
    ["f.sh: line 1: ./np: Permission denied", 126, "(a command was not executable)"],
    ["f: 1: ./np: Permission denied", 126, "(a command was not executable)"],
    ["f.sh: line 1: nosuch: command not found", 127, "(a command was not found)"],
    ["f: 1: nosuch: not found", 127, "(a command was not found)"],
    ["/var/task/f: 1: nosuch: not found", 127, "(a command was not found)"],
    ["/var/task/f: line 1: /opt/bin/nosuch: No such file or directory", 127, "(a command, or the"],
    ["E: f: ./nosuch: inaccessible or not found", 127, "(a command, or the interpreter"],
    ["f: 1: ./ni: not found", 127, "(a command, or the interpreter of a script, was not found)"],
    ["f.sh: line 1: ./ni: No such file or directory", 127, "(a command, or the interpreter"],
    [
      "f.sh: line 1: ./data/x: Not a directory",
      126,
      "(a command was not found: a part of its path",
    ],
    ["f.sh: line 1: ./x: Text file busy", 126, "(a program was still open for writing)"],
    ["f: 3: {\r: not found", 127, "CRLF line ends"],
    ["f: line 3: ls\r: not found", 127, "CRLF line ends"],
    ["f.sh: line 2: $'ls\\r': command not found", 127, "CRLF line ends"],
    ["f.sh: line 1: ./x\r: No such file or directory", 127, "CRLF line ends"],
    ["./lib.sh: line 1: `work() {\r'", 2, "CRLF line ends"],
    ["words of the handler's own", 126, "(which shells use for a command that could not be exec"],
    ["words of the handler's own", 127, "(which shells use for a command that was not found)"],
  ])("for %s has the reason", (line, status, reason) => {
    const message = messageOf(status, { lines: [line] });
    expect(message).toContain(reason);
    expect(message).toEndWith(`): ${line}`);
  });

  test.each([
    [
      "f.sh: line 1: /bin/cat: Argument list too long",
      "f.sh: line 1: /bin/cat: Success",
      "too long",
    ],
    ["f.sh: line 1: ./e: Exec format error", "f.sh: line 1: ./e: Success", "another processor"],
  ])("has the reason that stands before a success: %s", (line, success, reason) => {
    const message = messageOf(126, { lines: ["first", line, success] });
    expect(message).toContain(reason);
    expect(message).toEndWith(line);
    expect(messageOf(126, { lines: ["first", success] })).toEndWith(success);
    expect(messageOf(1, { lines: [line, "upload: Success"] })).toEndWith("1: upload: Success");
  });

  test.each([
    "f.sh: line 3: TABLE: parameter null or not set",
    "f.sh: line 3: TABLE: set it to a table's name",
    'f.sh: line 3: 1/0: division by 0 (error token is "0")',
    "f.sh: line 3: NAME: readonly variable",
  ])("has no reason beside bash's own: %s", (line) => {
    expect(messageOf(127, { lines: [line] })).toBe(`the handler exited with status 127: ${line}`);
  });

  test("has no reason for another status", () => {
    const line = "f: 1: nosuch: not found";
    for (const status of [1, 2, 125, 128]) {
      expect(messageOf(status, { lines: [line] })).toBe(
        `the handler exited with status ${status}: ${line}`,
      );
    }
  });

  test("is cut at 2,048 characters", () => {
    const message = messageOf(1, { lines: ["x".repeat(5_000)] });
    expect(message.length).toBe(2_049);
    expect(message).toEndWith("x…");
    const exact = `: ${"x".repeat(2_048 - "the handler exited with status 1: ".length)}`;
    expect(messageOf(1, { lines: [exact.slice(2)] })).toEndWith("x");
  });

  test.each([0, 1, 2, 3])("is not cut inside a character: %d", (shift) => {
    for (const character of ["😀", "€", "𝄞"]) {
      const message = messageOf(1, { lines: ["x".repeat(shift) + character.repeat(3_000)] });
      expect(message.isWellFormed()).toBe(true);
      expect(message).toEndWith(`${character}…`);
    }
  });
});

describe("an error that names itself", () => {
  test.each([
    ["ValidationError: no name", "ValidationError", "no name"],
    [
      "com.example.v2.Not_FoundException: no: such: key",
      "com.example.v2.Not_FoundException",
      "no: such: key",
    ],
    ["E1Error: x", "E1Error", "x"],
  ])("%s", (line, errorType, errorMessage) => {
    const error = exitError("the handler", exited(1), { ...NOTHING, lines: ["a", line] });
    expect(error).toEqual({ errorType, errorMessage, stackTrace: ["a", line] });
  });

  test.each([
    ...["Error: x", "ValidationError:x", "ValidationError", "1Error: x", " ValidationError: x"],
    ...["My-Error: x", "ValidationErrors: x", "2026-01-01T10:00:00 started"],
  ])("%s does not", (line) => {
    const { errorType } = exitError("the handler", exited(1), { ...NOTHING, lines: [line] });
    expect(errorType).toBe("Function.ExitError");
  });

  test("counts only on the last line, and on standard error", () => {
    const lines = ["ValidationError: old", "giving up"];
    expect(exitError("it", exited(1), { ...NOTHING, lines }).errorType).toBe("Function.ExitError");
    const output = "ValidationError: x";
    expect(exitError("it", exited(1), { ...NOTHING, output }).errorType).toBe("Function.ExitError");
  });
});
