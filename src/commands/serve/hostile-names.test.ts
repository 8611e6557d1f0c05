/** What callers and templates name becomes no path: nothing is written, read or removed because of it. */

import { expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { bootstrapExecutable } from "../../testing/bootstrap-process.ts";
import { functionFolder, startTool, tool } from "../../testing/running-tool.ts";
import { temporaryFolder } from "../../testing/temporary-folder.ts";

const NAMES = [
  "../../outside",
  "/outside",
  "..%2f..%2foutside",
  "%2e%2e/outside",
  "..\\outside",
  "a/../../outside",
  "outside\u0000.json",
  "$(touch outside)",
  "`touch outside`",
  "; touch outside;",
  "-o outside",
  "~/outside",
];

/** Everything below a folder, with what is in it. */
function tree(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .map((path) => {
      const full = join(folder, path);
      return statSync(full).isFile() ? `${path}: ${readFileSync(full, "base64")}` : path;
    })
    .sort();
}

/** A folder with another one inside, where everything happens, and a secret beside that. */
function yard(files: Readonly<Record<string, string>>) {
  const around = temporaryFolder("yard");
  const inside = join(around, "one", "two");
  mkdirSync(inside, { recursive: true });
  writeFileSync(join(around, "outside"), "secret");
  writeFileSync(join(around, "outside.sh"), "handler() { echo secret; }\n");
  for (const [name, text] of Object.entries(files)) writeFileSync(join(inside, name), text);
  return { around, inside };
}

const SCRIPT = "handler() { cat; }\n";

test("names, ids and paths of callers", async () => {
  const { around, inside } = yard({ "function.sh": SCRIPT });
  const environment = { TMPDIR: inside };
  const args = ["serve", ".", "--port", "0", "--metrics-port", "0", "--workers", "1"];
  await using served = await startTool([...args, "--bootstrap", bootstrapExecutable()], {
    cwd: inside,
    environment,
  });
  const before = tree(around);
  const invoke = `${served.url}/2015-03-31/functions/two/invocations`;
  const header = (name: string) => name.replace("\u0000", "");
  for (const name of NAMES) {
    const encoded = encodeURIComponent(name);
    const requests: readonly (readonly [string, Readonly<Record<string, string>>])[] = [
      [invoke, { "X-Amzn-RequestId": header(name) }],
      [invoke, { "X-Amzn-Trace-Id": header(name), "X-Amz-Tenant-Id": header(name) }],
      [
        invoke,
        { "X-Amz-Client-Context": Buffer.from(JSON.stringify({ name })).toString("base64") },
      ],
      [`${served.url}/2015-03-31/functions/${encoded}/invocations`, {}],
      [`${invoke}?Qualifier=${encoded}`, {}],
      [`${served.url}/${encoded}`, {}],
      [`${served.url}/_lambda-shell/${encoded}`, {}],
      [`${served.url}/_lambda-shell/functions/${encoded}`, {}],
    ];
    for (const [url, headers] of requests) {
      const response = await fetch(url, { method: "POST", headers, body: "{}" });
      expect(await response.text()).not.toContain("secret");
    }
  }
  expect(tree(around)).toEqual(before);
});

const yaml = (value: string) => JSON.stringify(value);

test.each(NAMES)("a template that names %j", async (name) => {
  const template = `Transform: AWS::Serverless-2016-10-31
Resources:
  F:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: ${yaml(name)}
      Handler: ${yaml(`${name}.handler`)}
      Runtime: provided.al2023
      CodeUri: .
      LoggingConfig: { LogGroup: ${yaml(name)} }
      Environment: { Variables: { AWS_LAMBDA_LOG_STREAM_NAME: ${yaml(name)}, NAME: ${yaml(name)} } }
`;
  const { around, inside } = yard({ "function.sh": SCRIPT, "template.yaml": template });
  const before = tree(around);
  const environment = { TMPDIR: inside };
  const given = ["--template", "template.yaml", "--bootstrap", bootstrapExecutable()];
  for (const args of [
    ["run", ...given],
    ["invoke", ...given, "-d", "{}", "--profile"],
    ["test", ...given, "--coverage"],
  ]) {
    const result = await tool(args, { cwd: inside, environment, input: "{}" });
    expect(result.out).not.toContain("secret");
  }
  expect(tree(around)).toEqual(before);
});

test.each(NAMES)("an event file and a test that name %j", async (name) => {
  const folder = functionFolder({ "function.sh": SCRIPT });
  mkdirSync(join(folder, "tests"));
  const tests = [{ name, event: { name }, expect: { response: { name } } }];
  writeFileSync(join(folder, "tests", "t.json"), JSON.stringify(tests));
  const before = tree(folder);
  const args = ["test", ".", "--bootstrap", bootstrapExecutable(), "--coverage"];
  const { status } = await tool(args, { cwd: folder, environment: { TMPDIR: folder } });
  expect(status).toBe(0);
  expect(tree(folder)).toEqual(before);
});
