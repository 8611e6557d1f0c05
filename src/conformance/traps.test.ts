/**
 * Traps of a file and of its handler run in an event as they would in bash itself: each as often as it has to.
 *
 * @module
 */

import { describe, expect, test } from "bun:test";

import type { FunctionError } from "../runtime-api/function-error.ts";
import { EnvironmentUnderTest } from "../testing/environment-under-test.ts";
import { expectOutcome } from "../testing/expectations.ts";
import { FURTHER_SHELLS, shell as shellOf, SHELLS } from "../testing/shells.ts";

/** What the file has, and what its handler must write. */
const TRAPS: readonly (readonly [string, string, string])[] = [
  [
    "RETURN, of a local variable under set -u",
    "set -u; handler() { local t; t=$(mktemp -d); trap 'rm -rf \"$t\"' RETURN; printf ok; }",
    "ok",
  ],
  ["RETURN, that writes", "handler() { trap 'printf ,done' RETURN; printf x; }", "x,done"],
  ["RETURN, before an exit", "handler() { trap 'printf ,done' RETURN; printf x; exit 0; }", "x"],
  ["RETURN, of the file", "trap 'printf ,done' RETURN; handler() { printf x; }", "x"],
  [
    "RETURN, of the file, that functions inherit",
    "set -T; trap 'printf ,done' RETURN; f() { :; }; handler() { f; printf x; }",
    ",donex,done",
  ],
  [
    "RETURN, after a file that the handler sources",
    "handler() { trap 'printf ,done' RETURN; . ./lib.sh; printf x; }",
    ",donex,done",
  ],
  ["EXIT", "handler() { trap 'printf ,bye' EXIT; printf x; }", "x,bye"],
  [
    "EXIT and RETURN",
    "handler() { trap 'printf ,bye' EXIT; trap 'printf ,done' RETURN; printf x; }",
    "x,done,bye",
  ],
  [
    "ERR, that functions inherit",
    "set -E; f() { false; }; handler() { trap 'printf E' ERR; f; printf x; }",
    "EEx",
  ],
  ["ERR, of the file", "trap 'printf E' ERR; handler() { false; printf x; }", "x"],
  [
    "ERR, of the file, that functions inherit",
    "set -E; trap 'printf E' ERR; handler() { false; printf x; }",
    "Ex",
  ],
  [
    "ERR, of a text that the file evaluates in a condition, that functions inherit",
    "set -E; eval \"$(printf '%s' 'tr''ap \"printf E\" ERR')\" || exit; handler() { false; printf x; }",
    "Ex",
  ],
  ["DEBUG", "handler() { trap 'printf .' DEBUG; :; printf x; }", "..x"],
  [
    "DEBUG, of the file, that functions inherit",
    "set -T; trap 'printf .' DEBUG; handler() { :; printf x; }",
    "....x",
  ],
  [
    "DEBUG, of a text that the file evaluates",
    "eval \"$(printf '%s' 'set -''T; tr''ap \"printf .\" DEBUG')\"; handler() { :; printf x; }",
    "....x",
  ],
];

describe.each(["bash", "bash as sh"] as const)("in %s", (shell) => {
  test.concurrent.each(TRAPS)(
    "a trap runs as often as it has to: %s",
    async (_, text, response) => {
      await using environment = await EnvironmentUnderTest.start({
        shell,
        files: { "function.sh": text, "lib.sh": { text: ":", shebang: false } },
      });
      const { api, bootstrap } = environment;
      // A large event may take another way to the handler.
      for (const body of ["small", "large ".repeat(60_000), "small"]) {
        const invocation = api.enqueue({ body });
        await invocation.posted;
        expectOutcome(invocation, { response });
      }
      await api.idle();
      // Traps of the file run while it is loaded, too.
      expect(bootstrap.stderr).toMatch(/^(?:\.|,done)*$/);
    },
  );

  test.concurrent.each([
    ["a descriptor of a number", "exec 5>>trace; BASH_XTRACEFD=5; set -x"],
    ["a descriptor that bash has chosen", "exec {BASH_XTRACEFD}>>trace; set -x"],
    ["a high descriptor", "exec 20>>trace; BASH_XTRACEFD=20; set -x"],
    ["a descriptor of the handler's own", ""],
  ])("a trace on %s has the handler's commands and no other", async (_, head) => {
    const tracing = head === "" ? "exec 5>>trace; BASH_XTRACEFD=5; set -x;" : "";
    await using environment = await EnvironmentUnderTest.start({
      shell,
      files: { "function.sh": `${head}\nhandler() { ${tracing} : traced; printf x; }` },
    });
    const { api, bootstrap, taskRoot } = environment;
    for (const body of ["one", "two"]) expect((await api.invoke({ body })).latin1).toBe("x");
    await api.idle();
    const trace = await Bun.file(`${taskRoot}/trace`).text();
    const commands = (body: string) => [
      ...(head === "" ? [] : [`handler ${body}`]),
      ": traced",
      "printf x",
    ];
    const traced = trace
      .trimEnd()
      .split("\n")
      .map((line) => line.replace(/^\++ /, ""));
    expect(traced).toEqual([...commands("one"), ...commands("two")]);
    expect(bootstrap.stderr).toBe("");
  });
});

describe.each(["dash", "busybox ash", "ksh93", "mksh"] as const)("in %s", (shell) => {
  test.concurrent.each([
    ["on standard error", "trap 'echo bye >&2' EXIT", "bye\n"],
    ["that sees the event", "trap 'echo \"$# ${1%%t*}\" >&2' EXIT", "1 even\n"],
    ["of a program's words", "trap 'ls /no/such/file' EXIT", "no/such/file"],
    ["of a file that the handler sources", ". ./lib.sh", "bye from the library\n"],
  ])("an EXIT trap of the handler runs, %s", async (_, trap, log) => {
    await using environment = await EnvironmentUnderTest.start({
      shell,
      files: {
        "function.sh": `handler() { ${trap}; ${shell === "mksh" ? "print -n" : "printf"} x; }`,
        "lib.sh": { text: "trap 'echo bye from the library >&2' EXIT", shebang: false },
      },
    });
    const { api, bootstrap } = environment;
    // A large event may take another way to the handler.
    for (const body of ["event", "event".repeat(10_000), "event", "event".repeat(60_000)]) {
      const invocation = api.enqueue({ body });
      await invocation.posted;
      expectOutcome(invocation, { response: "x" });
    }
    await api.idle();
    expect(bootstrap.stderr.split(log)).toHaveLength(5);
  });
});

describe.each(["dash", "busybox ash", "bash", "bash as sh"] as const)("in %s", (shell) => {
  test.concurrent.each([
    ["-x", "echo loading", "echo handling"],
    ["-ex", "echo loading", "echo handling"],
    ["-o xtrace", "echo loading", "echo handling"],
    ["-v", "\necho loading\n", "handler() {"],
  ])(
    "the option %s of a first line shows the script and nothing else",
    async (option, loading, handling) => {
      const text = `${shellOf(shell).shebang} ${option}
echo loading
handler() { echo handling >&2; printf '%s' "$-"; }
`;
      const files = { "function.sh": { text, shebang: false } } as const;
      await using environment = await EnvironmentUnderTest.start({ shell, files });
      const { api, bootstrap } = environment;
      const letter = option === "-v" ? "v" : "x";
      for (const body of ["small", "large ".repeat(60_000), "small"]) {
        expect((await api.invoke({ body })).latin1).toContain(letter);
      }
      await api.idle();
      const log = bootstrap.stderr;
      for (const part of [loading, handling]) expect(log).toContain(part);
      // What the shell is started with is full of these.
      expect(log).not.toMatch(/\/proc\/|\/dev\/null|\\|unset|trap/);
    },
  );
});

describe.each(["ksh93", "mksh"] as const)("in %s", (shell) => {
  test.concurrent.each([
    ["that the handler sets", "", "trap 'echo trapped >&2' ERR;"],
    ["that a function of the file sets", "f() { trap 'echo trapped >&2' ERR; }", "f;"],
    ["of the file", "trap 'echo trapped >&2' ERR", ""],
    ["of several lines", "", "trap '\necho trapped >&2\n' ERR;"],
    ["that is named by a variable", "signal=ERR", "trap 'echo trapped >&2' $signal;"],
    ["that a function of another file sets", ". ./lib.sh", "strict;"],
  ])("an ERR trap runs for the handler's own failure: one %s", async (_, head, commands) => {
    const text = `${head}\nhandler() { ${commands} return 3; }`;
    await using environment = await EnvironmentUnderTest.start({
      shell,
      files: {
        "function.sh": text,
        "lib.sh": { text: "strict() { trap 'echo trapped >&2' ERR; }", shebang: false },
      },
    });
    const { api } = environment;
    for (const body of ["small", "large ".repeat(60_000), "small"]) {
      const { stackTrace } = (await api.invoke({ body })).json() as FunctionError;
      expect(stackTrace.at(-1)).toBe("trapped");
    }
  });
});

const ALL = [...SHELLS, ...FURTHER_SHELLS].map(({ name }) => name);

describe.each(ALL)("in %s", (shell) => {
  const say = shell === "mksh" ? "print -n" : "printf";
  // The handler's own process, which $$ is not.
  const signalItself = "kill -USR1 \"$(exec sh -c 'echo $PPID')\"";
  test.concurrent.each([
    ["no EXIT", "trap 'echo bye' EXIT", ":", "x"],
    ["an ignored signal", "trap '' USR1", signalItself, "x"],
    ["no other signal", "trap 'echo caught' USR1", signalItself, undefined],
    ["its own EXIT", "trap 'echo bye' EXIT", `trap '${say} y' EXIT`, "xy"],
    ["its own signal", "trap 'echo caught' USR1", `trap '${say} y' USR1; ${signalItself}`, "yx"],
  ])(
    "of the traps of a file an event has, as a subshell: %s",
    async (_, head, commands, response) => {
      const text = `${head}\nhandler() { ${commands}; ${say} x; }`;
      await using environment = await EnvironmentUnderTest.start({
        shell,
        files: { "function.sh": text },
      });
      const { api } = environment;
      for (const body of ["small", "large ".repeat(60_000), "small"]) {
        const { path, latin1 } = await api.invoke({ body });
        if (response === undefined) expect(path).toEndWith("/error");
        else expect(latin1).toBe(response);
      }
    },
  );
});
