/**
 * What the caller and the log learn of a handler that fails: its last words on standard error, else on
 * standard output, else its last command; and never what it traces.
 *
 * @module
 */

import { describe, expect, test } from "bun:test";

import type { FunctionError } from "../runtime-api/function-error.ts";
import {
  type EnvironmentOptions,
  EnvironmentUnderTest,
} from "../testing/environment-under-test.ts";
import { childrenOf, signal, stateOf } from "../testing/process-facts.ts";
import { FURTHER_SHELLS, type ShellName, SHELLS } from "../testing/shells.ts";

const ALL = [...SHELLS, ...FURTHER_SHELLS].map(({ name }) => name);
const BASHES: readonly ShellName[] = ["bash", "bash as sh"];
const POSIX_SHELLS = SHELLS.map(({ name }) => name);

interface Failure {
  readonly error: FunctionError;
  readonly log: string;
}

/** Has a handler fail, between two events to which it responds. */
async function fail(
  shell: ShellName,
  script: string,
  { event = "fail", ...options }: Partial<EnvironmentOptions> & { event?: string } = {},
): Promise<Failure> {
  await using environment = await EnvironmentUnderTest.start({
    shell,
    files: { "function.sh": script },
    ...options,
    env: { LANG: "C.UTF-8", SECRET: "hunter2", ...options.env },
  });
  const { api, bootstrap } = environment;
  expect((await api.invoke({ body: "ok" })).latin1).toBe("fine");
  const invocation = api.enqueue({ body: event });
  const post = await invocation.posted;
  expect(post.path).toEndWith("/error");
  expect((await api.invoke({ body: "ok" })).latin1).toBe("fine");
  await api.idle();
  return { error: post.json() as FunctionError, log: bootstrap.stderr };
}

/** Kills the loaded shell. */
async function killShell({ bootstrap }: EnvironmentUnderTest): Promise<void> {
  const shell = childrenOf(bootstrap.pid).at(0) ?? 0;
  signal(shell, "SIGKILL");
  // An event that is there before it has ended may be its own.
  while (!/^[ZX]?$/.test(stateOf(shell))) await Bun.sleep(1);
}

/** A handler that fails in a way, or responds. */
const handler = (commands: string, head = "", tail = "") =>
  `${head}\nhandler() {\n  [ "$1" != ok ] || { printf fine; return 0; }\n${commands}\n}\n${tail}`;

describe.each(ALL)("standard output in %s", (shell) => {
  test.concurrent.each([
    ["one line", "echo 'Branch not found'; exit 1", "Branch not found"],
    ["several lines", "printf 'first\\nlast one\\n'; return 1", "last one"],
    ["pieces", "printf 'la'; printf 'st'; printf '\\n\\n'; exit 1", "last"],
    ["JSON", "printf '{\"a\":1}'; exit 1", '{"a":1}'],
    ["more than is looked at", "echo first; printf '%2000s\\n' last; exit 1", "last"],
  ])("%s", async (_, commands, lastLine) => {
    const { error, log } = await fail(shell, handler(commands));
    expect(error).toEqual({
      errorType: "Function.ExitError",
      errorMessage: `the handler exited with status 1: ${lastLine}`,
      stackTrace: error.stackTrace,
    });
    expect(log).toContain("the standard output of the handler, which has failed:\n");
    expect(log).toContain(lastLine);
  });
});

/** What stands in the message of a handler that has given no reason. */
const SILENT = "; it gave no reason: set -x in its file shows its commands in the log";

describe.each(ALL)("a handler that fails without a word in %s", (shell) => {
  test.concurrent.each([
    ["with its last command", "false", 1],
    ["by return", "return 7", 7],
    ["by exit", "exit 7", 7],
  ])("gets what to do: %s", async (_, commands, status) => {
    const { error } = await fail(shell, handler(commands));
    expect(error.errorMessage).toBe(`the handler exited with status ${status}${SILENT}`);
  });

  test.concurrent.each([
    ["is traced", handler("exit 7", "set -x")],
    ["traces itself", handler("set -x; exit 7")],
    ["has written on standard error", handler("echo words >&2; exit 7")],
    ["has written on standard output", handler("echo words; exit 7")],
    ["kills its shell", handler("kill -9 $$; sleep 9")],
  ])("does not if it %s", async (_, script) => {
    const { error } = await fail(shell, script);
    expect(error.errorMessage).not.toContain("gave no reason");
  });
});

test.concurrent("a file that fails without a word does not get what a script can do", async () => {
  await using environment = await EnvironmentUnderTest.start({
    shell: "dash",
    handler: "tool",
    files: { tool: { text: "exit 7\n", mode: "755" } },
  });
  const { errorMessage } = (await environment.api.invoke()).json() as FunctionError;
  expect(errorMessage).toBe("the handler exited with status 7");
});

describe.each(ALL)("a file without a slash that is sourced in %s", (shell) => {
  const files = { "lib.sh": "work() { printf fine; }" };

  test.concurrent("is looked for in PATH, and the message says so", async () => {
    const script = handler("  . lib.sh; exit 9");
    const { error } = await fail(shell, script, { files: { ...files, "function.sh": script } });
    if (shell === "bash") {
      expect(error.errorMessage).toContain("exited with status 9");
      return;
    }
    expect(error.errorMessage).toMatch(
      /\(a file's name without a slash is looked for in PATH: write \.\/ before it\).*lib\.sh/,
    );
  });

  test.concurrent("is not what a missing file with a slash is told of", async () => {
    const { error } = await fail(shell, handler("  . ./none.sh; exit 9"));
    expect(error.errorMessage).not.toContain("PATH");
  });
});

test.concurrent.each([
  "set -o pipefail",
  "source ./lib.sh || exit",
  '[[ "$1" == ok ]] || exit',
  'printf "%s" "${1/a/b}"',
  "shopt -s nullglob || exit",
])("dash names bash as the shell for: %s", async (command) => {
  const { error } = await fail("dash", handler(command));
  expect(error.errorMessage).toContain("(only bash knows that: begin the file with #!/bin/bash)");
});

describe.each(BASHES)("a silent set -e after a part of a response in %s", (shell) => {
  test.concurrent("is told with the command", async () => {
    const { error } = await fail(shell, handler("printf '{\"a\":'\nfalse\nprintf '1}'", "set -e"));
    expect(error.errorMessage).toBe(
      'the handler exited with status 1: {"a":; its last command: false (in handler)',
    );
  });

  test.concurrent("is not taken for the reason of a handler that ends itself", async () => {
    const { error } = await fail(shell, handler("echo 'no branch'\nexit 4", "set -e"));
    expect(error.errorMessage).toBe("the handler exited with status 4: no branch");
  });
});

describe.each(["bash", "bash as sh", "busybox ash", "mksh"] as const)("in %s", (shell) => {
  test.concurrent("a pipe that nobody reads any more is named", async () => {
    const { error } = await fail(shell, handler("yes | head -n 1 >/dev/null", "set -o pipefail"));
    expect(error).toMatchObject({
      errorType: "Function.KilledBySignal",
      errorMessage: expect.stringContaining("a program wrote to a pipe that nobody reads any more"),
    });
  });
});

describe.each(ALL)("the message of a command that is not found, in %s", (shell) => {
  test.concurrent.each([4, 30_000])(
    "names no file of the runtime, with an event of %d bytes",
    async (bytes) => {
      const { error } = await fail(shell, handler("no_such"), { event: "f".repeat(bytes) });
      expect(error.errorMessage).toContain("exited with status 127");
      expect(error.errorMessage).toMatch(/no_such.*not found/);
      expect(error.errorMessage).not.toContain("/proc/");
    },
  );
});

describe.each(POSIX_SHELLS)("in %s", (shell) => {
  test.concurrent("standard error says more than standard output", async () => {
    const { error, log } = await fail(shell, handler("echo out; echo err >&2; echo out; exit 2"));
    expect([error.errorMessage, error.stackTrace]).toEqual([
      "the handler exited with status 2: err",
      ["err"],
    ]);
    expect(log).toContain("out\nout\n");
  });

  test.concurrent("the log gets the end of an output that is long, and says so", async () => {
    const { log } = await fail(shell, handler("yes 0123456789 | head -c 100000; exit 1"));
    expect(log).toContain("the last 16384 bytes of the standard output of the handler");
    expect(log.split("0123456789").length).toBeGreaterThan(1_400);
    expect(log.length).toBeLessThan(17_000);
  });

  test.concurrent.each([0, 1, 2, 3])(
    "no character is cut, of an output %d bytes longer",
    async (length) => {
      const commands = `printf '%${length}s' ""; yes é€😀 | head -n 5000 | tr -d "\\n"; exit 1`;
      for (const format of ["Text", "JSON"]) {
        const env = { AWS_LAMBDA_LOG_FORMAT: format };
        const { error, log } = await fail(shell, handler(commands), { env });
        expect(error.errorMessage).toEndWith("é€😀");
        expect(error.errorMessage + log).not.toContain("\ufffd");
      }
    },
  );

  test.concurrent("the log has a record for each line of the output, with JSON", async () => {
    const { log } = await fail(shell, handler("printf 'a\\n{\"b\":1}\\nc'; exit 1"), {
      env: { AWS_LAMBDA_LOG_FORMAT: "JSON" },
    });
    const lines = log.trimEnd().split("\n");
    const records = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(records.slice(-3).map(({ message, b }) => message ?? b)).toEqual(["a", 1, "c"]);
    expect(records.slice(-4).every(({ requestId, b }) => b === 1 || requestId !== undefined)).toBe(
      true,
    );
  });

  test.concurrent("a response does not go to the log", async () => {
    const { log } = await fail(shell, handler("exit 1"));
    expect(log).not.toContain("fine");
  });

  test.concurrent("lines of the event before, and of loading, are not in an error", async () => {
    const { error } = await fail(
      shell,
      'echo loading >&2\nhandler() { [ "$1" = fail ] && return 3; echo old >&2; printf fine; }',
    );
    expect([error.errorMessage, error.stackTrace]).toEqual([
      `the handler exited with status 3${SILENT}`,
      [],
    ]);
  });

  test.concurrent.each([
    ["by its event", "handler() {", (_: EnvironmentUnderTest) => undefined],
    ["between two events", "handler() {", killShell],
    ["and says something as it loads", "echo loading >&2\nhandler() {", killShell],
    ["and must be warned of", "readonly LAMBDA_RUNTIME_TRACE_ID\nhandler() {", killShell],
  ])("lines of a shell that was killed %s are not in an error", async (_, head, strike) => {
    await using environment = await EnvironmentUnderTest.start({
      shell,
      files: { "function.sh": `${head} [ "$1" = kill ] && kill -9 $$; return 3; }` },
    });
    const { api, bootstrap } = environment;
    await api.invoke({ body: strike === killShell ? "live" : "kill" });
    await api.idle();
    await strike(environment);
    const error = (await api.invoke({ body: "fail" })).json() as FunctionError;
    expect([error.errorMessage, error.stackTrace]).toEqual([
      `the handler exited with status 3${SILENT}`,
      [],
    ]);
    expect(bootstrap.stderr).toContain("loading it again");
  });
});

describe.each(BASHES)("a silent set -e in %s", (shell) => {
  const cases: readonly (readonly [string, string, string])[] = [
    [
      "letters of every language",
      'test "größe €" = 😀',
      '1; its last command: test "größe €" = 😀 (in handler)',
    ],
    ["an assignment", "x=$(exit 7); echo never", "7; its last command: x=$(exit 7) (in handler)"],
    [
      "a variable's value is not shown",
      'grep -q "$SECRET" /dev/null',
      '1; its last command: grep -q "$SECRET" /dev/null (in handler)',
    ],
    ["a test", "[[ a == b ]]\necho never", "1; its last command: [[ a == b ]] (in handler)"],
    ["an arithmetic command", "((0))\necho never", "1; its last command: ((0)) (in handler)"],
    [
      "a pipeline",
      "set -o pipefail\ngrep -q x /dev/null | cat",
      "1; its last command: cat (in handler)",
    ],
    ["in a loop", "for i in 1; do false; done", "1; its last command: false (in handler)"],
    [
      "the first of several lines",
      "test 'a\n/b/ : c' = d",
      "1; its last command: test 'a … (in handler)",
    ],
    ["a return", "return 4", "4; its last command: return 4"],
    ["an exit", "exit 5", "5; its last command: exit 5 (in handler)"],
    [
      "a command of slashes and quotes",
      "test -e '/no/such' && :; test -e \"/no/such\"",
      '1; its last command: test -e "/no/such" (in handler)',
    ],
  ];
  test.concurrent.each(cases)("names its command: %s", async (_, commands, words) => {
    const { error } = await fail(shell, handler(commands, "set -e"));
    expect(error.errorMessage).toContain(`the handler exited with status ${words}`);
    expect(JSON.stringify(error)).not.toContain("hunter2");
  });

  // A large one is not handed over in the same way.
  test.concurrent.each([4, 40_000, 1_300_000])(
    "names the functions that called it, with an event of %d bytes",
    async (bytes) => {
      const script = handler("  outer", "set -e\ninner() { false; }\nouter() {\n  inner\n}");
      const { error } = await fail(shell, script, { event: "f".repeat(bytes) });
      expect(error.errorMessage).toBe(
        "the handler exited with status 1; its last command: false (in inner, which outer calls in line 5)",
      );
    },
  );

  test.concurrent("in the handler itself", async () => {
    const { error } = await fail(shell, handler("set -e\nfalse\necho never"));
    expect(error.errorMessage).toContain("its last command: false (in handler)");
  });

  test.concurrent.each([
    ["its status", 'f() { return 9; }\nf || printf "%s" "$?" >&2\nfalse', "9"],
    ["its options", 'printf "%s" "${-//[^eux]}" >&2; false', "e"],
    ["its subshells", '(trap >&2; exit 3) || printf "%s" "$?" >&2; false', "3"],
    // In POSIX mode bash lists the signals without a trap, too.
    ["its traps", "trap 2>&1 | grep -v -e ' -- - ' >&2; false", ""],
    ["its own EXIT trap", "trap 'echo mine >&2' EXIT; false", "mine"],
  ])("leaves the handler %s", async (_, commands, words) => {
    const { error } = await fail(shell, handler(commands, "set -e"));
    expect(error.stackTrace).toEqual(words === "" ? [] : [words]);
  });

  test.concurrent("shows nothing in a trace, and leaves the status of an exit", async () => {
    const { error, log } = await fail(shell, handler("exit 77", "set -ex"));
    expect(error.errorMessage).toContain("77");
    expect(log).not.toMatch(/\/fd\/|dev.null|left/);
  });
});

const SECRET_COMMANDS =
  ': "Authorization: $SECRET"\n: "$SECRET" >/dev/null\ncat /no/such/file\nexit 1';

describe.each(ALL)("traced commands in %s", (shell) => {
  test.concurrent.each([
    ["with PS4 as it is", "set -x"],
    ["with another PS4", "PS4='> '; set -x"],
    ["with a PS4 of several words", "PS4='[trace] '; set -x"],
    ["with a PS4 that no alphabet has", "PS4='😀 '; set -x"],
    ["with a PS4 of several lines", "PS4='>\n> '; set -x"],
    ["with a PS4 of a variable and quotes", "BOLD='_'; PS4=$BOLD'> '; set -x"],
    ["with a PS4 with a command", "PS4='$(echo 12:05) '; set -x"],
    ["with a PS4 that ends in an expansion", "PS4='# ${SECRET+x} '; set -x"],
    ["with a PS4 that begins with one", "PS4='${SECRET+trace}: '; set -x"],
    ["with a PS4 that depends on the event", "PS4='$LAMBDA_RUNTIME_AWS_REQUEST_ID> '; set -x"],
    ["with a PS4 that cannot be known", "PS4='$LAMBDA_RUNTIME_AWS_REQUEST_ID '; set -x"],
  ])("do not reach the caller, %s", async (_, tracing) => {
    for (const script of [
      handler(SECRET_COMMANDS, tracing),
      handler(`${tracing}\n${SECRET_COMMANDS}`),
    ]) {
      const { error, log } = await fail(shell, script);
      if (!tracing.includes("ID '")) expect(error.stackTrace.join("\n")).toContain("No such file");
      expect(JSON.stringify(error)).not.toContain("hunter2");
      expect(log).toContain("hunter2");
    }
  });

  test.concurrent.each([
    ["after a line without its end", `printf 'Password:' >&2; : "$SECRET"; exit 1`],
    ["in a function", `f() { printf 'Password:' >&2; : "$(: "$SECRET")"; exit 1; }; f`],
    ["of another shell", `sh -xc ': "$SECRET"; exit 1'; exit 1`],
    ["on standard output", `exec 2>&1; : "$SECRET"; ! : "$SECRET"; exit 1`],
    ["on standard output, after text", `exec 2>&1; printf text; test -z "$SECRET" || exit 1`],
    ["on standard output, and long", `exec 2>&1; : "$(printf '%4000s' "")$SECRET"; exit 1`],
  ])("do not reach the caller %s", async (_, commands) => {
    const { error, log } = await fail(shell, handler(`set -x\n${commands}`));
    expect(JSON.stringify(error)).not.toContain("hunter2");
    expect(log).toContain("hunter2");
  });

  test.concurrent("which are told from what is said about a command", async () => {
    const commands = `set -x\ncat "$SECRET"\necho "${"it's"} wrong" >&2\nexit 1`;
    const { error } = await fail(shell, handler(commands));
    expect(error.stackTrace.slice(-2)).toEqual([
      "cat: hunter2: No such file or directory",
      "it's wrong",
    ]);
  });
});

test.concurrent.each(["+ ", "", "# "])(
  "commands that mksh traces in one function do not reach the caller, with the PS4 %j",
  async (prefix) => {
    const script = `${handler(SECRET_COMMANDS)}PS4='${prefix}'\ntypeset -ft handler\n`;
    const { error, log } = await fail("mksh", script);
    expect(JSON.stringify(error)).not.toContain("hunter2");
    expect(log).toContain("hunter2");
  },
);

describe.each(POSIX_SHELLS)("traced commands in %s", (shell) => {
  test.concurrent.each([
    ["is empty", "PS4=", ""],
    ["is not there", "unset PS4", ""],
    ["is read", "read -r PS4 <<E\n#> \nE", ""],
    ["is that of a variable, after others", "set -x\nMARK='@ '; PS4=$MARK", ""],
    ["is a command in backquotes", "PS4='`echo x`: '", "cat: /no/such/file"],
    ["has a line as a message has", "PS4='/: \n> '", "cat: /no/such/file"],
  ])("do not reach the caller where PS4 %s", async (_, tracing, said) => {
    const lib = `${tracing}\nset -x\n`;
    for (const files of [
      { "function.sh": handler(`${lib}${SECRET_COMMANDS}`) },
      { "function.sh": handler(SECRET_COMMANDS, ". ./lib.sh"), "lib.sh": lib },
    ]) {
      const { error, log } = await fail(shell, "", { files });
      expect(JSON.stringify(error)).not.toContain("hunter2");
      expect(error.stackTrace.join("\n")).toContain(said);
      expect(log).toContain("hunter2");
    }
  });
});

describe.each(ALL)("in %s", (shell) => {
  test.concurrent.each([
    ["a key", "-----BEGIN\nhunter2\n-----END"],
    ["JSON", '{\n  "password": "hunter2"\n}'],
    ["quotes", "it's\nhunter2 isn't\n\"b\" it'"],
  ])("the further lines of a traced command do not reach the caller: %s", async (_, value) => {
    const commands = `: "$KEY"\nA=$KEY\necho last words >&2\nexit 1`;
    const env = { KEY: value };
    const { error } = await fail(shell, handler(commands, "set -x"), { env });
    expect(error.stackTrace).toEqual(["last words"]);
  });
});

describe.each(BASHES)("a PS4 of %s", (shell) => {
  test.concurrent.each([
    "${BASH_SOURCE##*/}:${LINENO}:${FUNCNAME[0]:-}: ",
    "[$EPOCHREALTIME] ",
    "$LINENO $1> ",
    "\\t ",
  ])("marks traced commands: %s", async (prefix) => {
    const script = handler(`f() {\n${SECRET_COMMANDS}\n}\nf`, `PS4='${prefix}'\nset -x`);
    const { error } = await fail(shell, script);
    expect(error.stackTrace).toEqual(["cat: /no/such/file: No such file or directory"]);
  });
});

const REASON_FILES = {
  script: { text: "#!/no/such/interpreter\n", mode: "755" },
  data: "text\n",
  program: {
    base64: Buffer.from("\x7fELF\x02\x01\x01\0garbage\0\0\0\0").toString("base64"),
    mode: "755",
  },
};

describe.each(POSIX_SHELLS)("the reason for 126 and 127 in %s", (shell) => {
  test.concurrent.each([
    ["a long argument", 'cat "$(head -c 200000 /dev/zero | tr "\\0" a)"', 126, "standard input"],
    [
      "a long argument, with exec",
      'exec /bin/echo "$(head -c 200000 /dev/zero | tr "\\0" a)"',
      126,
      "standard input",
    ],
    [
      "a long environment",
      'A=$(head -c 200000 /dev/zero | tr "\\0" a); export A; /bin/cat /dev/null',
      126,
      "too long for a program",
    ],
    ["no such command", "no_such_command", 127, "a command was not found"],
    ["no such file", "./no_such_file", 127, "not found"],
    ["no such interpreter", "./script", 127, "interpreter of a script"],
    ["no execute bit", "./data", 126, "a command was not executable"],
    ["the handler's own status", "exit 126", 126, "which shells use for"],
    ["the handler's own words", "echo words >&2; exit 127", 127, "which shells use for"],
  ])("%s", async (_, commands, status, reason) => {
    const script = handler(commands);
    const files = { ...REASON_FILES, "function.sh": script };
    const { error } = await fail(shell, script, { files });
    expect(error.errorMessage).toContain(`status ${status} (`);
    expect(error.errorMessage).toContain(reason);
  });
});

// busybox ash runs such a file as a script.
test.concurrent.each(["dash", ...BASHES])(
  "the reason for 126 in %s: a program of another kind",
  async (shell) => {
    const script = handler("./program");
    const files = { ...REASON_FILES, "function.sh": script };
    const { error } = await fail(shell, script, { files });
    expect(error.errorMessage).toContain("status 126 (a program for another processor");
  },
);
