import { describe, expect, test } from "bun:test";

import { parseLoadReport } from "./load-report.ts";
import { OutputSplitter } from "./status-message.ts";

const CONTROL = "/proc/8/fd/7";
const ENDED = "/proc/8/fd/10/ended-m3x8/";

/** A report of dash. */
function dashReport({
  flags = "",
  facts = "",
  prefix = "+ ",
  description = undefined as string | undefined,
}): string {
  return [
    `f: 33: cannot open ${CONTROL}/sourced/0/${flags}/: No such file\n`,
    facts,
    `f: 41: cannot open ${CONTROL}/defined//${prefix}/: No such file\n`,
    description ?? "handler is a shell function\n",
    `f: 42: cannot open ${CONTROL}/named/: No such file\n`,
    `f: 43: cannot open ${ENDED}0/: No such file\n`,
  ].join("");
}

const OPTIONS = "braceexpand:hashall:interactive-comments";

/** A report of bash. */
function bashReport({
  flags = "hBc",
  before = OPTIONS,
  now = `${OPTIONS}:posix`,
  facts = "",
  names = "handler\n",
  variables = "",
}) {
  return [
    `f: line 5: ${CONTROL}/sourced/0/${flags}/${before}/sourcepath:checkwinsize/${variables}/: Not a directory\n`,
    facts,
    `f: line 5: ${CONTROL}/defined/${now}/+ /: Not a directory\n`,
    names,
    `f: line 5: ${ENDED}1/: Not a directory\n`,
  ].join("");
}

const parse = (text: string) => parseLoadReport(text, CONTROL, ENDED);
const stateOf = (text: string) => parse(text)?.state;

describe("a load report", () => {
  test("is not there before its last line has come", () => {
    const text = dashReport({});
    for (let length = 0; length < text.length; length += 1) {
      expect(parse(text.slice(0, length))).toBeUndefined();
    }
    expect(parse(text)).toBeDefined();
    expect(parse(`${text}more`)?.rest).toBe("more");
  });

  test("of dash", () => {
    expect(parse(dashReport({ flags: "eu", prefix: "a/b " }))).toMatchObject({
      status: 0,
      hindrance: undefined,
      description: "handler is a shell function",
      tracePrefix: "a/b ",
      state: { flags: "eu", isBash: false, isPosix: false, traps: [], readonlyNames: [] },
    });
  });

  test.each<[string, string, boolean]>([
    ["none", "", false],
    ["none but Lambda's own", "LAMBDA_RUNTIME_DIR", false],
    ["one beside Lambda's own", "LAMBDA_RUNTIME_DIR LAMBDA_RUNTIME_TRACE_ID", true],
    ["one after Lambda's own and a slash", "LAMBDA_RUNTIME_DIR/LAMBDA_RUNTIME_TRACE_ID", true],
    ["one after Lambda's own and a line end", "LAMBDA_RUNTIME_DIR\nLAMBDA_RUNTIME_TRACE_ID", true],
    ["one after Lambda's own and nothing", "LAMBDA_RUNTIME_DIRLAMBDA_RUNTIME_TRACE_ID", true],
    ["one", "LAMBDA_RUNTIME_TRACE_ID", true],
    ["two, joined", "LAMBDA_RUNTIME_A_X_AMZN_TRACE_ID", true],
    ["two, with a slash between them", "LAMBDA_RUNTIME_A/LAMBDA_RUNTIME_B", true],
    ["two, with a line end between them", "LAMBDA_RUNTIME_A\nLAMBDA_RUNTIME_B", true],
  ])("of a bash that has variables of an event: %s", (_, variables, expected) => {
    expect(stateOf(bashReport({ variables }))?.mayHaveEventVariables).toBe(expected);
    expect(parse(bashReport({ variables }))?.tracePrefix).toBe("+ ");
  });

  test("of bash", () => {
    expect(parse(bashReport({ names: "handler\ncommand\nenable -n kill\n" }))).toMatchObject({
      status: 0,
      hindrance: undefined,
      tracePrefix: "+ ",
      state: {
        flags: "hBc",
        isBash: true,
        isPosix: false,
        bashOptions: ["sourcepath", "checkwinsize"],
        disabledBuiltins: ["kill"],
      },
    });
    expect(stateOf(bashReport({ names: "handler\ncommand\n" }))?.functionNames).toContain(
      "command",
    );
    expect(stateOf(bashReport({ before: `${OPTIONS}:posix` }))?.isPosix).toBe(true);
  });

  test.each([
    ["handler\ncommand\n", ["handler", "command"]],
    ["handler 3 /var/task/f.sh\ncommand 4 /var/task/f.sh\n", ["handler", "command"]],
    ["handler 3 /a file\nenable -n kill\n", ["handler"]],
    ["enable -n kill\n", []],
  ])("of bash has the names of functions alone: %j", (names, expected) => {
    const functionNames = stateOf(bashReport({ names }))?.functionNames ?? [];
    expect(functionNames.filter((name) => name !== "")).toEqual(expected);
  });

  test.each([
    ["", ""],
    ["no line end", ""],
    ["handler is a function\nand more", "handler is a function"],
  ])("has the output of a function in the place of a builtin: %j", (description, expected) => {
    const report = parse(dashReport({ description }));
    expect(report?.description).toBe(expected);
    expect(report?.message).toEqual(parse(dashReport({}))?.message ?? expect.unreachable());
  });

  test.each(["> ", "a/b ", ">\n> ", "\n", "a/b\nhandler\n/ ", "", "x/: ", "/: \n> ", "a/: \n"])(
    "has PS4: %j",
    (prefix) => {
      const report = parse(dashReport({ prefix })) ?? expect.unreachable();
      expect([report.tracePrefix, report.description]).toEqual([
        prefix,
        "handler is a shell function",
      ]);
    },
  );

  test("tells how the end of a fork will be told", () => {
    const splitter = new OutputSplitter(parse(dashReport({}))?.message ?? expect.unreachable());
    const end = `out${`f: 43: cannot open ${ENDED}3/: No such file\n`}`;
    expect(splitter.take(Buffer.from(end), false).toString()).toBe("out");
    expect(splitter.status).toBe(3);
  });

  test.each([
    ["'exit 1' ERR", "trap -- 'exit 1' ERR\n"],
    ["'it'\\''s' DEBUG", "trap -- 'it'\\''s' DEBUG\n"],
    ["'a\nb' RETURN", "trap -- 'a\nb' RETURN\n"],
    ["$'a\\'\\n' ERR", "trap -- $'a\\'\\n' ERR\n"],
    ["'' ERR", "trap -- '' ERR\n"],
    ["echo ERR", "trap -- echo ERR\n"],
    ["'echo it'\"'\"'s' ERR", "trap -- 'echo it'\"'\"'s' ERR\n"],
  ])("has the trap %s", (trap, facts) => {
    expect(stateOf(dashReport({ facts }))?.traps).toEqual([trap]);
    // Words of a DEBUG trap stand in front of the list, without a line end.
    expect(stateOf(dashReport({ facts: `.${facts}` }))?.traps).toEqual([trap]);
  });

  test("has several traps, but none of a signal and none of the runtime's", () => {
    const facts =
      "trap -- 'a' EXIT\ntrap -- 'b' SIGTERM\ntrap -- 'c' DEBUG\ntrap -- 'd' ERR\n" +
      `trap -- '{ { \\:; } <"${CONTROL}/failed/$?/"; }' ERR\n`;
    expect(stateOf(bashReport({ facts }))?.traps).toEqual(["'c' DEBUG", "'d' ERR"]);
  });

  test.each([
    ["dash", "readonly LAMBDA_RUNTIME_TRACE_ID='x'\nreadonly OTHER='1'\n"],
    ["bash", 'readonly LAMBDA_RUNTIME_TRACE_ID="x"\nreadonly -a BASH_VERSINFO=()\n'],
    ["bash, unset", "readonly LAMBDA_RUNTIME_TRACE_ID\n"],
    ["bash, with attributes", 'declare -rx LAMBDA_RUNTIME_TRACE_ID="x"\n'],
    ["ksh93", "readonly PPID\ntypeset -x -r LAMBDA_RUNTIME_TRACE_ID=x\n"],
  ])("has the readonly variables of the event in the words of %s", (_, facts) => {
    expect(stateOf(dashReport({ facts }))?.readonlyNames).toEqual(["LAMBDA_RUNTIME_TRACE_ID"]);
  });

  test.each([
    ["without POSIX mode", bashReport({ now: OPTIONS, names: "handler\nset\n" }), "a function set"],
    [
      "without POSIX mode and with extdebug",
      bashReport({ now: OPTIONS, names: "handler 3 /f.sh\nset 4 /f.sh\n" }),
      "a function set",
    ],
    [
      "without a builtin",
      bashReport({ names: "handler\nenable -n .\nenable -n kill\n" }),
      "enable",
    ],
    [
      "without commands",
      `f: line 5: ${CONTROL}/sourced/0/c/${OPTIONS}/x/: Not a directory\n` +
        `f: line 5: ${ENDED}1/: Not a directory\n`,
      "DEBUG",
    ],
  ])("of a bash %s says what hinders it", (_, text, words) => {
    expect(parse(text)?.hindrance).toContain(words);
  });

  test("of a bash tells the message, whatever a function builtin has written in front of it", () => {
    const { message } = parse(bashReport({})) ?? expect.unreachable();
    for (const names of ["called ", "called\ncalled: ", "f: line 5: "]) {
      expect(parse(bashReport({ names }))?.message).toEqual(message);
    }
  });

  test("of a bash without POSIX mode, or with functions, has no hindrance in it alone", () => {
    expect(parse(bashReport({ now: OPTIONS }))?.hindrance).toBeUndefined();
    expect(parse(bashReport({ names: "handler\nset\n" }))?.hindrance).toBeUndefined();
  });
});
