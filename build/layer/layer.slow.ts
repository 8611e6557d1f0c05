/**
 * Tests the finished zips of `make dist`, for both architectures: what is in them, and that it runs
 * in a sandbox like Lambda's. Needs root, unzip, python3, bsdtar and, for arm64, qemu-user-static.
 */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { lstatSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { lambdaEnvironment } from "../../src/testing/bootstrap-process.ts";
import { RecordedRuntimeApi } from "../../src/testing/recorded-runtime-api.ts";
import { temporaryFolder } from "../../src/testing/temporary-folder.ts";
import { type Architecture, ARCHITECTURES, HOST_ARCHITECTURE } from "../architectures.ts";
import { MotoServer } from "../deployments/moto-server.ts";
import { run } from "./command.ts";
import { checkElfFiles } from "./elf-check.ts";
import { SHARE } from "./paths.ts";
import { checkBillOfMaterials } from "./sbom.ts";
import { FinishedLayer, layerZip } from "./testing/finished-layer.ts";
import { walk } from "./tree.ts";

/** Lambda's own search path, with which handlers find the layer's programs. */
const LAMBDA_PATH = "/usr/local/bin:/usr/bin/:/bin:/opt/bin";

/** Time for six calls of the AWS CLI, emulated, on a loaded machine. */
const EMULATED_MS = 300_000;

const HANDLER = join(import.meta.dir, "testing/function.sh");

/** Kinds of programs that the AWS CLI starts, how to make it start one, and what it adds itself. */
const STARTED_PROGRAMS: readonly (readonly [string, StartedProgram])[] = [
  [
    "a credential_process",
    {
      setUp: "printf '[default]\\ncredential_process = /tmp/show\\n' >/tmp/config",
      command: "/opt/bin/aws sts get-caller-identity",
    },
  ],
  [
    "an alias",
    {
      setUp: "printf '[toplevel]\\nshow = !/tmp/show\\n' >/tmp/.aws/cli/alias",
      command: "/opt/bin/aws show",
    },
  ],
  [
    "a pager",
    {
      setUp: ":",
      command: "/opt/bin/aws sts get-caller-identity",
      terminal: true,
      adds: ["LESS=FRX"],
    },
  ],
];

interface StartedProgram {
  readonly setUp: string;
  readonly command: string;
  /** Whether the AWS CLI starts it for a terminal only. */
  readonly terminal?: boolean;
  readonly adds?: readonly string[];
}

/** Runs the rest of the command line on a terminal of its own. */
const ON_TERMINAL = ["/usr/bin/python3", "-c", "import pty,sys; pty.spawn(sys.argv[1:])"];

interface Manifest {
  readonly architecture: string;
  readonly parts: readonly {
    readonly name: string;
    readonly version: string;
    readonly license: string;
    readonly source: string;
    readonly sha256: string;
    readonly licenseFiles: readonly string[];
  }[];
}

let moto: MotoServer;

beforeAll(async () => {
  moto = await MotoServer.start();
});

afterAll(() => moto.stop());

describe.each(ARCHITECTURES.map((target) => [target.name, target] as const))("%s", (_, target) => {
  let layer: FinishedLayer;

  beforeAll(async () => {
    layer = await FinishedLayer.unzip(target);
  });

  test("the zip has the layer's layout, and nothing at the top besides", () => {
    expect(readdirSync(layer.opt).sort()).toEqual(["aws-cli", "bin", "bootstrap", "share"]);
    expect(readdirSync(join(layer.opt, "bin")).sort()).toEqual(["aws", "jq"]);
  });

  test("unzip, Python's zipfile and bsdtar see the same files, modes and links", async () => {
    const zip = layerZip("lambda-shell-runtime", target);
    const expected = walk(layer.opt).map(({ path }) => {
      const { mode } = lstatSync(join(layer.opt, path));
      return `${(mode & 0o7777).toString(8)} ${path}`;
    });
    expect(new Set(expected.map((line) => line.split(" ")[0]))).toEqual(new Set(["644", "755"]));
    for (const path of ["bootstrap", "bin/aws", "bin/jq"])
      expect(expected).toContain(`755 ${path}`);
    const script =
      "import sys,zipfile\nz=zipfile.ZipFile(sys.argv[1])\nassert z.testzip() is None\n" +
      "for i in z.infolist(): print('%o %s' % (i.external_attr >> 16 & 0o7777, i.filename))";
    const python = await run(["python3", "-c", script, zip]);
    expect(python.trim().split("\n")).toEqual(expected);
    const folder = temporaryFolder(`bsdtar-${target.name}`);
    await run(["bsdtar", "-xpf", zip, "-C", folder]);
    expect(
      walk(folder).map(({ path }) => {
        const { mode } = lstatSync(join(folder, path));
        return `${(mode & 0o7777).toString(8)} ${path}`;
      }),
    ).toEqual(expected);
    const same = await run(["diff", "-r", "--no-dereference", layer.opt, folder]);
    expect(same).toBe("");
  });

  test("the bootstrap zip holds the executable alone, and the slim one jq besides", async () => {
    const list = async (kind: string) =>
      (await run(["bsdtar", "-tf", layerZip(kind, target)])).trim().split("\n");
    expect(await list("bootstrap")).toEqual(["bootstrap"]);
    const slim = await list("lambda-shell-runtime-slim");
    expect(slim.filter((path) => !path.startsWith("share/"))).toEqual(["bin/jq", "bootstrap"]);
  });

  test("every ELF file runs on this architecture with glibc 2.34 or the layer's own", async () => {
    const files = await checkElfFiles(layer.opt, target);
    const onLambda = files.filter(({ loader }) => loader === undefined).map(({ path }) => path);
    expect(onLambda).toEqual(["bin/aws", "bin/jq", "bootstrap"]);
    expect(files.length).toBeGreaterThan(40);
  });

  test("the bill of materials is valid, every part has source, hash and licence text", async () => {
    await checkBillOfMaterials(readFileSync(join(layer.opt, SHARE, "sbom.cdx.json"), "utf8"));
    const manifest = JSON.parse(
      readFileSync(join(layer.opt, SHARE, "manifest.json"), "utf8"),
    ) as Manifest;
    expect(manifest.architecture).toBe(target.name);
    const names = manifest.parts.map(({ name }) => name);
    for (const name of ["lambda-shell-runtime", "bun", "awscli", "jq"])
      expect(names).toContain(name);
    for (const part of manifest.parts) {
      expect(part.sha256).toMatch(/^[0-9a-f]{64}$/);
      expect(part.source).not.toBe("");
      expect(part.licenseFiles).not.toEqual([]);
      for (const file of part.licenseFiles) {
        expect(readFileSync(join(layer.opt, SHARE, file), "utf8").length).toBeGreaterThan(500);
      }
    }
  });

  test.each([
    ["aws", /^aws-cli\/2\.\d+\.\d+ Python\/3\S+ Linux\/\S+ \S+amzn\.2023\n$/],
    ["jq", /^jq-1\.8\.2\n$/],
  ])("bin/%s runs with an empty environment", async (program, pattern) => {
    const result = await layer.run([`/opt/bin/${program}`, "--version"]);
    expect(result).toEqual({ status: 0, stdout: expect.stringMatching(pattern), stderr: "" });
  });

  test("jq reads and writes dates, and knows gamma, as it does with glibc", async () => {
    const zone = "2024-05-10T08:00:00Z";
    const programs = [
      '"Fri, 10 May 2024 08:00:00 GMT" | strptime("%a, %d %b %Y %H:%M:%S %Z") | mktime',
      '"10/May/2024:08:00:00 +0000" | strptime("%d/%b/%Y:%H:%M:%S %z") | mktime',
      '"1715328000" | strptime("%s") | mktime',
      '"05/10/24" | strptime("%D") | mktime',
      '"2024-05-10" | strptime("%Y-%m-%d")',
      '"x" | try strptime("%z") catch "refused"',
      '0 | strftime("%d %b %Y %Z")',
      '0 | strflocaltime("%H:%M %Z")',
      `"${zone}" | fromdate | todate`,
      "1 | gamma",
    ];
    const result = await layer.run(["/opt/bin/jq", "-nc", `[(${programs.join("), (")})]`]);
    expect(result.stderr).toBe("");
    expect(JSON.parse(result.stdout)).toEqual([
      ...[1715328000, 1715328000, 1715328000, 1715299200],
      ...[[2024, 4, 10, 0, 0, 0, 5, 130], "refused", "01 Jan 1970 UTC", "00:00 UTC", zone, 0],
    ]);
  });

  test("bin/aws runs by its name in PATH, by a link, and from another folder", async () => {
    const ways = [
      "aws --version",
      "ln -s /opt/bin/aws /tmp/link && /tmp/link --version",
      ...(isEmulated(target) ? [] : ["cd /opt/bin && ./aws --version"]),
      ...(isEmulated(target) ? [] : ["cd / && opt/bin/aws --version"]),
    ];
    const result = await layer.run(["/bin/sh", "-c", ways.join(" && ")], {
      env: { PATH: LAMBDA_PATH },
    });
    expect(result.stderr).toBe("");
    expect(result.stdout.match(/^aws-cli\/2/gm)).toHaveLength(ways.length);
  });

  test("aws says what help needs and that it has no auto-prompt, under its own name", async () => {
    const reference = "https://docs.aws.amazon.com/cli/latest/reference/";
    const cases: readonly (readonly [string, number, string])[] = [
      [
        "s3 help",
        255,
        `aws help needs groff or mandoc, which is not in PATH: read it at ${reference}`,
      ],
      ["--cli-auto-prompt", 252, `find the parameters at ${reference}`],
      [
        "s3 cp",
        252,
        "aws: [ERROR]: An error occurred (ParamValidation): the following arguments are required: paths",
      ],
    ];
    for (const [words, status, message] of isEmulated(target) ? cases.slice(-1) : cases) {
      const result = await layer.run(["/opt/bin/aws", ...words.split(" ")], {
        env: { PATH: LAMBDA_PATH, AWS_CLI_AUTO_PROMPT: "on-partial" },
      });
      expect(result).toEqual({ status, stdout: "", stderr: expect.stringContaining(message) });
    }
  });

  test("aws help is whole where there is a program that formats it", async () => {
    const script =
      "mkdir /tmp/bin; printf '#!/bin/sh\\ncat\\n' >/tmp/bin/groff; chmod 755 /tmp/bin/groff; " +
      "PATH=/tmp/bin:$PATH PAGER=cat /opt/bin/aws s3 cp help";
    const result = await layer.run(["/bin/sh", "-c", script], { env: { PATH: LAMBDA_PATH } });
    expect(result).toEqual({
      status: 0,
      stdout: expect.stringMatching(/^\.SH Description/m),
      stderr: "",
    });
    expect(result.stdout).toContain("recursive");
    expect(result.stdout.length).toBeGreaterThan(10_000);
  });

  // The emulator does not know the system call by which glibc 2.42 asks whether it has a terminal.
  test.each(STARTED_PROGRAMS.filter(([, { terminal }]) => !terminal || !isEmulated(target)))(
    "%s of the AWS CLI gets the environment that the AWS CLI got",
    async (_, { setUp, command, terminal = false, adds = [] }) => {
      const env = {
        ...moto.environment,
        PATH: LAMBDA_PATH,
        LD_LIBRARY_PATH: "/lib64:/usr/lib64:/var/task/lib:/opt/lib",
        LD_LIBRARY_PATH_ORIG: "the user's",
        AWS_DATA_PATH: "/tmp/models",
        AWS_CONFIG_FILE: "/tmp/config",
        AWS_PAGER: "/tmp/show",
        HOME: "/tmp",
        LC_ALL: "C",
        EMPTY: "",
        // Without keys it asks for some; the pager gets a response.
        ...(terminal ? {} : { AWS_ACCESS_KEY_ID: "", AWS_SECRET_ACCESS_KEY: "" }),
      };
      const script =
        "mkdir -p /tmp/.aws/cli; printf '#!/bin/sh\n/usr/bin/env >/tmp/env\n' >/tmp/show; " +
        `chmod 755 /tmp/show; ${setUp}; ${command} >/tmp/log 2>&1; cat /tmp/env || cat /tmp/log`;
      const shown = terminal ? script.replace(">/tmp/log 2>&1", "") : script;
      const result = await layer.run(["/bin/sh", "-c", shown], {
        env,
        around: terminal ? ON_TERMINAL : [],
      });
      // What shells add on the way.
      const lines = result.stdout.replaceAll("\r", "").trim().split("\n");
      const given = lines.filter((line) => !/^(PWD|OLDPWD|SHLVL|_)=/.test(line));
      const expected = Object.entries(env).map((pair) => pair.join("="));
      expect(given.sort()).toEqual([...expected, ...adds].sort());
    },
  );

  test("a shell handler copies files to and from S3, asks STS and runs jq", async () => {
    writeFileSync(join(layer.task, "function.sh"), readFileSync(HANDLER), { mode: 0o644 });
    await using function_ = await startFunction(layer, target);
    for (const value of isEmulated(target) ? [1] : [1, "zwei"]) {
      const event = { message: "hello", value, bucket: `layer-${target.name}-${value}` };
      const response = await function_.invoke(JSON.stringify(event));
      expect({
        path: response.path,
        log: response.path.endsWith("/response") ? "" : function_.log(),
      }).toEqual({ path: expect.stringMatching(/\/response$/), log: "" });
      expect(JSON.parse(response.body.toString())).toEqual({
        aws_cli: expect.stringMatching(/^aws-cli\/2\.\d+\.\d+$/),
        account: "123456789012",
        objects: ["key.json"],
        input: event,
      });
    }
    expect(function_.log()).toContain("handler received event");
  });
});

/** Emulated, the AWS CLI takes seconds to start: there, one call stands for several. */
function isEmulated(target: Architecture): boolean {
  return target.name !== HOST_ARCHITECTURE?.name;
}

/** Starts the layer's bootstrap in the sandbox, with Lambda's environment. */
async function startFunction(layer: FinishedLayer, target: Architecture) {
  const api = await RecordedRuntimeApi.start();
  const env = lambdaEnvironment({
    api: api.address,
    taskRoot: "/var/task",
    handler: "function.handler",
    env: { ...moto.environment, PATH: LAMBDA_PATH },
  });
  const child = Bun.spawn([...(await layer.sandbox("bookworm")), "/opt/bootstrap"], {
    env,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  let log = "";
  for (const stream of [child.stdout, child.stderr]) {
    void (async () => {
      for await (const chunk of stream) log += Buffer.from(chunk).toString();
    })();
  }
  const ended = child.exited.then((status) => {
    throw new Error(`failed to run the function: it ended with ${status}\n${log}`);
  });
  ended.catch(() => {});
  return {
    invoke: (body: string) => Promise.race([api.invoke({ body, timeoutMs: EMULATED_MS }), ended]),
    log: () => `${target.name}: ${log}`,
    async [Symbol.asyncDispose]() {
      child.kill();
      await child.exited;
      await api.stop();
    },
  };
}
