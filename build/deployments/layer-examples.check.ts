/**
 * Examples with the layer's own `aws` and `jq`, in the root of a function's container image.
 *
 * The other examples' tests take the machine's programs; here nothing but the layer has them.
 *
 * @module
 */

import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";

import { RecordedRuntimeApi } from "../../src/testing/recorded-runtime-api.ts";
import { HOST_ARCHITECTURE } from "../architectures.ts";
import { buildImage, commandInImage, type Image } from "./dockerfile.ts";
import { type Example, readExample } from "./example.ts";
import { LAYER_DIST, ROOT } from "./layer-dist.ts";
import { MotoServer, PYTHON_PROGRAMS } from "./moto-server.ts";
import { run } from "./run.ts";

const LIMIT_MS = 300_000;

/** The image of layer/container/Dockerfile with the example as its function. */
function imageOf(example: Example): Image {
  if (HOST_ARCHITECTURE === undefined) throw new Error(`no layer for ${process.arch}`);
  return buildImage(join(ROOT, "layer/container/Dockerfile"), {
    context: ROOT,
    contextFolders: { dist: LAYER_DIST },
    arguments: {
      TARGETARCH: HOST_ARCHITECTURE.name,
      FUNCTION: `fixtures/functions/${example.name}`,
    },
  });
}

/** Puts what the example needs into the services. */
async function arrange(example: Example, moto: MotoServer): Promise<void> {
  const script = join(example.folder, "arrange.sh");
  if (!existsSync(script)) return;
  const env = { ...moto.environment, PATH: `${PYTHON_PROGRAMS}:/usr/bin:/bin` };
  await run(["sh", script], { env });
}

test.each(["aws-version", "secrets", "s3-object"])(
  "the example %s responds with the aws and jq of the layer",
  async (name) => {
    const example = readExample(name);
    const [first] = example.tests;
    if (first === undefined) throw new Error(`no test of ${name}`);
    await using moto = await MotoServer.start();
    await arrange(example, moto);
    const api = await RecordedRuntimeApi.start();
    const child = Bun.spawn(commandInImage(imageOf(example), ["/var/runtime/bootstrap"]), {
      env: {
        ...moto.environment,
        ...first.env,
        // The machine's own jq comes first in this PATH, were it not for the runtime.
        PATH: "/usr/local/bin:/usr/bin/:/bin",
        AWS_LAMBDA_RUNTIME_API: api.address,
        LAMBDA_TASK_ROOT: "/var/task",
        _HANDLER: first.handler,
        READ_ONLY: "1",
      },
      stdin: "ignore",
    });
    try {
      const post = await api.invoke({ body: Buffer.from(first.event) });
      const response = post.json() as Record<string, unknown>;
      if (name === "aws-version") {
        expect(String(response["aws_cli"])).toMatch(/^aws-cli\/2\.\d+\.\d+$/);
      }
      const { response: whole, responseContains } = first.expect;
      if (whole === undefined) expect(response).toMatchObject(Object(responseContains));
      else expect(response).toEqual(Object(whole));
    } finally {
      child.kill();
      await child.exited;
      await api.stop();
    }
  },
  LIMIT_MS,
);
