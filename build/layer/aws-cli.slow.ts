/**
 * Compares the layer's AWS CLI with the untouched one: every service, every model, every command.
 */

import { beforeAll, expect, test } from "bun:test";
import { join } from "node:path";

import { temporaryFolder } from "../../src/testing/temporary-folder.ts";
import { architecture, HOST_ARCHITECTURE } from "../architectures.ts";
import { stagedPython } from "./aws-cli-debian.ts";
import { type Outcome, outcomeOf, run } from "./command.ts";
import { FinishedLayer, layerZip } from "./testing/finished-layer.ts";
import { untouchedTree } from "./testing/untouched-aws-cli.ts";

interface Walk {
  readonly services: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly commands: Readonly<
    Record<
      string,
      {
        readonly operations: readonly string[];
        readonly skeleton: unknown;
        readonly help: Readonly<Record<string, readonly [number, boolean, string]>> | null;
      }
    >
  >;
}

const HOST = HOST_ARCHITECTURE ?? architecture("amd64");
const SCRIPT = join(import.meta.dir, "testing/walk-commands.py");

let untouchedOpt: string;
let untouched: Walk;
let layer: Walk;
let finished: FinishedLayer;

beforeAll(async () => {
  finished = await FinishedLayer.unzip(HOST);
  untouchedOpt = await untouchedTree(HOST);
  [untouched, layer] = await Promise.all([
    walkCommands(untouchedOpt),
    walkCommands(finished.opt, [join(finished.opt, "aws-cli")]),
  ]);
});

test("every service of the untouched CLI is there, and its models are the same", () => {
  const names = Object.keys(untouched.services);
  expect(names.length).toBeGreaterThan(390);
  for (const models of Object.values(layer.services)) expect(models).toHaveProperty("service-2");
  expect(layer.services).toEqual(untouched.services);
});

test("every command is there, makes the same skeleton of its input, and has its page of help", () => {
  const commands = Object.values(untouched.commands);
  expect(commands.length).toBeGreaterThan(390);
  expect(commands.filter(({ skeleton }) => skeleton !== null).length).toBeGreaterThan(380);
  const pages = commands.flatMap(({ help }) => Object.entries(help ?? {}));
  expect(pages.length).toBeGreaterThan(450);
  for (const [name, [status, hasText]] of pages) {
    expect({ name, status, hasText }).toEqual({ name, status: 0, hasText: true });
  }
  expect(layer.commands).toEqual(untouched.commands);
});

const IDENTITY = ["sts", "get-caller-identity"];
const INSTANCES = ["ec2", "describe-instances"];
const NOWHERE = ["--endpoint-url", "http://127.0.0.1:1", "--no-sign-request"];
const SIGNING = [
  "cloudfront",
  "sign",
  "--url",
  "u",
  "--key-pair-id",
  "A",
  "--private-key",
  "no key",
];

test.each([
  [["--version"], []],
  [[...IDENTITY, "--generate-cli-skeleton"], []],
  [[...IDENTITY, ...NOWHERE], []],
  [["dynamodb", "list-tables", ...NOWHERE], []],
  [["ddb", "put", "table", "{key: value}", ...NOWHERE], ["_ruamel_yaml"]],
  [[...INSTANCES, "--generate-cli-skeleton", "yaml-input"], ["_ruamel_yaml"]],
  [[...SIGNING, "--date-less-than", "2030-01-01"], ["_awscrt"]],
])("aws %j loads the libraries that it needs", (words, libraries) => {
  const child = Bun.spawnSync([join(finished.opt, "bin/aws"), ...words], {
    // The loader tells what it loads.
    env: {
      LD_DEBUG: "files",
      HOME: finished.opt,
      AWS_REGION: "eu-central-1",
      AWS_MAX_ATTEMPTS: "1",
    },
    stderr: "pipe",
  });
  const loaded = child.stderr
    .toString()
    .matchAll(/file=\S*\/(_awscrt|_ctypes|_ruamel_yaml)\.\S* \[0\]; +generating/g);
  expect([...new Set(Array.from(loaded, ([, name]) => name ?? ""))]).toEqual(libraries);
});

test("both architectures have the same models and byte code", async () => {
  const list = async (name: "amd64" | "arm64") => {
    const zip = layerZip("lambda-shell-runtime", architecture(name));
    const script =
      "import sys,zipfile\nfor i in zipfile.ZipFile(sys.argv[1]).infolist():\n" +
      " if i.filename.endswith(('.pyc','.zst','.bin')): print('%08x' % i.CRC, i.filename)";
    const lines = (await run(["python3", "-c", script, zip])).trim().split("\n");
    // Python's description of how it was built is the one module that differs.
    return lines.filter((line) => !line.includes("_sysconfigdata__"));
  };
  const amd64 = await list("amd64");
  expect(amd64.length).toBeGreaterThan(2_000);
  expect(await list("arm64")).toEqual(amd64);
});

test("what few commands use is not imported by others, and is the real thing where it is used", async () => {
  const script = join(import.meta.dir, "testing/few-commands.py");
  const words = [...stagedPython(finished.opt, HOST), script, join(finished.opt, "aws-cli")];
  const output = await run(words, { cwd: "/", env: ENVIRONMENT });
  expect(JSON.parse(output)).toEqual({
    connected: false,
    imported: [],
    lacking: {},
    instances: [
      [true, false],
      [true, false],
      [true, false],
    ],
    base: "multiprocessing.managers",
    "still late": [],
  });
});

test("threads that import what each other's import needs do not wait for each other", async () => {
  const script = join(import.meta.dir, "testing/later-threads.py");
  const modules = temporaryFolder("later-threads");
  const words = [
    ...stagedPython(finished.opt, HOST),
    script,
    join(finished.opt, "aws-cli"),
    modules,
  ];
  const output = await run(words, { cwd: "/", env: ENVIRONMENT });
  const both = { imported: 1, taken: 1 };
  expect(JSON.parse(output)).toEqual({
    "a name": both,
    "a function": both,
    "an instance": both,
    "a module below": both,
    "a library": both,
  });
});

test.each([
  [[...IDENTITY, "--endpoint-url", "http://[127.0.0.1]:9"], 255],
  [[...IDENTITY, "--endpoint-url", "http://[::1]:9"], 255],
  [[...IDENTITY, "--endpoint-url", "http://127.0.0.1:9"], 255],
  [[...IDENTITY, "--endpoint-url", "http://[v1.x]:9"], 255],
  [[...IDENTITY, "--endpoint-url", "nonsense"], 252],
  [["s3api", "put-object", "--generate-cli-skeleton", "yaml-input"], 0],
  [[...INSTANCES, "--generate-cli-skeleton", "yaml-input"], 0],
  [["sts", "get-caller-identiy"], 252],
  [["history", "show"], 255],
  [["sso", "logout"], 0],
  [["cloudfront", "sign", "--url", "u", "--key-pair-id", "A"], 252],
  [[...SIGNING, "--date-less-than", "1 January 2030"], 255],
  [[...SIGNING, "--date-less-than", "nonsense"], 255],
] as const)("aws %j comes to what it comes to with the untouched CLI", async (words, status) => {
  const [expected, found] = await bothOutcomes(words);
  expect(expected.status).toBe(status);
  expect(found).toEqual(expected);
});

test("a plug-in finds the modules that it finds with the untouched CLI", async () => {
  const config = join(temporaryFolder("plug-in"), "config");
  const folder = join(import.meta.dir, "testing/plug-ins");
  await Bun.write(config, `[plugins]\ncli_legacy_plugin_path = ${folder}\nmodules = modules\n`);
  const words = [...IDENTITY, "--generate-cli-skeleton"];
  const [expected, found] = await bothOutcomes(words, { AWS_CONFIG_FILE: config });
  expect(expected).toMatchObject({ status: 0, errors: "" });
  expect(expected.output).toContain("an address True True ");
  expect(found).toEqual(expected);
});

/** What a command comes to with the untouched CLI, and with the layer's. */
async function bothOutcomes(
  words: readonly string[],
  variables: Readonly<Record<string, string>> = {},
): Promise<[Outcome, Outcome]> {
  const clis = [
    [...stagedPython(untouchedOpt, HOST), "-c", UNTOUCHED_MAIN],
    [join(finished.opt, "bin/aws")],
  ];
  const outcomes = clis.map((cli) => {
    const options = { cwd: "/", env: { ...ENVIRONMENT, ...variables }, stdin: "ignore" } as const;
    return outcomeOf(Bun.spawn([...cli, ...words], { ...options, stdout: "pipe", stderr: "pipe" }));
  });
  return (await Promise.all(outcomes)) as [Outcome, Outcome];
}

const UNTOUCHED_MAIN = `import os, sys
sys.path.append(os.path.join(os.path.dirname(os.__file__), 'site-packages'))
from awscli.clidriver import main
sys.exit(main())`;

/** An account for calls that reach nobody, and a home folder that cannot be made. */
const ENVIRONMENT = {
  HOME: "/dev/null",
  AWS_ACCESS_KEY_ID: "nobody",
  AWS_SECRET_ACCESS_KEY: "nobody",
  AWS_DEFAULT_REGION: "us-east-1",
  AWS_MAX_ATTEMPTS: "1",
};

async function walkCommands(tree: string, words: readonly string[] = []): Promise<Walk> {
  const output = await run([...stagedPython(tree, HOST), SCRIPT, ...words], {
    cwd: "/",
    env: ENVIRONMENT,
  });
  return JSON.parse(output) as Walk;
}
