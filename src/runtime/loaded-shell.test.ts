import { describe, expect, test } from "bun:test";

import { PLAIN_SHELL } from "../testing/shell-state.ts";
import type { ShellState } from "./event-script.ts";
import type { LoadReport } from "./load-report.ts";
import { LoadedShell, type Reply, type RunnableHandler } from "./loaded-shell.ts";
import { StatusMessage } from "./status-message.ts";
import { isTrace, withoutTraces } from "./traces.ts";

const DASH = PLAIN_SHELL;
const BASH: ShellState = { ...DASH, isBash: true };

function report(state: ShellState, description = "", tracePrefix = "+ "): LoadReport {
  const message = new StatusMessage("sh: 1: ", "mark");
  return { status: 0, hindrance: undefined, description, state, tracePrefix, message, rest: "" };
}

function functionOf(functionName: string, path = "/bin/dash"): RunnableHandler {
  const shell = { path, options: [] };
  return { kind: "function", script: "/var/task/function.sh", functionName, shell };
}

/** A shell that responds as given, and what it was asked. */
function shellOf(text: string, reply: Reply | undefined, handler = functionOf("handler")) {
  const asked: string[] = [];
  const shell = new LoadedShell(handler, text, (commands) => {
    asked.push(commands);
    return reply;
  });
  return { shell, asked };
}

const TEXT = "handler() { :; }\n";

describe("the handler's function", () => {
  test.each<[string, ShellState, string, boolean]>([
    ["dash's description", DASH, "handler is a shell function", true],
    ["busybox's description", DASH, "handler is a function", true],
    ["mksh's description of a traced one", DASH, "handler is a traced function", true],
    ["mksh's description of an exported one", DASH, "handler is an exported function", true],
    [
      "mksh's description of one that is both",
      DASH,
      "handler is an exported traced function",
      true,
    ],
    ["bash's list", { ...BASH, functionNames: ["handler"] }, "", true],
  ])("is known by %s, without a question", (_, state, description, expected) => {
    const { shell, asked } = shellOf("", undefined);
    shell.report = report(state, description);
    expect(shell.hasFunction()).toBe(expected);
    expect(asked).toEqual([]);
  });

  test.each<[string, ShellState, Reply, boolean]>([
    ["under an alias", DASH, { status: 0, output: "handler is a shell function\n" }, true],
    ["that is a program", DASH, { status: 0, output: "handler is /bin/handler\n" }, false],
    ["that is nothing", DASH, { status: 127, output: "handler: not found\n" }, false],
    [
      "that may be found later",
      DASH,
      { status: 0, output: "handler is an undefined function\n" },
      false,
    ],
    [
      "with the name of a reserved word",
      DASH,
      { status: 0, output: "if is a shell keyword\n" },
      true,
    ],
    ["that bash marks", BASH, { status: 0, output: "" }, true],
    ["that bash cannot mark", BASH, { status: 1, output: "" }, false],
  ])("is asked for: one %s", (_, state, reply, expected) => {
    const { shell, asked } = shellOf(TEXT, reply);
    shell.report = report(state, "handler is an alias for x");
    expect(shell.hasFunction()).toBe(expected);
    expect(asked).toHaveLength(1);
  });

  test.each<[string, string, string, boolean]>([
    ["that dash does not have, though it is in the text", TEXT, "handler: not found", false],
    ["that mksh does not have", TEXT, "handler not found", false],
    ["of which ksh93 says nothing", TEXT, "", false],
    ["of which a function named command may say nothing", `. other.sh\n${TEXT}`, "", true],
    ["of which a function named command says something", TEXT, "called", true],
    ["hidden by an alias", ". other.sh", "handler is an alias for x", true],
    ["hidden by a function named command", "command() { :; }", "", true],
    ["that nothing speaks for", ". other.sh", "handler: not found", false],
  ])(
    "is told by what is known where no fork can be asked: one %s",
    (_, text, description, expected) => {
      const { shell } = shellOf(text, undefined);
      shell.report = report(DASH, description);
      expect(shell.hasFunction()).toBe(expected);
    },
  );

  test.each<[string, string, Partial<ShellState>, boolean]>([
    ["that bash does not list, though it is in the text", TEXT, {}, false],
    ["of a bash without declare", TEXT, { disabledBuiltins: ["declare"] }, true],
    ["of a bash with a function builtin", `builtin() { :; }\n${TEXT}`, {}, true],
    ["of a bash with a function declare", `declare() { :; }\n${TEXT}`, {}, false],
    ["that bash lists", "", { functionNames: ["handler"] }, true],
    ["that has the beginning of another", TEXT, { functionNames: ["handlers"] }, false],
  ])("is told by bash's list where no fork can be asked: one %s", (_, text, state, expected) => {
    const { shell } = shellOf(text, undefined);
    shell.report = report({ ...BASH, ...state });
    expect(shell.hasFunction()).toBe(expected);
  });

  test("is not there before the shell has loaded", () => {
    expect(shellOf(TEXT, { status: 0, output: "handler is a function" }).shell.hasFunction()).toBe(
      false,
    );
  });
});

describe("a name that the shell refuses", () => {
  const words = "/proc/7/fd/9: 1: eval: Syntax error: Bad function name\n";

  test.each<[string, string, ShellState, Reply | undefined, string]>([
    ["a POSIX name is never asked for", "handler", DASH, { status: 2, output: words }, ""],
    ["bash in its own mode takes it", "my-handler", BASH, { status: 2, output: words }, ""],
    ["the shell takes it", "my-handler", DASH, { status: 0, output: "" }, ""],
    ["no fork can be asked", "my-handler", DASH, undefined, ""],
    [
      "the shell's words",
      "my-handler",
      DASH,
      { status: 2, output: words },
      "Syntax error: Bad function name",
    ],
  ])("%s", (_, name, state, reply, expected) => {
    const { shell } = shellOf("", reply, functionOf(name));
    shell.report = report(state);
    expect(shell.refusalOfName()).toBe(expected);
  });
});

test.each([
  ["set -v", BASH, true],
  ["set -euv", DASH, true],
  ["set -o verbose", DASH, true],
  ["set -e", DASH, false],
  ["", { ...DASH, flags: "v" }, true],
])("whether a shell shows the lines that it reads: %j", (text, state, expected) => {
  const { shell } = shellOf(text, undefined);
  expect(shell.maySeeCall(report(state))).toBe(expected);
});

test.each([
  ["handler() { trap 'rm -f \"$1\"' EXIT; }", DASH, true],
  [". ./lib.sh", DASH, true],
  ["set -eux", DASH, true],
  ["", { ...DASH, flags: "x" }, true],
  ["echo ${FUNCNAME-}", DASH, false],
])("whether a shell other than bash shows more than the call: %j", (text, state, expected) => {
  const { shell } = shellOf(text, undefined);
  expect(shell.maySeeCall(report(state))).toBe(expected);
});

describe("what a bash may notice", () => {
  test.each<[string, boolean, boolean, boolean]>([
    ["handler() { :; }", true, false, false],
    ["set -e", true, true, false],
    ["set -euo pipefail", true, true, false],
    ["set -o errexit", true, true, false],
    ["set -e; trap 'echo' EXIT", false, false, true],
    ["echo ${FUNCNAME[0]}", true, false, true],
    ["set -T", true, false, true],
    [". lib.sh", true, false, true],
    ["", false, false, false],
  ])("of a script %j", (text, mayTrap, reportsExit, maySeeCall) => {
    const { shell } = shellOf(text, undefined);
    expect(shell.mayTrap()).toBe(mayTrap);
    expect(shell.reportsExit(report(BASH))).toBe(reportsExit);
    expect(shell.maySeeCall(report(BASH))).toBe(maySeeCall);
    expect(shell.reportsExit(report(DASH))).toBe(false);
  });
});

test.each<[string, ShellState, boolean]>([
  ["a trap that it has listed", { ...BASH, traps: ["'echo' DEBUG"] }, true],
  ["functions that inherit traps", { ...BASH, flags: "hBTc" }, true],
  ["none of these", { ...BASH, flags: "hBc" }, false],
])("a bash sees from where its handler is called by %s", (_, state, expected) => {
  expect(shellOf("eval $CODE", undefined).shell.maySeeCall(report(state))).toBe(expected);
});

describe("a file is sourced in a condition", () => {
  test.each<[string, boolean]>([
    [". ./lib.sh || exit", true],
    ["if . ./lib.sh; then :; fi", true],
    ["! . ./lib.sh", true],
    ["source lib.sh && start", true],
    ["if\n  . ./lib.sh\nthen :; fi", true],
    ["while [ -z $x ] &&\n  . ./lib.sh; do :; done", true],
    ["if [ -f lib.sh ] && command . ./lib.sh; then :; fi", true],
    [". ./lib.sh \\\n  || exit", true],
    ["{ . ./lib.sh; } || exit", true],
    ["{\n. ./lib.sh\n} || exit", true],
    ["for file in *; do . $file; done && start", true],
    ["eval '. ./lib.sh' || exit", true],
    ['eval "$(. ./lib.sh)" || exit', true],
    ["if eval '. ./lib.sh'; then :; fi", true],
    ["set -eE\ninclude() { . $1; }\ninclude ./lib.sh || exit", true],
    ["set -o errtrace\n. ./lib.sh", true],
    ['set -E; if eval "$CODE"; then :; fi', true],
    ['if eval "$CODE"; then :; fi', false],
    [". ./lib.sh", false],
    ["#!/bin/bash\n. ./lib.sh", false],
    ["# What is there, if anything\n. ./lib.sh", false],
    ["if [ -f lib.sh ]; then . ./lib.sh; fi", false],
    ["while read -r file; do\n. $file\ndone", false],
    ["[ ! -f lib.sh ] || . ./lib.sh", false],
    ["[ -f lib.sh ] && . ./lib.sh", false],
    ["start || exit", false],
    ["case $# in 1) . ./lib.sh || exit ;; esac", true],
    ["echo $#; if . ./lib.sh; then :; fi", true],
    ["if true; # until then\nthen . ./lib.sh; fi", false],
  ])("%j", (text, expected) => {
    expect(shellOf(text, undefined).shell.sourcesInCondition()).toBe(expected);
  });

  // Looked through from each of their words to their beginning, these would take half a minute.
  test.each([
    ["text", `. ./lib.sh\nX='${"if a b ".repeat(50_000)}'`],
    ["a comment", `. ./lib.sh\n# ${"if a b ".repeat(50_000)}`],
  ])("is looked for in a long line of %s", (_, text) => {
    expect(shellOf(text, undefined).shell.sourcesInCondition()).toBe(false);
  });
});

describe("variables of an event", () => {
  const NONE: ShellState = { ...BASH, mayHaveEventVariables: false };

  test.each<[string, ShellState, boolean]>([
    ["declare -i count", NONE, false],
    ['echo "$LAMBDA_RUNTIME_TRACE_ID"', NONE, false],
    ["declare -i LAMBDA_RUNTIME_TRACE_ID", NONE, true],
    ["typeset -u _X_AMZN_TRACE_ID", NONE, true],
    [". ./lib.sh", NONE, true],
    ["", BASH, true],
  ])("may be there: %j", (text, state, expected) => {
    const { shell } = shellOf(text, undefined);
    expect(shell.mayHaveEventVariables(report(state))).toBe(expected);
  });
});

test.each([
  ["trap 'echo failed >&2' ERR", true],
  ["trap '\n  echo failed >&2\n' ERR", true],
  ["signals=ERR; trap 'echo failed >&2' $signals", true],
  [". ./lib.sh", true],
  ["trap 'echo bye' EXIT", false],
  ["echo ERR", false],
])("whether a script may trap errors: %j", (text, expected) => {
  expect(shellOf(text, undefined).shell.trapsErrors()).toBe(expected);
});

describe("the options of a bash", () => {
  test.each<[string, string, ShellState, boolean]>([
    ["named sh that has left POSIX mode", "/bin/sh", BASH, true],
    ["named sh that is in POSIX mode", "/bin/sh", { ...BASH, isPosix: true }, false],
    ["that was never in POSIX mode", "/bin/bash", BASH, false],
    ["that is none", "/bin/sh", DASH, false],
  ])("have inherit_errexit without a word of it: %s", (_, path, state, expected) => {
    const { shell } = shellOf("set +o posix", undefined, functionOf("handler", path));
    expect(shell.bashOptions(report(state)).includes("inherit_errexit")).toBe(expected);
  });

  test("are those that it lists, where the script speaks of inherit_errexit", () => {
    const text = "set +o posix; shopt -u inherit_errexit";
    const { shell } = shellOf(text, undefined, functionOf("handler", "/bin/sh"));
    expect(shell.bashOptions(report(BASH))).toEqual(BASH.bashOptions);
  });
});

describe("traces", () => {
  test.each<[string, string, ShellState, boolean]>([
    ["dash", "/bin/dash", DASH, false],
    ["bash", "/bin/bash", BASH, true],
    ["busybox", "/bin/busybox", DASH, true],
    ["mksh", "/bin/mksh-static", DASH, true],
  ])("are quoted or not as %s does", (_, path, state, expected) => {
    const { shell } = shellOf("set -x", undefined, functionOf("handler", path));
    shell.report = report(state);
    expect(shell.tracing()).toMatchObject({ isQuoted: expected, mayTrace: true, isUnknown: false });
  });

  test.each<[string, string, ShellState, boolean]>([
    ["of a script that traces", "set -x", BASH, true],
    ["of a script that has turned tracing on", "eval $MODE", { ...BASH, flags: "hxB" }, true],
    ["of a script that sources others", ". ./lib.sh", BASH, true],
    ["of another script", "set -e", BASH, false],
  ])("with an empty PS4 may be any line %s", (_, text, state, expected) => {
    const { shell } = shellOf(text, undefined);
    shell.report = report(state, "", "");
    expect(isTrace("curl token", shell.tracing())).toBe(expected);
  });

  test("with backquotes in PS4 are known also where the shell leaves these out at first", () => {
    const reply = { status: 0, output: "now: :\n" };
    const { shell } = shellOf("", reply, functionOf("handler", "/bin/busybox"));
    shell.report = report(DASH, "", "`date`: ");
    const lines = [": curl token", "now: curl token", "cat: /no/such/file"];
    expect(withoutTraces(lines, shell.tracing())).toEqual(["cat: /no/such/file"]);
  });

  test("with a PS4 that expands are known by a sample, where a fork can be asked", () => {
    const { shell } = shellOf("", { status: 0, output: "12:05> :\n" });
    shell.report = report(BASH, "", "$(date +%R) ");
    const lines = ["12:07> curl token", "last words"];
    expect(lines.map((line) => isTrace(line, shell.tracing()))).toEqual([true, false]);
  });
});
