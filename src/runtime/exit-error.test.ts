import { describe, expect, test } from "bun:test";

import { describeEnd, exitError, exitStatusOf, type LastWords } from "./exit-error.ts";

const NOTHING: LastWords = { lines: [], output: "", command: "", remedy: "" };
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
    [129, "SIGHUP (signal 1, exit status 129): or a program ended with this status, as git"],
    [130, "SIGINT (signal 2, exit status 130)"],
    [132, "SIGILL (signal 4, exit status 132): a program may be built for another processor"],
    [137, "SIGKILL (signal 9, exit status 137): if it was out of memory, raise the memory size"],
    [
      139,
      "SIGSEGV (signal 11, exit status 139): a program has a fault, or a function calls itself without",
    ],
    [
      141,
      "SIGPIPE (signal 13, exit status 141): a program wrote to a pipe that nobody reads any more",
    ],
    [143, "SIGTERM (signal 15, exit status 143)"],
    [159, "SIGSYS (signal 31, exit status 159)"],
  ])("for status %d names the signal", (status, words) => {
    expect(messageOf(status)).toStartWith(`the handler was killed by ${words}`);
  });

  test("has no cause of a script's signals for what is not a script", () => {
    const end = (signal: number) => describeEnd("loop 1 of 2", { kind: "signaled", signal });
    expect(end(11)).toBe("loop 1 of 2 was killed by SIGSEGV (signal 11, exit status 139)");
    expect(end(9)).toEndWith("raise the memory size");
  });

  test("of a signal without a name has its number", () => {
    const end = { kind: "signaled", signal: 64 } as const;
    expect(describeEnd("it", end)).toBe("it was killed by a signal (signal 64, exit status 192)");
  });

  test("has the last line, else the output's, else the last command", () => {
    const words = { lines: ["first", "last"], output: "out", command: "cmd" };
    expect(messageOf(3, words)).toBe("the handler exited with status 3: last");
    expect(messageOf(3, { ...words, lines: [] })).toBe(
      "the handler exited with status 3: out; its last command: cmd",
    );
    expect(messageOf(3, { output: "out" })).toBe("the handler exited with status 3: out");
    expect(messageOf(3, { command: "x=$(false) (in handler)" })).toBe(
      "the handler exited with status 3; its last command: x=$(false) (in handler)",
    );
    expect(messageOf(3)).toBe("the handler exited with status 3");
  });

  test("has the output alone if the handler has then ended itself", () => {
    for (const command of ["exit 3 (in handler)", "return 1 (in check, which handler calls)"]) {
      expect(messageOf(3, { output: "no branch", command })).toEndWith("status 3: no branch");
      expect(messageOf(3, { command })).toEndWith(`; its last command: ${command}`);
    }
    const command = "exit_code=$(false) (in handler)";
    expect(messageOf(3, { output: "{", command })).toEndWith(`: {; its last command: ${command}`);
  });

  test("has what to do only if nothing else is known", () => {
    const remedy = "look at the log";
    expect(messageOf(3, { remedy })).toBe("the handler exited with status 3; look at the log");
    for (const words of [{ lines: ["a"] }, { output: "a" }, { command: "a" }]) {
      expect(messageOf(3, { ...words, remedy })).not.toContain(remedy);
    }
  });

  test("for a name that only bash has for functions says so", () => {
    const line = "f.sh: line 2: `my-helper': not a valid identifier";
    expect(messageOf(2, { lines: [line] })).toBe(
      "the handler exited with status 2 (only bash has functions of such a name: " +
        `begin the file with #!/bin/bash): ${line}`,
    );
    const others = ["f.sh: line 2: export: `a-b': not a valid identifier"];
    expect(messageOf(2, { lines: others })).not.toContain("#!/bin/bash");
    expect(messageOf(1, { lines: [line] })).not.toContain("#!/bin/bash");
  });

  test("of a status of timeout says so", () => {
    expect(messageOf(124)).toBe(
      "the handler exited with status 124 (the status of timeout, when its time is over)",
    );
  });

  test.each([
    ["f.sh: line 2: .: lib.sh: file not found", 1],
    ["f.sh: line 2: source: lib.sh: file not found", 1],
    ["f: 2: .: lib.sh: not found", 2],
    ["f: .: line 2: lib.sh: not found", 2],
    ["E: f: f.sh[2]: .: lib.sh: No such file or directory", 1],
    ["f[8]: .: f.sh[2]: .: lib.sh: cannot open [No such file or directory]", 1],
    ["f: 2: .: lib.sh: not found", 127],
  ])("for %s says where the shell looks", (line, status) => {
    expect(messageOf(status, { lines: [line] })).toBe(
      `the handler exited with status ${status} (a file's name without a slash is looked for in PATH: ` +
        `write ./ before it): ${line}`,
    );
  });

  test.each([
    "f.sh: line 2: ./lib.sh: No such file or directory",
    "f: 2: .: cannot open ./lib.sh: No such file",
    "f: .: line 2: can't open './lib.sh': No such file or directory",
    "E: f: .: ./lib.sh: No such file or directory",
    "f[8]: .: f.sh[2]: .: /opt/lib.sh: cannot open [No such file or directory]",
    "f.sh: line 3: [[: command not found",
    "f.sh: line 3: ${y}: bad substitution",
    "f: 3: sort: not found",
    "f: 2: set: Illegal option -z",
    "f: 2: set: Illegal option -o nothing",
    "f: read: line 2: illegal option -z",
    "curl: (6) Could not resolve host: nosuch",
  ])("for %s does not", (line) => {
    expect(messageOf(2, { lines: [line] })).toBe(`the handler exited with status 2: ${line}`);
  });

  test.each([
    ["f: 2: set: Illegal option -o pipefail", 2],
    ["f: set: line 2: illegal option -E", 2],
    ["f: 3: read: Illegal option -t", 2],
    ["f: 2: f.sh: Bad substitution", 2],
    ["f: 2: f.sh: [[: not found", 127],
    ["f: 2: source: not found", 127],
    ["f: line 2: shopt: not found", 127],
  ])("for %s says that it is bash's", (line, status) => {
    expect(messageOf(status, { lines: [line] })).toBe(
      `the handler exited with status ${status} (only bash knows that: begin the file with ` +
        `#!/bin/bash): ${line}`,
    );
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
