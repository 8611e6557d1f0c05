/**
 * The image of the customer-managed runtime: which files it has and where, and that the runtime
 * responds however it may be started.
 *
 * AWS does not say yet how it starts such an image; so every likely way is tried.
 *
 * @module
 */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  chmodSync,
  cpSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";

import { RecordedRuntimeApi } from "../../src/testing/recorded-runtime-api.ts";
import { temporaryFolder } from "../../src/testing/temporary-folder.ts";
import { ARCHITECTURES } from "../architectures.ts";
import { EM_AARCH64, EM_X86_64, readHeader } from "../prefetch/elf.ts";
import type { Image } from "./dockerfile.ts";
import { buildForHost, sendEvent, startInImage, stopAll } from "./image-process.ts";
import { LAYER_DIST } from "./layer-dist.ts";
import { run } from "./run.ts";
import { VERSION } from "./version.ts";

const LIMIT_MS = 60_000;
const DOCKERFILE = "layer/runtime/Dockerfile";

/** PATH as Lambda has it. */
const LAMBDA_PATH = "/usr/local/bin:/usr/bin/:/bin:/opt/bin";

/** What stands in for the base image, or is mounted where it runs. */
const NOT_OURS = /^(proc|dev|tmp|etc|bin|lib|lib64|usr\/bin|usr\/lib|usr\/lib64)(\/|$)/;

/** Where the image has what the layer's zip has. */
function placeOf(path: string): string {
  if (path === "bootstrap") return "var/runtime/bootstrap";
  if (path.startsWith("share/")) return `usr/${path}`;
  return `usr/local/${path}`;
}

/** Every file and link below a folder but the left out ones: its path, mode and content. */
function listTree(root: string, leftOut = /^$/): readonly string[] {
  return readdirSync(root, { recursive: true, encoding: "utf8" })
    .flatMap((path) => {
      if (leftOut.test(path)) return [];
      const full = join(root, path);
      const stat = lstatSync(full);
      if (stat.isDirectory()) return [];
      if (stat.isSymbolicLink()) return [`${path} -> ${readlinkSync(full)}`];
      const sum = new Bun.CryptoHasher("sha256").update(readFileSync(full)).digest("hex");
      return [`${path} ${(stat.mode & 0o777).toString(8)} ${sum}`];
    })
    .sort();
}

afterAll(stopAll);

describe.each(ARCHITECTURES.map((each) => [each.name, each] as const))("for %s", (name, target) => {
  const image = buildForHost(DOCKERFILE, {
    TARGETARCH: name,
    VERSION,
    REVISION: "0123abc",
    SOURCE: "https://example.com/mine",
  });
  const files = listTree(image.root, NOT_OURS);

  test(
    "has what the layer has, with the same bytes and modes, and nothing else",
    async () => {
      const layer = temporaryFolder("layer");
      const zip = join(LAYER_DIST, `lambda-shell-runtime-${name}-${VERSION}.zip`);
      await run(["unzip", "-q", zip, "-d", layer]);
      const expected = listTree(layer).map((line) => {
        const [path = ""] = line.split(" ");
        return line.replace(path, placeOf(path));
      });
      expect(files).toEqual(expected.sort());
    },
    LIMIT_MS,
  );

  test("has a regular file where Lambda's base images start the runtime", () => {
    const bootstrap = join(image.root, "var/runtime/bootstrap");
    const stat = lstatSync(bootstrap);
    expect(stat.isFile()).toBe(true);
    expect(stat.mode & 0o7777).toBe(0o755);
    const { machine } = readHeader(readFileSync(bootstrap));
    expect(machine).toBe(target.name === "arm64" ? EM_AARCH64 : EM_X86_64);
  });

  test("has nothing where a function's layers and code may cover it", () => {
    for (const folder of ["opt/", "var/task/", "tmp/"]) {
      expect(files.filter((line) => line.startsWith(folder))).toEqual([]);
    }
    expect(readdirSync(join(image.root, "tmp"))).toEqual([]);
  });

  test("keeps the entry point, the user and the environment of the base image", () => {
    expect(image.entrypoint).toEqual(["/lambda-entrypoint.sh"]);
    expect(image.command).toEqual([]);
    expect(image.user).toBe("0:0");
    expect([...image.environment.keys()]).toEqual(["PATH"]);
  });

  test("carries its licences, its bill of materials and where it comes from", () => {
    const papers = "usr/share/lambda-shell-runtime";
    for (const file of [`${papers}/manifest.json`, `${papers}/sbom.cdx.json`]) {
      expect(files.filter((line) => line.startsWith(`${file} 644 `))).toHaveLength(1);
    }
    expect(files.filter((line) => line.startsWith(`${papers}/licenses/`))).not.toEqual([]);
    expect(Object.fromEntries(image.labels)).toEqual({
      "com.amazonaws.lambda.feature.snapstart": "Allow",
      "org.opencontainers.image.title": "lambda-shell-runtime",
      "org.opencontainers.image.version": VERSION,
      "org.opencontainers.image.revision": "0123abc",
      "org.opencontainers.image.source": "https://example.com/mine",
      "org.opencontainers.image.licenses": "Apache-2.0",
    });
  });

  test(
    "has the same files and modes when it is built again",
    () => {
      const again = buildForHost(DOCKERFILE, { TARGETARCH: name });
      expect(listTree(again.root, NOT_OURS)).toEqual(files);
      rmSync(again.root, { recursive: true, force: true });
    },
    LIMIT_MS,
  );
});

describe("a function", () => {
  let image: Image;

  beforeAll(() => {
    image = buildForHost(DOCKERFILE);
    // Lambda mounts the code and the layers of a function; here they are put into the root.
    mkdirSync(join(image.root, "var/task"), { recursive: true });
    writeFileSync(
      join(image.root, "var/task/function.sh"),
      [
        "handler() {",
        `  printf '{"jq":"%s","aws":"%s","event":%s}' "$(command -v jq)" "$(command -v aws)" "$1"`,
        "}",
        `versions() { printf '"%s"' "$(aws --version)"; }`,
        "query() { jq -c .event; }",
        "",
      ].join("\n"),
    );
    // A handler's file is that of the function, wherever the runtime is started.
    for (const folder of ["", "var/runtime"]) {
      writeFileSync(
        join(image.root, folder, "function.sh"),
        `handler() { printf '"of /${folder}"'; }\n`,
      );
    }
  }, LIMIT_MS);

  /** One event through a runtime that is started in this way. */
  async function respond(
    command: readonly string[],
    variables: Readonly<Record<string, string>> = {},
    body = '{"n":1}',
    from: Image = image,
  ): Promise<unknown> {
    const api = await RecordedRuntimeApi.start();
    const child = startInImage(from, command, {
      PATH: LAMBDA_PATH,
      AWS_LAMBDA_RUNTIME_API: api.address,
      _HANDLER: "function.handler",
      ...variables,
    });
    try {
      return (await sendEvent(api, child, body)).json();
    } finally {
      child.kill();
      await child.exited;
      await api.stop();
    }
  }

  const expected = { jq: "/usr/local/bin/jq", aws: "/usr/local/bin/aws", event: { n: 1 } };

  const starts = ["/", "/var/task", "/var/runtime"].flatMap((folder) =>
    ["bootstrap", "/var/runtime/bootstrap", "/lambda-entrypoint.sh", "", "-sh"].flatMap((name) =>
      [[], ["function.handler"], ["one", "--two"]].map((words) => [folder, name, words] as const),
    ),
  );

  test.each(starts)(
    'responds when it is started in %s as "%s" with the arguments %p',
    async (folder, name, words) => {
      const script = 'cd "$1" && name=$2 && shift 2 && exec -a "$name" /var/runtime/bootstrap "$@"';
      const command = ["bash", "-c", script, "bash", folder, name, ...words];
      expect(await respond(command)).toEqual(expected);
    },
    LIMIT_MS,
  );

  test.each([
    ["no variable but those that every function has", {}],
    ["AWS_EXECUTION_ENV of another runtime", { AWS_EXECUTION_ENV: "AWS_Lambda_python3.14" }],
    ["AWS_EXECUTION_ENV of the image", { AWS_EXECUTION_ENV: "AWS_Lambda_Image" }],
    ["an empty AWS_EXECUTION_ENV", { AWS_EXECUTION_ENV: "" }],
    [
      "the folders of Lambda",
      { LAMBDA_TASK_ROOT: "/var/task", LAMBDA_RUNTIME_DIR: "/var/runtime" },
    ],
    ["another folder of the runtime", { LAMBDA_RUNTIME_DIR: "/nowhere" }],
  ])(
    "responds with %s",
    async (_, variables) => {
      expect(await respond(["/var/runtime/bootstrap"], variables)).toEqual(expected);
    },
    LIMIT_MS,
  );

  test(
    "uses aws and jq of the image",
    async () => {
      const versions = { _HANDLER: "function.versions" };
      expect(await respond(["/var/runtime/bootstrap"], versions)).toStartWith("aws-cli/");
      const query = { _HANDLER: "function.query" };
      const event = '{"event":{"deep":[1]}}';
      expect(await respond(["/var/runtime/bootstrap"], query, event)).toEqual({ deep: [1] });
    },
    LIMIT_MS,
  );

  test(
    "finds its layers' programs as PATH says, and the image's aws stays whole beside them",
    async () => {
      const layered = buildForHost(DOCKERFILE);
      cpSync(join(image.root, "var/task"), join(layered.root, "var/task"), { recursive: true });
      const write = (path: string, text: string) => {
        writeFileSync(join(layered.root, path), text);
        chmodSync(join(layered.root, path), 0o755);
      };
      // Another tree at /opt, which does not work: the image's own launcher must not take it.
      mkdirSync(join(layered.root, "opt/bin"), { recursive: true });
      mkdirSync(join(layered.root, "opt/aws-cli/lib"), { recursive: true });
      write("opt/bin/jq", "#!/bin/sh\necho the jq of a layer\n");
      for (const name of readdirSync(join(image.root, "usr/local/aws-cli/lib"))) {
        if (/^ld/.test(name)) write(`opt/aws-cli/lib/${name}`, "#!/bin/sh\nexit 99\n");
      }
      const start = ["/var/runtime/bootstrap"];
      const found = (PATH: string) => respond(start, { PATH }, '{"n":1}', layered);
      const jq = "/opt/bin/jq";
      expect(await found("/opt/bin:/usr/local/bin:/usr/bin:/bin")).toEqual({ ...expected, jq });
      // The runtime puts /opt/bin in front where it is missing, and keeps Lambda's own order.
      expect(await found("/usr/local/bin:/usr/bin:/bin")).toEqual({ ...expected, jq });
      expect(await found(LAMBDA_PATH)).toEqual(expected);
      const versions = { _HANDLER: "function.versions" };
      expect(await respond(start, versions, "{}", layered)).toStartWith("aws-cli/");
    },
    LIMIT_MS,
  );

  test(
    "a function that does not exist is an error of the function's start",
    async () => {
      const api = await RecordedRuntimeApi.start();
      const child = startInImage(image, ["/var/runtime/bootstrap"], {
        PATH: LAMBDA_PATH,
        AWS_LAMBDA_RUNTIME_API: api.address,
        _HANDLER: "missing.handler",
      });
      expect(await child.exited).not.toBe(0);
      expect(api.initErrors).toHaveLength(1);
      await api.stop();
    },
    LIMIT_MS,
  );
});
