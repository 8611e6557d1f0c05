/**
 * What of the runtime a handler can see, and what of the user's files the
 * runtime must not read.
 *
 * @module
 */

import { describe, expect, test } from "bun:test";

import { lambdaEnvironment } from "../testing/bootstrap-process.ts";
import { EnvironmentUnderTest } from "../testing/environment-under-test.ts";
import { SHELLS } from "../testing/shells.ts";

/** Replaces itself by a program with a name twice in its environment. */
const TWICE = `
import ctypes, os, sys
entries = [f"{name}={value}".encode() for name, value in os.environ.items()]
entries += [b"BUN_BE_BUN=1", b"BUN_BE_BUN=2", b"BUN_OPTIONS", b"=x", b""]
words = [word.encode() for word in sys.argv[1:]]
array = lambda items: (ctypes.c_char_p * (len(items) + 1))(*items, None)
ctypes.CDLL(None).execve(words[0], array(words), array(entries))
`;

/** Variables that shells set by themselves. */
const OF_SHELLS = ["PWD", "OLDPWD", "SHLVL", "_"];

/** The environment as programs see it, from `env -0`. */
function parseEnvironment(text: string): Record<string, string> {
  const entries = text
    .split("\0")
    .filter((entry) => entry !== "")
    .map((entry) => [entry.slice(0, entry.indexOf("=")), entry.slice(entry.indexOf("=") + 1)]);
  return Object.fromEntries(entries.filter(([name = ""]) => !OF_SHELLS.includes(name)));
}

describe.each(SHELLS.map(({ name }) => name))("%s", (shell) => {
  test.concurrent.each([
    ["function", "function.handler"],
    ["file", "respond"],
  ])("the environment of a %s is Lambda's and the invocation's", async (_, handler) => {
    await using environment = await EnvironmentUnderTest.start({
      shell,
      handler,
      files: {
        "function.sh": "handler() { env -0; }",
        respond: { text: "${SHEBANG}\nenv -0", mode: "755" },
      },
    });
    const { api, taskRoot } = environment;
    const invocation = api.enqueue();
    const post = await invocation.posted;
    const header = (name: string) => invocation.headers.get(`Lambda-Runtime-${name}`) ?? "";
    expect(parseEnvironment(post.body.toString("utf8"))).toEqual({
      ...lambdaEnvironment({ api: api.address, taskRoot, handler }),
      HOME: "/tmp",
      LAMBDA_RUNTIME_AWS_REQUEST_ID: invocation.requestId,
      LAMBDA_RUNTIME_DEADLINE_MS: header("Deadline-Ms"),
      LAMBDA_RUNTIME_INVOKED_FUNCTION_ARN: header("Invoked-Function-Arn"),
      LAMBDA_RUNTIME_TRACE_ID: header("Trace-Id"),
      _X_AMZN_TRACE_ID: header("Trace-Id"),
    });
  });

  test.concurrent("a handler sees no variable or function of the runtime", async () => {
    await using environment = await EnvironmentUnderTest.start({
      shell,
      files: { "function.sh": { from: "list-names.sh" } },
    });
    const { api } = environment;
    // The file itself lists the shell's names when it is loaded by the shell alone.
    const plain = Bun.spawnSync(
      [...shebangCommand(shell), "-c", '. ./function.sh; handler ""', "./function.sh"],
      {
        cwd: environment.taskRoot,
        env: lambdaEnvironment({
          api: api.address,
          taskRoot: environment.taskRoot,
          handler: "function.handler",
        }),
      },
    );
    const post = await api.invoke();
    const own = (text: string) =>
      [...new Set(text.split("\n"))].filter((name) => !/^(LAMBDA_RUNTIME_|_X_AMZN|$)/.test(name));
    const expected = [...own(plain.stdout.toString()), "HOME"];
    expect(own(post.latin1).filter((name) => ![...expected, "_"].includes(name))).toEqual([]);
  });

  test.concurrent.each([
    ["function", "function.handler"],
    ["file", "respond"],
  ])("a %s inherits standard input, output and error alone", async (_, handler) => {
    await using environment = await EnvironmentUnderTest.start({
      shell,
      handler,
      files: {
        // The listing program's own descriptor is not there any more when its output is checked.
        "function.sh":
          "handler() { ls -l /proc/self/fd | sed -n 's|.* \\([0-9]*\\) -> .*|\\1|p'; }",
        respond: {
          text: "${SHEBANG}\nls -l /proc/self/fd | sed -n 's|.* \\([0-9]*\\) -> .*|\\1|p'",
          mode: "755",
        },
      },
    });
    const post = await environment.api.invoke();
    // 3 is the folder that ls lists.
    expect(post.latin1).toBe("0\n1\n2\n3\n");
  });
});

/** The command of a shell's shebang. */
function shebangCommand(name: string): string[] {
  const found = SHELLS.find((candidate) => candidate.name === name);
  return (found?.shebang ?? "").slice("#!".length).split(" ");
}

test("files in the task root that configure Bun are the user's own", async () => {
  const spoil = "process.exit(99)";
  await using environment = await EnvironmentUnderTest.start({
    files: {
      "function.sh": "handler() { printf '%s' \"${PLANTED-unset}\"; }",
      ".env": "PLANTED=yes\nAWS_LAMBDA_RUNTIME_API=127.0.0.1:1\n_HANDLER=planted\n",
      ".env.local": "PLANTED=yes\n",
      ".env.production": "PLANTED=yes\n",
      ".env.development": "PLANTED=yes\n",
      "bunfig.toml": 'preload = ["./spoil.ts"]\n[run]\nshell = "bun"\n',
      ".bunfig.toml": 'preload = ["./spoil.ts"]\n',
      "spoil.ts": spoil,
      "preload.js": spoil,
      "tsconfig.json": '{"compilerOptions": {"paths": {"node:fs": ["./spoil.ts"]}}}',
      "package.json": '{"imports": {"#x": "./spoil.ts"}, "main": "spoil.ts", "type": "commonjs"}',
      "node_modules/node:fs/index.js": spoil,
    },
  });
  const post = await environment.api.invoke();
  expect([post.latin1, environment.bootstrap.stderr]).toEqual(["unset", ""]);
});

/** What Bun, its JavaScript engine and its allocator are configured by, each with what it would do. */
const CONFIGURING_BUN: Readonly<Record<string, string>> = {
  BUN_OPTIONS: "--preload=./spoil.ts", // runs that file in the runtime
  BUN_BE_BUN: "1", // makes it the command `bun`
  BUN_INSPECT: "ws://127.0.0.1:0/x?break=1", // waits for a debugger
  BUN_INSPECT_CONNECT_TO: "127.0.0.1:1",
  BUN_INSPECT_NOTIFY: "tcp://127.0.0.1:1",
  BUN_JSC_nosuch: "1", // refused
  BUN_JSC_useJIT: "0", // the foreign function interface needs it
  BUN_JSC_dumpOptions: "3", // prints
  BUN_JSC_gcMaxHeapSize: "1",
  BUN_CONFIG_VERBOSE_FETCH: "curl",
  BUN_DEBUG_QUIET_LOGS: "0",
  BUN_FEATURE_FLAG_DISABLE_ASYNC_TRANSPILER: "1",
  BUN_TMPDIR: "/nonexistent",
  BUN_GC_TIMER_DISABLE: "1",
  BUN_: "",
  MIMALLOC_VERBOSE: "1", // prints
  mimalloc_show_stats: "1", // prints
  NODE_OPTIONS: "--bad-option",
  NODE_CHANNEL_FD: "3", // taken for a parent's channel
  NODE_UNIQUE_ID: "1",
  NODE_EXTRA_CA_CERTS: "/nonexistent",
  JSC_useJIT: "0",
  FORCE_COLOR: "1",
  NO_COLOR: "1",
  DO_NOT_TRACK: "1",
  TMPDIR: "/nonexistent",
  TZ: "Asia/Kathmandu",
  http_proxy: "http://127.0.0.1:1",
  HTTP_PROXY: "http://127.0.0.1:1",
  https_proxy: "http://127.0.0.1:1",
};

test.concurrent.each([
  ...Object.entries(CONFIGURING_BUN).map(
    (entry) => [entry[0], Object.fromEntries([entry])] as const,
  ),
  ["all of them", CONFIGURING_BUN],
  ["all of them, and several loops", { ...CONFIGURING_BUN, AWS_LAMBDA_MAX_CONCURRENCY: "2" }],
])(
  "a variable that configures Bun is the handler's, not the runtime's: %s",
  async (_, variables) => {
    await using environment = await EnvironmentUnderTest.start({
      files: { "function.sh": "handler() { env -0; }", "spoil.ts": "process.exit(99)" },
      env: variables,
    });
    const seen = parseEnvironment((await environment.api.invoke()).body.toString("utf8"));
    const expected = Object.entries(variables);
    expect(expected.map(([name]) => [name, seen[name]])).toEqual(expected);
    expect(environment.bootstrap.stderr).toBe("");
  },
);

test("a variable whose name comes twice reaches the handler as a shell passes it on", async () => {
  const wrapper = ["python3", "-c", TWICE];
  await using environment = await EnvironmentUnderTest.start({
    files: { "function.sh": "handler() { printf '%s' \"$BUN_BE_BUN\"; }" },
    wrapper,
  });
  expect((await environment.api.invoke()).latin1).toMatch(/^[12]$/);
  expect(environment.bootstrap.stderr).toBe("");
});

test("a value that is not UTF-8 reaches the handler as it is", async () => {
  // A JavaScript environment holds text: a shell in front puts the bytes there.
  await using environment = await EnvironmentUnderTest.start({
    files: { "function.sh": "handler() { printf '%s' \"$ODD\"; }" },
    wrapper: ["/bin/sh", "-c", 'ODD=$(printf "a\\377\\200 b"); export ODD; exec "$0"'],
  });
  expect((await environment.api.invoke()).latin1).toBe("a\xff\x80 b");
});
