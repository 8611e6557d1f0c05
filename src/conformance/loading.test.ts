/**
 * What files of all kinds are taken for when they are loaded: names of functions and shells, files that can
 * also be run, and the reason where one cannot be loaded.
 *
 * @module
 */

import { describe, expect, test } from "bun:test";

import type { FunctionError } from "../runtime-api/function-error.ts";
import {
  type EnvironmentOptions,
  EnvironmentUnderTest,
} from "../testing/environment-under-test.ts";
import { FURTHER_SHELLS, type ShellName, SHELLS } from "../testing/shells.ts";

const ALL = [...SHELLS, ...FURTHER_SHELLS].map(({ name }) => name);
const BASHES: readonly ShellName[] = ["bash", "bash as sh"];

/** The response to an event, or the error of loading. */
async function load(
  shell: ShellName,
  text: string,
  options: Partial<EnvironmentOptions> = {},
): Promise<string | FunctionError> {
  await using environment = await EnvironmentUnderTest.start({
    shell,
    files: { "function.sh": text },
    ...options,
  });
  const { api, exited } = environment;
  const end = await Promise.race([api.invoke({ body: "event" }), exited]);
  if ("signal" in end) return api.initErrors[0]?.json() as FunctionError;
  return end.path.endsWith("/response") ? end.body.toString() : (end.json() as FunctionError);
}

const SAY = `printf '%s' "$1"`;

describe.each(ALL)("%s", (shell) => {
  test.concurrent.each([
    ["by its own name", 'case ${0##*/} in function.sh) echo "run" ;; esac'],
    ["by its path", "case $0 in */function.sh) exit 1 ;; esac"],
    ["by its name without what follows", '[ "$(basename "$0" .sh)" = function ] && exit 1; :'],
    ["by whether it is sourced", '[ "$0" = "${BASH_SOURCE:-no}" ] && exit 1; :'],
  ])("a file that can be run as well is not run: %s", async (_, guard) => {
    expect(await load(shell, `${guard}\nhandler() { ${SAY}; }`)).toBe("event");
  });

  test.concurrent("$0 is in the file's folder", async () => {
    const text = `. "$(dirname "$0")/lib.sh"\nhandler() { say "$1"; }`;
    const files = {
      "a/b.sh": text,
      "a/lib.sh": { text: `say() { ${SAY}; }`, shebang: false },
    } as const;
    expect(await load(shell, "", { files, handler: "a/b.handler" })).toBe("event");
  });

  test.concurrent.each(["echo alias", "exit 3", "", "handler more", "command"])(
    "an alias of the handler's name does not hide it: %p",
    async (alias) => {
      const text = `handler() { ${SAY}; }\nalias handler='${alias}'`;
      expect(await load(shell, text)).toBe("event");
    },
  );

  test.concurrent("an alias that spoils the definition is told by the shell's words", async () => {
    const text = `alias handler='echo alias'\nhandler() { ${SAY}; }`;
    const loaded = await load(shell, text);
    // Where aliases are not expanded, in bash, nothing is spoilt; ksh93 and mksh look further.
    if (loaded !== "event")
      expect(JSON.stringify(loaded)).toMatch(/"errorMessage":"[^"]*(?:syntax|unexpected)/i);
  });

  test.concurrent("a function that is not there any more is not found", async () => {
    const text = "handler() { :; }\nunset -f handler";
    expect(await load(shell, text)).toMatchObject({ errorType: "Runtime.HandlerNotFound" });
    expect(await load(shell, "other() { :; }")).toMatchObject({
      errorMessage: expect.stringContaining("it defines other"),
    });
  });

  test.concurrent.each([
    ["SHELLOPTS", "braceexpand:hashall:posix"],
    ["BASHOPTS", "checkwinsize:expand_aliases"],
    ["BASH_VERSION", "5.2.15(1)-release"],
    ["KSH_VERSION", "Version AJM 93u+m/1.0.4"],
    ["POSIXLY_CORRECT", "1"],
    ["PS4", "$(exit 3)"],
    ["ENV", "/no/such/file"],
  ])("%s in the environment decides nothing", async (name, value) => {
    const text = `handler() { ${SAY}; }`;
    expect(await load(shell, text, { env: { [name]: value, LANG: "C.UTF-8" } })).toBe("event");
  });
});

describe("names of functions", () => {
  test.concurrent.each([
    "my-handler",
    "aws::handler",
    "1st",
    "größe",
    "a+b@c%d,e^f",
    "ok?",
    "handler!",
    "[[]]=~",
    "-x",
    "time",
    "command",
    "test",
    "export",
    "if_",
  ])("bash takes %s", async (name) => {
    const text = `function ${name} { builtin printf '%s' "$1"; }`;
    expect(await load("bash", text, { handler: `function.${name}` })).toBe("event");
  });

  test.concurrent.each(["dash", "bash as sh", "busybox ash"] as const)(
    "%s says why it does not take such a name",
    async (shell) => {
      const { errorType, errorMessage } = (await load(shell, "my-handler() { :; }", {
        handler: "function.my-handler",
      })) as FunctionError;
      expect(errorType).toMatch(/^Runtime\.(?:UserCodeSyntaxError|InitError)$/);
      expect(errorMessage).toMatch(/bad function name|not a valid identifier/i);
    },
  );

  test.concurrent.each(["dash", "bash as sh", "busybox ash"] as const)(
    "%s says so of a function that is not in the file, too",
    async (shell) => {
      const text = "handler() { :; }";
      for (const name of ["my-handler", "2nd"]) {
        const error = (await load(shell, text, { handler: `function.${name}` })) as FunctionError;
        expect(error.errorType).toBe("Runtime.MalformedHandlerName");
        expect(error.errorMessage).toMatch(/ says of \S+\(\) ".*(?:bad|not a valid)/i);
        expect(error.errorMessage).toContain(`function.${name}`);
      }
    },
  );

  test.concurrent.each([129, 250, 5_000])("a name of %d letters is not found", async (length) => {
    const handler = `function.${"x".repeat(length)}`;
    for (const shell of ["dash", "bash", "bash as sh", "busybox ash"] as const) {
      const error = await load(shell, "handler() { :; }", { handler });
      expect(error).toMatchObject({ errorType: "Runtime.HandlerNotFound" });
    }
  });

  test.concurrent("bash says that such a function is not there", async () => {
    const text = "set -o posix\nhandler() { :; }\nset +o posix";
    const error = await load("bash", text, { handler: "function.my-handler" });
    expect(error).toMatchObject({
      errorType: "Runtime.HandlerNotFound",
      errorMessage: expect.stringContaining("it defines handler"),
    });
  });

  test.concurrent.each(["dash", "busybox ash", "mksh"] as const)(
    "%s takes a function named as a builtin",
    async (shell) => {
      for (const name of ["command", "test", "kill"]) {
        const say = shell === "mksh" ? 'print -rn -- "$1"' : SAY;
        expect(await load(shell, `${name}() { ${say}; }`, { handler: `function.${name}` })).toBe(
          "event",
        );
      }
    },
  );
});

test.concurrent.each(["ksh93", "mksh", "bash", "dash"])(
  "a first line may name %s",
  async (program) => {
    const text = `#!/bin/${program}\nhandler() { ${program === "mksh" ? 'print -rn -- "$1"' : SAY}; }`;
    expect(await load("dash", text)).toBe("event");
  },
);

describe.each(["dash", "busybox ash", "bash", "bash as sh"] as const)("in %s", (shell) => {
  test.concurrent.each([
    ["in the function's lines", "handler() {\r\n ls\r\n}\r\n"],
    ["in a file that it loads", ". ./lib.sh\nhandler() { work; }"],
    ["in a file that it runs", "handler() { . ./lib.sh; }"],
  ])("CRLF line ends after the first line are named: %s", async (_, text) => {
    const files = {
      "function.sh": text,
      "lib.sh": { text: "work() {\r\n ls\r\n}\r\nls\r\n", shebang: false },
    } as const;
    const { errorMessage } = (await load(shell, "", { files })) as FunctionError;
    // Bash goes on after a file that it cannot load: what it says of that is in the log.
    expect(errorMessage).toMatch(/CRLF|work: command not found/);
  });
});

describe.each(BASHES)("a file that ends %s without a word", (shell) => {
  test.concurrent.each([
    ["[[ a == b ]] && handler", "its last line is: [[ a == b ]] && handler"],
    [
      '[ "${BASH_SOURCE[0]}" = "$0" ] && handler "$@"\n\n# the end',
      'its last line is: [ "${BASH_SOURCE[0]}" = "$0" ] && handler "$@"',
    ],
    ["false", "at line 4: false"],
    ['test -f "$SECRET"\n:', 'at line 4: test -f "$SECRET"'],
    ['test "a\n/b/ : c" = d\n:', 'at line 5: test "a …'],
    ["x=$(exit 7)\n:", "exited with status 7 at line 4: x=$(exit 7)"],
    ["exit 3", "exited with status 3"],
    ['test "größe €" = 😀\n:', 'at line 4: test "größe €" = 😀'],
  ])("at %s", async (commands, words) => {
    const text = `set -e\nhandler() { :; }\n${commands}\n`;
    const { errorType, errorMessage } = (await load(shell, text, {
      env: { SECRET: "hunter2" },
    })) as FunctionError;
    expect(errorType).toBe("Runtime.InitError");
    expect(errorMessage).toContain(words);
    expect(errorMessage).not.toContain("hunter2");
  });
});

describe.each(["dash", "busybox ash"] as const)("in %s", (shell) => {
  test.concurrent.each([
    ["set -e\nhandler() { :; }\nfalse", 1],
    ["handler() { :; }\nset -e\nx=$(exit 7)\n:", 7],
    ["set -eu\nhandler() { :; }\n[ a = b ] && handler", 1],
    ["handler() { :; }\nexit 9", 9],
    ["handler() { :; }\nexec sh -c 'exit 9'", 9],
  ])(
    "a file that ends its shell without a word gets the likely reasons: %j",
    async (text, status) => {
      const { errorType, errorMessage } = (await load(shell, text)) as FunctionError;
      expect(errorType).toBe("Runtime.InitError");
      expect(errorMessage).toContain(
        `status ${status}: it called exit or exec, or a command failed under set -e`,
      );
    },
  );

  test.concurrent.each(["exit", "exec true", "set -n"])(
    "a file that ends its shell with status 0 is told what it must not do: %s",
    async (command) => {
      const { errorType, errorMessage } = (await load(shell, `${command}\n`)) as FunctionError;
      expect(errorType).toBe("Runtime.InitError");
      expect(errorMessage).toContain("status 0: it must not call exit, exec or set -n");
    },
  );
});

test.concurrent.each(BASHES)(
  "what a file must be given is told in the words of %s, and nothing else",
  async (shell) => {
    expect(await load(shell, 'handler() { :; }\n: "${TABLE:?set it}"\n')).toMatchObject({
      errorType: "Runtime.InitError",
      errorMessage: expect.stringMatching(/exited with status 127: .*: TABLE: set it$/),
    });
  },
);

test.concurrent.each([
  ["#!/bin/bash -Z", "-Z"],
  ["#!/bin/bash --no-such", "--no-such"],
  ["#!/bin/bash -ex # as always", "-ex # as always"],
  ["#!/bin/dash -Z", "-Z"],
  ["#!/bin/busybox sh -Z", "sh -Z"],
  ["#!/bin/mksh -Z", "-Z"],
  ["#!/bin/ksh93 -Z", "-Z"],
])(
  "options that the shell of a first line does not take are told as such: %s",
  async (line, words) => {
    const error = (await load("dash", `${line}\nhandler() { :; }\n`)) as FunctionError;
    const [, path = ""] = line.split(/[! ]/);
    expect(error.errorType).toBe("Runtime.InvalidEntrypoint");
    expect(error.errorMessage).toContain(
      `/function.sh: ${path} does not take the options of its first line (${words}): `,
    );
    expect(error.errorMessage).not.toMatch(/\n|bash can read it/);
  },
);

test.concurrent("a syntax error is none of the options of a first line", async () => {
  expect(await load("dash", "#!/bin/bash -eu\nhandler() { if; }\n")).toMatchObject({
    errorType: "Runtime.UserCodeSyntaxError",
    errorMessage: expect.stringContaining("function.sh: line 2: syntax error"),
  });
});

describe.each(["dash", "bash"] as const)("an error of loading in %s", (shell) => {
  const names = Array.from({ length: 4_000 }, (_, at) => `work${at}`);
  test.concurrent.each([
    [
      "of many functions",
      names.map((name) => `${name}() { :; }\n`).join(""),
      /defines work0, work1, .*…$/,
    ],
    [
      "of a long last line",
      `echo first ${"x".repeat(7_000)} >&2\nexit 3\n`,
      /status 3: first x+…$/,
    ],
  ])("has a message that is not longer than those of events: one %s", async (_, text, words) => {
    const { errorMessage } = (await load(shell, text)) as FunctionError;
    expect(errorMessage).toMatch(words);
    expect(errorMessage.length).toBeLessThan(2_100);
  });
});

test.concurrent.each(["typeset -fx", "typeset -ft", "typeset -fxt", "export -f", "readonly -f"])(
  "a function may be marked: %s",
  async (marking) => {
    const shell = marking.startsWith("typeset") ? "mksh" : "bash";
    const text = `handler() { printf '%s' "$1"; }\n${marking} handler`;
    expect(await load(shell, text)).toBe("event");
  },
);

describe.each(ALL)("in %s", (shell) => {
  test.concurrent.each([
    ["between its lines", "\0\0\n\0\nhandler() { :; }\n\0"],
    ["in a function", "handler() {\n\0 )\0 ; }\n"],
    ["everywhere", "\x1f\x8b\x08\0\0(\0)\0\n)\0"],
  ])("a file that has NUL bytes and no handler is told so: %s", async (_, text) => {
    const error = await load(shell, text);
    // Shells leave NUL bytes out, or stop there: of some files that makes a script.
    if (error === "") return;
    expect((error as FunctionError).errorType).toMatch(/UserCodeSyntaxError|HandlerNotFound/);
    expect((error as FunctionError).errorMessage).toContain(
      "it has NUL bytes, so it is not a script",
    );
  });
});

describe.each(["dash", "busybox ash"] as const)("a script for bash in %s", (shell) => {
  test.concurrent.each([
    ["an array", "names=(a b)\nhandler() { :; }\n"],
    ["an array in a function", "handler() {\n  names=(a b)\n}\n"],
    ["a here-string in a condition", "handler() { while read -r a; do :; done <<< (x); }\nx=(1)\n"],
  ])("is told as such where bash can read it: %s", async (_, text) => {
    const { errorType, errorMessage } = (await load(shell, text)) as FunctionError;
    expect(errorType).toBe("Runtime.UserCodeSyntaxError");
    expect(errorMessage.includes("bash can read it: begin the file with #!/bin/bash")).toBe(
      !text.includes("<<<"),
    );
  });

  test.concurrent("is not told of what no shell can read", async () => {
    const { errorMessage } = (await load(shell, "handler() { if; }\n")) as FunctionError;
    expect(errorMessage).toMatch(/[Ss]yntax error/);
    expect(errorMessage).not.toContain("bash");
  });
});

test.concurrent.each(BASHES)("what %s cannot read is not told to be for bash", async (shell) => {
  const { errorMessage } = (await load(shell, "names=(a b)\nhandler() { if; }\n")) as FunctionError;
  expect(errorMessage).toContain("syntax error");
  expect(errorMessage).not.toContain("#!/bin/bash");
});

describe("a handler's file that is not executable", () => {
  const program = { base64: Buffer.from("\x7fELF\x02\x01\x01\0 (\n").toString("base64") };

  test.concurrent("and a program is told so", async () => {
    const error = await load("dash", "", { handler: "tool", files: { tool: program } });
    expect(error).toMatchObject({
      errorType: "Runtime.InvalidEntrypoint",
      errorMessage: expect.stringContaining(
        "/tool is a program and not executable: give it mode 0755",
      ),
    });
  });

  test.concurrent.each(["644", "755"])(
    "or is, and has CRLF line ends without a first line for its shell, is told so: mode %s",
    async (mode) => {
      const tool = { text: "if true; then\r\n  echo a\r\nfi\r\n", mode, shebang: false } as const;
      expect(await load("dash", "", { handler: "tool", files: { tool } })).toMatchObject({
        errorType: "Runtime.UserCodeSyntaxError",
        errorMessage: expect.stringContaining("/tool has CRLF line ends"),
      });
    },
  );
});

test.concurrent.each([
  ["sub", "function.handler"],
  ["./sub/", "function.handler"],
  ["sub", "tool"],
  [".", "sub/function.handler"],
])("LAMBDA_TASK_ROOT may be relative to the working folder: %s, %s", async (root, handler) => {
  const files = {
    "sub/function.sh": `handler() { cat sub.txt sub/sub.txt 2>/dev/null; ${SAY}; }`,
    "sub/tool": { text: "#!/bin/sh\ncat sub.txt -", mode: "755" },
    "sub/sub.txt": "in sub: ",
  } as const;
  const env = { LAMBDA_TASK_ROOT: root };
  expect(await load("dash", "", { files, handler, env })).toBe("in sub: event");
});

test.concurrent.each([" function.handler", "function.handler ", "function.handler\n"])(
  "a handler's name that ends or begins with a blank is shown with it: %j",
  async (name) => {
    const error = await load("dash", "handler() { :; }", { handler: name });
    expect(error).toMatchObject({
      errorType: "Runtime.MalformedHandlerName",
      errorMessage: expect.stringContaining(
        `name ${JSON.stringify(name)} begins or ends with a blank`,
      ),
    });
  },
);

/** Of patterns that bash only knows when the file has turned them on. */
const EXTENDED = `handler() { case $1 in +([0-9])) echo number ;; *) ${SAY} ;; esac; }`;

describe.each(BASHES)("in %s, patterns that the file turns on", (shell) => {
  test.concurrent.each([
    ["at its beginning", `shopt -s extglob\n${EXTENDED}\nfalse`],
    ["for its functions alone", `shopt -s extglob\n${EXTENDED}\nshopt -u extglob\nfalse`],
    ["by a file that it sources", `. ./lib.sh\n${EXTENDED}\n[ -n "\${UNSET-}" ] && VERBOSE=1`],
    ["before a test that fails", `shopt -s nullglob extglob\n${EXTENDED}\ngrep -q x /dev/null`],
  ])("are not a syntax error, also after a last command that fails: %s", async (_, text) => {
    const files = {
      "function.sh": text,
      "lib.sh": { text: "shopt -s extglob", shebang: false },
    } as const;
    expect(await load(shell, "", { files })).toBe("event");
  });

  test.concurrent("are not taken for the reason why the file has ended its shell", async () => {
    expect(await load(shell, `shopt -s extglob\n${EXTENDED}\nexit 3`)).toMatchObject({
      errorType: "Runtime.InitError",
      errorMessage: expect.stringContaining("exited with status 3"),
    });
  });

  test.concurrent.each([
    ["in a file that turns them on", `shopt -s extglob\n${EXTENDED}\n)`],
    ["in a file that does not", EXTENDED],
    ["before they are turned on", `${EXTENDED}\nshopt -s extglob\n`],
  ])("a syntax error is told as such %s", async (_, text) => {
    const error = (await load(shell, text)) as FunctionError;
    expect(error.errorType).toMatch(/UserCodeSyntaxError|HandlerNotFound/);
    expect(error.errorMessage).toContain("syntax error near");
  });
});

describe.each(BASHES)("%s", (shell) => {
  test.concurrent("a trap of a file's own holds while it is loaded", async () => {
    const text = "set -e\ntrap 'echo \"mine $?\" >&2' ERR\nhandler() { :; }\nfalse";
    expect(await load(shell, text)).toMatchObject({
      errorMessage: expect.stringContaining("mine 1"),
    });
  });

  test.concurrent("a file sees no trap of the runtime", async () => {
    const text = `LIST=$(trap)\nhandler() { printf '%s' "$LIST$(trap)"; }`;
    expect(await load(shell, text)).not.toMatch(/fd|ERR|EXIT'?$/);
  });
});
