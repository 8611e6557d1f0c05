/**
 * R5, R8, R23, T-33, B-14: what of the runtime a handler can see, and what of the user's files the
 * runtime must not read.
 *
 * @module
 */

import { describe, expect, test } from "bun:test";

import { lambdaEnvironment } from "../testing/bootstrap-process.ts";
import { EnvironmentUnderTest } from "../testing/environment-under-test.ts";
import { SHELLS } from "../testing/shells.ts";

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
  ])("R5 T-33: the environment of a %s is Lambda's and the invocation's", async (_, handler) => {
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
    const post = await invocation.answered;
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

  test.concurrent("R8: a handler sees no variable or function of the runtime", async () => {
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
  ])("R8: a %s inherits standard input, output and error alone", async (_, handler) => {
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

test("R23: files in the task root that configure Bun are the user's own", async () => {
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

test("R5 R23: variables that configure Bun are not the runtime's", async () => {
  await using environment = await EnvironmentUnderTest.start({
    files: { "function.sh": "handler() { env | grep -c -e '^BUN_' -e '^NODE_' || :; }" },
    env: {
      BUN_CONFIG_VERBOSE_FETCH: "curl",
      BUN_JSC_dumpOptions: "1",
      NODE_OPTIONS: "--bad-option",
      NO_COLOR: "1",
      http_proxy: "http://127.0.0.1:1",
      HTTP_PROXY: "http://127.0.0.1:1",
      https_proxy: "http://127.0.0.1:1",
    },
  });
  // B-14: the proxies are ignored; the user's own variables reach the handler.
  expect((await environment.api.invoke()).latin1).toBe("3\n");
});

test("R5 R8: a value that is not UTF-8 reaches the handler as it is", async () => {
  // A JavaScript environment holds text: a shell in front puts the bytes there.
  await using environment = await EnvironmentUnderTest.start({
    files: { "function.sh": "handler() { printf '%s' \"$ODD\"; }" },
    wrapper: ["/bin/sh", "-c", 'ODD=$(printf "a\\377\\200 b"); export ODD; exec "$0"'],
  });
  expect((await environment.api.invoke()).latin1).toBe("a\xff\x80 b");
});
