import { describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { difference } from "../testing/bytes.ts";
import { PLAIN_SHELL } from "../testing/shell-state.ts";
import { FURTHER_SHELLS, shell, type ShellName, SHELLS } from "../testing/shells.ts";
import { temporaryFolder } from "../testing/temporary-folder.ts";
import { EventScripts, type ShellState } from "./event-script.ts";

const PATHS = { input: "/proc/8/fd/12", output: "/proc/8/fd/10" };
/** Ends a fork of ksh93 with the status of what was run last. */
const EXIT = 'exit "$(($? > 256 && $? < 321 ? $? - 128 : $?))"';
const LARGE = 32 * 1024;

const DASH = PLAIN_SHELL;
/** Bash's own options unless they are set. */
const OPTIONS = ["interactive_comments", "sourcepath", "checkwinsize"];
const BASH: ShellState = { ...DASH, flags: "hBc", isBash: true, bashOptions: OPTIONS };
const BASH_AS_SH: ShellState = { ...BASH, isPosix: true };

function invocationOf(event: string, headers: Readonly<Record<string, string>> = {}) {
  return {
    requestId: "id",
    headers: new Map(Object.entries(headers)),
    event: Buffer.from(event, "latin1"),
  };
}

function linesOf(
  state: Partial<ShellState> & Pick<ShellState, "isBash">,
  { event = "e", headers = {}, name = "handler", exitReport = "", seesCall = false } = {},
): string[] {
  const scripts = new EventScripts(name, { ...DASH, ...state }, exitReport, () => seesCall);
  const pieces = scripts.callFunction(invocationOf(event, headers), PATHS);
  const text = Buffer.concat(pieces).toString("latin1");
  expect(text).toEndWith("\n");
  return text.slice(0, -1).split("\n");
}

const KNOWN =
  "\\unset LAMBDA_RUNTIME_AWS_REQUEST_ID LAMBDA_RUNTIME_DEADLINE_MS " +
  "LAMBDA_RUNTIME_INVOKED_FUNCTION_ARN LAMBDA_RUNTIME_TRACE_ID LAMBDA_RUNTIME_CLIENT_CONTEXT " +
  "LAMBDA_RUNTIME_COGNITO_IDENTITY LAMBDA_RUNTIME_AWS_TENANT_ID LAMBDA_RUNTIME_INVOCATION_ID " +
  "_X_AMZN_TRACE_ID";

describe("the script of an event", () => {
  test("redirects, forgets what another event had, and hands over commands and event", () => {
    expect(linesOf(DASH)).toEqual([
      "\\exec </proc/8/fd/12 >/proc/8/fd/10",
      KNOWN,
      "\\set -- '\\shift; \\set +f; ' 'e'",
    ]);
  });

  test("of bash leaves POSIX mode, and leaves the call to bash's side", () => {
    expect(linesOf(BASH).at(-1)).toBe(
      "\\set -- '\\shift; \\set +f; \\set +o posix; \\command shopt -u inherit_errexit; ' 'e'",
    );
    expect(linesOf(BASH_AS_SH).at(-1)).toBe("\\set -- '\\shift; \\set +f; ' 'e'");
  });

  test("exports each header of an invocation, the trace id twice", () => {
    const headers = {
      "lambda-runtime-aws-request-id": "1",
      "lambda-runtime-trace-id": "Root=1-2;x",
      "lambda-runtime-some-new-2nd-header": "it's",
      "lambda-runtime-client-context": '{"a":"$(id)"}',
      "lambda-runtime-cognito-identity": "",
      "content-type": "application/json",
      "lambda-runtime-odd_name": "x",
      "lambda-runtime-odd;id": "x",
      "x-lambda-runtime-a": "x",
    };
    expect(linesOf(DASH, { headers })[2]).toBe(
      "\\export LAMBDA_RUNTIME_AWS_REQUEST_ID='1' LAMBDA_RUNTIME_TRACE_ID='Root=1-2;x' " +
        "_X_AMZN_TRACE_ID='Root=1-2;x' LAMBDA_RUNTIME_SOME_NEW_2ND_HEADER=\"it's\" " +
        'LAMBDA_RUNTIME_CLIENT_CONTEXT=\'{"a":"$(id)"}\'',
    );
  });

  test("unsets nothing where no variable can be left of anything", () => {
    const lines = linesOf({ ...BASH, mayHaveEventVariables: false });
    expect(lines[1]).toStartWith("\\set -- ");
  });

  test("leaves readonly variables alone, and exports nothing if there is nothing to", () => {
    const readonlyNames = ["LAMBDA_RUNTIME_TRACE_ID", "LAMBDA_RUNTIME_AWS_REQUEST_ID"];
    const headers = {
      "lambda-runtime-aws-request-id": "1",
      "lambda-runtime-trace-id": "2",
    };
    const lines = linesOf({ ...DASH, readonlyNames }, { headers });
    expect(lines[1]).not.toMatch(/ LAMBDA_RUNTIME_(?:TRACE_ID|AWS_REQUEST_ID)\b/);
    expect(lines[2]).toBe("\\export _X_AMZN_TRACE_ID='2'");
    const all = [...readonlyNames, "_X_AMZN_TRACE_ID"];
    expect(linesOf({ ...DASH, readonlyNames: all }, { headers })[2]).toStartWith("\\set -- ");
    const known = KNOWN.split(" ").slice(1);
    expect(linesOf({ ...DASH, readonlyNames: known })[1]).toStartWith("\\set -- ");
  });

  test.each<[string, Partial<ShellState>, string]>([
    ["none", {}, "\\set +f; "],
    ["some", { flags: "aeuc" }, "\\set -aeu +f; "],
    ["every one that is turned off", { flags: "abCekmuv" }, "\\set -abCekmuv +f; "],
    ["the one that is turned on", { flags: "f" }, ""],
    ["tracing, which is last", { flags: "efx" }, "\\set -e; \\set -x; "],
    ["those that stay as they are", { flags: "hBHPETpt" }, "\\set +f; "],
    ["an ERR trap", { traps: ["'a b' ERR"] }, "\\trap -- 'a b' ERR; \\set +f; "],
    ["traps that are not inherited", { traps: ["'a' DEBUG", "'b' RETURN"] }, "\\set +f; "],
    [
      "traps that are",
      { flags: "T", traps: ["'a' DEBUG", "'b' RETURN", "'c' ERR"] },
      "\\trap -- 'c' ERR; \\set +f; \\trap -- 'a' DEBUG; \\trap -- 'b' RETURN; ",
    ],
  ])("restores options and traps: %s", (_, state, commands) => {
    // The option h is mksh's.
    const [, , line = ""] = linesOf({ ...DASH, ...state, flags: `${state.flags ?? ""}h` });
    const call = commands.includes(" ERR") ? `\\handler "$@"; \\${EXIT}` : "";
    const quoted = `\\shift; ${commands}${call}`;
    expect(line).toContain(
      commands.includes("'") ? `"${quoted.replace(/[$"\\]/g, "\\$&")}"` : quoted,
    );
  });

  test.each<[string, Partial<ShellState>, string]>([
    [
      "as they are by themselves",
      {},
      "\\set +f; \\set +o posix; \\command shopt -u inherit_errexit; ",
    ],
    [
      "with inherit_errexit",
      { bashOptions: [...OPTIONS, "inherit_errexit"] },
      "\\set +f; \\set +o posix; ",
    ],
    [
      "with aliases",
      { bashOptions: [...OPTIONS, "expand_aliases"] },
      "\\set +f; \\set +o posix; \\command shopt -s expand_aliases; \\command shopt -u inherit_errexit; ",
    ],
    [
      "without any",
      { bashOptions: [""] },
      "\\set +f; \\set +o posix; \\command shopt -u inherit_errexit interactive_comments sourcepath; ",
    ],
    [
      "with a function named command",
      { functionNames: ["command"] },
      "\\set +f; \\set +o posix; \\builtin shopt -u inherit_errexit; ",
    ],
    [
      "with command disabled",
      { disabledBuiltins: ["command"] },
      "\\set +f; \\set +o posix; \\builtin shopt -u inherit_errexit; ",
    ],
    [
      "with functions named command and builtin",
      { functionNames: ["builtin", "command"] },
      "\\set +f; \\set +o posix; \\shopt -u inherit_errexit; ",
    ],
    ["without shopt", { disabledBuiltins: ["shopt"] }, "\\set +f; \\set +o posix; "],
    [
      "tracing, which is last",
      { flags: "exhBc" },
      "\\set -e +f; \\set +o posix; \\command shopt -u inherit_errexit; \\command set -x; ",
    ],
  ])("restores bash's options: %s", (_, state, commands) => {
    expect(linesOf({ ...BASH, ...state }).at(-1)).toBe(`\\set -- '\\shift; ${commands}' 'e'`);
  });

  test("runs a report of the exit before all else", () => {
    expect(linesOf(BASH_AS_SH, { exitReport: "REPORT" }).at(-1)).toBe(
      "\\set -- '\\shift; REPORT; \\set +f; ' 'e'",
    );
  });

  test("calls a function of any name", () => {
    const event = "x".repeat(LARGE + 1);
    expect(linesOf(DASH, { name: "my-handler", event })[2]).toStartWith("\\set +f; 'my-handler' ");
    expect(linesOf(DASH, { name: "time", event })[2]).toStartWith("\\set +f; \\time ");
  });

  test("of a large event has it in the call, and ends the fork after it", () => {
    const event = "x".repeat(LARGE + 1);
    expect(linesOf(BASH_AS_SH, { event }).slice(2)).toEqual([
      `\\set +f; \\handler '${event}'`,
      "{ \\exit; } 2>/dev/null",
    ]);
    expect(linesOf({ ...BASH, flags: "ehBc" }, { event }).slice(2)).toEqual([
      `\\set -e +f; \\set +o posix; \\command shopt -u inherit_errexit; \\handler '${event}'`,
      "{ \\command exit; } 2>/dev/null",
    ]);
    expect(linesOf(DASH, { event }).at(-1)).toBe("{ \\exit; } 2>/dev/null");
    expect(linesOf({ ...DASH, flags: "chsB" }, { event }).at(-1)).toBe(
      `{ \\${EXIT}; } 2>/dev/null`,
    );
    expect(linesOf(BASH, { event: event.slice(1) }).at(-1)).toStartWith("\\set -- ");
    expect(linesOf(BASH, { event, seesCall: true }).at(-1)).toStartWith("\\set -- ");
    expect(linesOf(BASH, { event, exitReport: "\\report" }).at(-1)).toStartWith("\\set -- ");
  });

  test("of a file becomes it", () => {
    const scripts = new EventScripts(undefined, DASH, "");
    const command = ["/bin/sh", "/var/task/it's.sh"];
    const text = Buffer.concat(scripts.execFile(invocationOf("e"), PATHS, command)).toString();
    expect(text.split("\n").at(-2)).toBe("\\exec '/bin/sh' \"/var/task/it's.sh\"");
  });
});

/** Sizes around what decides how an event is handed over, and a large one. */
const SIZES = [0, 1, LARGE - 1, LARGE, LARGE + 1, 1_000_000];
const PIECES = ["x", "'", "é\\", "\0a", '"$`'];

describe.each([...SHELLS, ...FURTHER_SHELLS].map(({ name }) => name))("in %s", (name) => {
  test.concurrent.each(PIECES)("an event of %j arrives as it is, in every size", (piece) => {
    for (const size of SIZES) {
      const text = Buffer.from(piece, "utf8").toString("latin1");
      const event = text.repeat(Math.ceil(size / text.length));
      const expected = Buffer.from(event.replaceAll("\0", ""), "latin1");
      expect([size, difference(runIn(name, event), expected)]).toEqual([size, undefined]);
    }
  });
});

/** What a handler gets as its argument when a shell runs the script of an event. */
function runIn(name: ShellName, event: string): Buffer {
  const folder = temporaryFolder("event");
  const paths = { input: "/dev/null", output: join(folder, "output") };
  const scripts = new EventScripts("handler", { ...DASH, isPosix: true }, "");
  const script = Buffer.concat(scripts.callFunction(invocationOf(event), paths));
  const [program = "", ...options] = shell(name).shebang.slice("#!".length).split(" ");
  const say = name === "mksh" ? 'print -rn -- "$1"' : "printf '%s' \"$1\"";
  const text = `handler() { ${say}; }\nset --\n( \\. ./event\n\\eval "$1"\nhandler "$@" )`;
  const file = join(folder, "event");
  writeFileSync(file, script);
  Bun.spawnSync([program, ...options, "-c", text], { cwd: folder, env: { PATH: "/usr/bin:/bin" } });
  return readFileSync(paths.output);
}
