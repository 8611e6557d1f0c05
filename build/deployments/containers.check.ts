/**
 * The container images, built by the steps of their Dockerfiles and run in a chroot.
 *
 * @module
 */

import { afterAll, describe, expect, test } from "bun:test";
import { cpSync, existsSync, lstatSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";

import { RecordedRuntimeApi } from "../../src/testing/recorded-runtime-api.ts";
import { licenseTexts } from "../licenses.macro.ts";
import { EM_AARCH64, EM_X86_64, readHeader } from "../prefetch/elf.ts";
import { buildImage, type Image } from "./dockerfile.ts";
import { readExample } from "./example.ts";
import { buildForHost, HOST, sendEvent, startInImage, stopAll } from "./image-process.ts";
import { ROOT } from "./layer-dist.ts";
import { nodeExecutable } from "./node-runtime.ts";

const LIMIT_MS = 300_000;
const HELLO_RESPONSE = { message: "Hello from the shell", event: { name: "Lambda" } };

/** Lets versions with SnapStart be published from images with a runtime that does not ask for it. */
const SNAPSTART_LABEL = "com.amazonaws.lambda.feature.snapstart";

afterAll(stopAll);

/** Starts an image's entry point with its command, as `docker run --read-only` does. */
function start(image: Image, variables: Readonly<Record<string, string>>) {
  return startInImage(image, [...image.entrypoint, ...image.command], {
    ...Object.fromEntries(image.environment),
    ...variables,
  });
}

/** Waits for the line in which the host says its port. */
async function listeningUrl(child: Bun.Subprocess<"ignore", "inherit", "pipe">): Promise<string> {
  let log = "";
  const decoder = new TextDecoder();
  const stderr = child.stderr.getReader();
  for (;;) {
    const { done, value } = await stderr.read();
    if (done) throw new Error(`failed to start the host: ${log}`);
    log += decoder.decode(value, { stream: true });
    const port = /listening \S+:(\d+)/.exec(log)?.[1];
    if (port === undefined) continue;
    // The host goes on logging: a pipe that is closed or full would end it.
    void (async () => {
      while (!(await stderr.read()).done);
    })();
    return `http://127.0.0.1:${port}`;
  }
}

test.each(["layer/container/Dockerfile", "layer/container/invoker.Dockerfile"])(
  "%s is built for the other architecture without an emulator",
  (dockerfile) => {
    const other = HOST.name === "arm64" ? "amd64" : "arm64";
    const image = buildForHost(dockerfile, {
      TARGETARCH: other,
      FUNCTION: "fixtures/functions/minimal",
    });
    const { machine } = readHeader(readFileSync(join(image.root, "opt/bootstrap")));
    expect(machine).toBe(other === "arm64" ? EM_AARCH64 : EM_X86_64);
  },
  LIMIT_MS,
);

describe("layer/container/Dockerfile", () => {
  const image = buildForHost("layer/container/Dockerfile", {
    FUNCTION: "fixtures/functions/minimal",
  });

  test("places the layer, the function and the runtime of the entry point", () => {
    expect(readlinkSync(join(image.root, "var/runtime/bootstrap"))).toBe("/opt/bootstrap");
    expect(lstatSync(join(image.root, "opt/bootstrap")).mode & 0o111).toBe(0o111);
    for (const path of ["opt/bin/aws", "opt/bin/jq", "var/task/function.sh"]) {
      expect(`${path} ${lstatSync(join(image.root, path)).size > 0}`).toBe(`${path} true`);
    }
    expect(image.command).toEqual(["function.handler"]);
  });

  test("may be published with SnapStart", () => {
    expect(image.labels.get(SNAPSTART_LABEL)).toBe("Allow");
  });

  test(
    "responds to events through the Runtime API, as the base image starts it",
    async () => {
      const api = await RecordedRuntimeApi.start();
      const child = startInImage(image, ["/var/runtime/bootstrap"], {
        PATH: "/usr/local/bin:/usr/bin/:/bin:/opt/bin",
        AWS_LAMBDA_RUNTIME_API: api.address,
        LAMBDA_TASK_ROOT: "/var/task",
        _HANDLER: image.command[0] ?? "",
      });
      const post = await sendEvent(api, child, '{"name":"Lambda"}');
      const { statusCode, body } = post.json() as { statusCode: number; body: string };
      expect(statusCode).toBe(200);
      expect(JSON.parse(body)).toEqual({ message: "Hello, World!", event: '{"name":"Lambda"}' });
      child.kill();
      await api.stop();
    },
    LIMIT_MS,
  );

  test(
    "runs the Node 16 function with node in /opt/bin beside the layer",
    async () => {
      const node = buildForHost("layer/container/Dockerfile", {
        FUNCTION: "fixtures/functions/node16",
      });
      cpSync(await nodeExecutable(HOST), join(node.root, "opt/bin/node"));
      const api = await RecordedRuntimeApi.start();
      const child = startInImage(node, ["/var/runtime/bootstrap"], {
        // Lambda's own PATH: /opt/bin comes last here, and the runtime puts it in front.
        PATH: "/usr/local/bin:/usr/bin/:/bin",
        AWS_LAMBDA_RUNTIME_API: api.address,
        LAMBDA_TASK_ROOT: "/var/task",
        _HANDLER: "lambda.handler",
      });
      const post = await sendEvent(api, child, '{"name":"Node"}');
      expect(post.json()).toEqual({ statusCode: 200, nodeVersion: "v16.14.2" });
      child.kill();
      await api.stop();
      expect(await new Response(child.stderr).text()).toContain("𝝺 triggered!");
    },
    LIMIT_MS,
  );
});

describe("layer/container/invoker.Dockerfile", () => {
  const base = buildForHost("layer/container/invoker.Dockerfile");
  const image = buildImage(join(ROOT, "layer/knative/function.Dockerfile"), {
    context: join(ROOT, "fixtures/functions/hello"),
    arguments: { BASE: "lambda-shell" },
    images: new Map([["lambda-shell", base]]),
  });

  test("keeps the entry point and user under the function's own image", () => {
    expect(image.entrypoint).toEqual(["/usr/local/bin/entrypoint.sh"]);
    expect(image.user).toBe("993:990");
    expect(image.environment.get("_HANDLER")).toBe("function.handler");
    expect(existsSync(join(image.root, "var/task/function.sh"))).toBe(true);
    expect(image.labels.get(SNAPSTART_LABEL)).toBe("Allow");
  });

  test("carries the licences of the tool and of the layer", () => {
    const papers = "share/lambda-shell-runtime";
    const text = readFileSync(join(image.root, "usr", papers, "LICENSES.txt"), "utf8");
    expect(text).toBe(licenseTexts());
    expect(existsSync(join(image.root, "opt", papers, "licenses"))).toBe(true);
  });

  test(
    "serves Lambda's Invoke API, as AWS's emulator does, outside of Lambda",
    async () => {
      const child = start(image, { PORT: "0" });
      const url = await listeningUrl(child);
      const response = await fetch(`${url}/2015-03-31/functions/function/invocations`, {
        method: "POST",
        body: '{"name":"Lambda"}',
      });
      expect(await response.json()).toEqual(HELLO_RESPONSE);
      expect((await fetch(`${url}/health/readiness`)).status).toBe(200);
      child.kill("SIGTERM");
      expect(await child.exited).toBe(0);
    },
    LIMIT_MS,
  );

  test(
    "serves CloudEvents with the variables of the Knative service",
    async () => {
      const cloudEvents = buildImage(join(ROOT, "layer/knative/function.Dockerfile"), {
        context: join(ROOT, "fixtures/functions/cloud-events"),
        arguments: { BASE: "lambda-shell" },
        images: new Map([["lambda-shell", base]]),
      });
      const child = start(cloudEvents, {
        ...(await serviceVariables()),
        PORT: "0",
        K_SERVICE: "hello",
      });
      const url = await listeningUrl(child);
      const response = await fetch(url, {
        method: "POST",
        headers: {
          "content-type": "application/json",
          "ce-id": "1",
          "ce-source": "/example",
          "ce-specversion": "1.0",
          "ce-type": "greeting",
        },
        body: '{"name":"Knative"}',
      });
      expect(await response.json()).toEqual(readExample("cloud-events").tests[0]?.expect.response);
      // A CloudEvent in the binary mode comes back in it.
      expect(response.headers.get("ce-specversion")).toBe("1.0");
      expect(response.headers.get("ce-type")).toBe("com.example.hello");
      expect(response.headers.get("ce-source")).toBe("/hello-shell");
      child.kill("SIGTERM");
      expect(await child.exited).toBe(0);
    },
    LIMIT_MS,
  );

  test(
    "is a function's image inside of Lambda",
    async () => {
      const api = await RecordedRuntimeApi.start();
      const child = start(image, { AWS_LAMBDA_RUNTIME_API: api.address });
      const post = await sendEvent(api, child, '{"name":"Lambda"}');
      expect(post.json()).toEqual(HELLO_RESPONSE);
      child.kill("SIGTERM");
      await child.exited;
      await api.stop();
    },
    LIMIT_MS,
  );
});

/** The variables of layer/knative/service.yaml. */
async function serviceVariables(): Promise<Readonly<Record<string, string>>> {
  const service = Bun.YAML.parse(await Bun.file(join(ROOT, "layer/knative/service.yaml")).text());
  const [container] = (service as Service).spec.template.spec.containers;
  return Object.fromEntries((container?.env ?? []).map(({ name, value }) => [name, value]));
}

interface Service {
  readonly spec: {
    readonly template: {
      readonly spec: {
        readonly containers: readonly {
          readonly env: readonly { readonly name: string; readonly value: string }[];
        }[];
      };
    };
  };
}
