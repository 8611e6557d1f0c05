/**
 * publish.sh with the AWS CLI, against a server that responds as AWS does: what it asks for, and where
 * it stops.
 *
 * @module
 */

import { afterEach, beforeAll, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

import { temporaryFolder } from "../../../src/testing/temporary-folder.ts";
import { ROOT } from "../layer-dist.ts";
import { PYTHON_PROGRAMS } from "../moto-server.ts";
import { run } from "../run.ts";
import { VERSION } from "../version.ts";

const LIMIT_MS = 120_000;
const ACCOUNT = "210987654321";
const IDENTITY = `<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
<GetCallerIdentityResult><Arn>arn:aws:iam::${ACCOUNT}:user/x</Arn><UserId>x</UserId>
<Account>${ACCOUNT}</Account></GetCallerIdentityResult></GetCallerIdentityResponse>`;

/** What the server says to the questions on which publishing depends. */
interface Responses {
  readonly identity?: number;
  readonly application?: { readonly status: number; readonly type: string };
}

let server: Bun.Server<undefined> | undefined;
let requests: string[];
/** The owner that each request to a bucket expects. */
let owners: string[];
const zips = temporaryFolder("zips with a space");

beforeAll(async () => {
  for (const architecture of ["arm64", "amd64"]) {
    writeFileSync(join(zips, "content"), `the zip for ${architecture}`);
    // Without compression, so that the content is found in what is uploaded.
    const name = `lambda-shell-runtime-${architecture}-${VERSION}.zip`;
    await run(["zip", "-q0", name, "content"], { cwd: zips });
  }
});

afterEach(() => server?.stop(true));

/** The part of AWS that publishing talks to; it keeps what was asked in `requests`. */
function startServer({ identity = 200, application }: Responses): string {
  requests = [];
  owners = [];
  server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      const { pathname } = new URL(request.url);
      const body = await request.text();
      if (body.includes("Action=GetCallerIdentity")) {
        return new Response(identity === 200 ? IDENTITY : "<Error/>", { status: identity });
      }
      requests.push(`${request.method} ${decodeURIComponent(pathname)} ${body}`);
      const owner = request.headers.get("x-amz-expected-bucket-owner");
      if (owner !== null) owners.push(owner);
      if (request.method === "HEAD") return new Response(null, { status: 404 });
      if (request.method === "GET" && pathname.startsWith("/applications/")) {
        const { status, type } = application ?? { status: 200, type: "" };
        return Response.json({ message: type }, { status, headers: { "x-amzn-errortype": type } });
      }
      // S3 says nothing but that it worked.
      if (request.method === "PUT")
        return new Response("", { headers: { "x-amz-version-id": "v7" } });
      return Response.json({});
    },
  });
  return `http://127.0.0.1:${server.port}`;
}

/** Runs publish.sh without a region of the user's own. */
function publish(
  url: string,
  command: string,
  settings: Readonly<Record<string, string>> = {},
  status = 0,
) {
  return run([join(ROOT, "build/deployments/release/publish.sh"), command], {
    env: {
      ...{ AWS_ENDPOINT_URL: url, AWS_ACCESS_KEY_ID: "x", AWS_SECRET_ACCESS_KEY: "x" },
      ...{ AWS_CONFIG_FILE: "/dev/null", AWS_EC2_METADATA_DISABLED: "true", AWS_MAX_ATTEMPTS: "1" },
      ...{ AWS_REGION: "", AWS_DEFAULT_REGION: "", HOME: temporaryFolder("home") },
      PATH: `${PYTHON_PROGRAMS}:/usr/bin:/bin`,
      HOME_PAGE: "https://example.com/mine",
      LAYER_DIST: zips,
      ...settings,
    },
    status,
  });
}

/** The paths of what was written to the repository of applications. */
const written = () =>
  requests.flatMap((line) => /^(?:POST|PUT) (\/applications\S*)/.exec(line)?.[1] ?? []);

/** The bodies of the requests that begin so. */
const bodies = (beginning: string): unknown[] =>
  requests
    .filter((line) => line.startsWith(beginning))
    .map((line) => JSON.parse(line.slice(line.indexOf("{"))));

/** What the repository shows of each application. */
const SHOWN = {
  author: "lambda-shell-runtime",
  homePageUrl: "https://example.com/mine",
  labels: ["shell", "bash", "layer", "runtime", "aws-cli", "jq"],
  readmeBody: expect.stringContaining("# lambda-shell-runtime"),
};

test(
  "an application that is not found is made, with the zip of LAYER_DIST and without a region around",
  async () => {
    const url = startServer({ application: { status: 404, type: "NotFoundException" } });
    const { stdout } = await publish(url, "amd64");
    const id = `arn:aws:serverlessrepo:us-east-1:${ACCOUNT}:applications/lambda-shell-runtime-amd64`;
    expect(stdout).toContain(`application ${id} ${VERSION}`);
    expect(written()).toEqual(["/applications"]);
    const bucket = `lambda-shell-runtime-${ACCOUNT}-us-east-1`;
    const zip = `sar/lambda-shell-runtime-amd64-${VERSION}.zip`;
    const uploads = requests.filter((line) => line.includes("the zip for amd64"));
    expect(uploads).toEqual([expect.stringContaining(`PUT /${bucket}/${zip} `)]);
    expect(owners).toEqual([ACCOUNT]);
    expect(requests.join("\n")).toContain(`ContentUri: \\"s3://${bucket}/${zip}\\"`);
    const [made] = bodies("POST /applications ");
    expect(made).toMatchObject({
      name: "lambda-shell-runtime-amd64",
      ...SHOWN,
      description: "Lambda layer for shell functions on x86_64, with the AWS CLI v2 and jq",
      sourceCodeUrl: "https://example.com/mine",
      spdxLicenseId: "Apache-2.0",
    });
  },
  LIMIT_MS,
);

test(
  "an application that is there gets a version, and shows what that one says",
  async () => {
    await publish(startServer({}), "all");
    const names = [
      "lambda-shell-runtime-arm64",
      "lambda-shell-runtime-amd64",
      "lambda-shell-runtime",
    ];
    const versions = names.map((name) =>
      expect.stringContaining(`:applications/${name}/versions/`),
    );
    expect(written().filter((path) => path.includes("/versions/"))).toEqual(versions);
    expect(bodies("PATCH /applications/")).toEqual(
      names.map(() => expect.objectContaining({ ...SHOWN, description: expect.any(String) })),
    );
    for (const version of bodies("PUT /applications/")) {
      expect(version).toMatchObject({ sourceCodeUrl: "https://example.com/mine" });
    }
  },
  LIMIT_MS,
);

test(
  "an application that cannot be looked up is not taken for a new one",
  async () => {
    const url = startServer({ application: { status: 403, type: "ForbiddenException" } });
    const { stderr } = await publish(url, "amd64", {}, 1);
    expect(stderr).toContain("failed to look up arn:aws:serverlessrepo:");
    expect(written()).toEqual([]);
  },
  LIMIT_MS,
);

test(
  "without an account nothing is rendered, uploaded or published",
  async () => {
    const { stderr } = await publish(startServer({ identity: 403 }), "all", {}, 1);
    expect(stderr).toContain("failed to find the account in us-east-1: check the credentials");
    expect(requests).toEqual([]);
  },
  LIMIT_MS,
);

test(
  "another account than the one that was said is refused",
  async () => {
    const { stderr } = await publish(startServer({}), "all", { AWS_ACCOUNT_ID: "1" }, 1);
    expect(stderr).toContain(`AWS_ACCOUNT_ID is 1, but the credentials are of ${ACCOUNT}`);
    expect(requests).toEqual([]);
  },
  LIMIT_MS,
);

test(
  "the real application needs the address of its home page",
  async () => {
    const { stderr } = await publish(startServer({}), "amd64", { HOME_PAGE: "" }, 1);
    expect(stderr).toContain("HOME_PAGE");
    expect(requests).toEqual([]);
  },
  LIMIT_MS,
);

test(
  "plain layers have the names and the bucket that were said",
  async () => {
    const settings = { ENV: "dev", DRY_RUN: "1", S3_BUCKET: "mine", LSR_LAYER_NAME_ARM64: "arm" };
    const { stderr } = await publish("http://127.0.0.1:1", "layers", settings);
    const layer = "arn:aws:lambda:us-east-1:123456789012:layer";
    expect(stderr).toContain(" --bucket mine --key sar/");
    expect(stderr).toContain(`--layer-name ${layer}:arm --description`);
    expect(stderr).toContain(`--layer-name ${layer}:lambda-shell-runtime-dev-amd64 `);
  },
  LIMIT_MS,
);

test(
  "a plain layer is made of the very object that was put into the account's own bucket",
  async () => {
    await publish(startServer({}), "layers");
    expect(owners).toEqual([ACCOUNT, ACCOUNT]);
    const bucket = `lambda-shell-runtime-${ACCOUNT}-us-east-1`;
    const layers = requests.filter((line) => line.startsWith("POST /2018-10-31/layers/"));
    expect(layers).toHaveLength(2);
    for (const [index, name] of ["arm64", "amd64"].entries()) {
      const layer = layers[index] ?? "";
      expect(layer).toContain(
        `/arn:aws:lambda:us-east-1:${ACCOUNT}:layer:lambda-shell-runtime-${name}/`,
      );
      expect(JSON.parse(layer.slice(layer.indexOf("{"))).Content).toEqual({
        S3Bucket: bucket,
        S3Key: `sar/lambda-shell-runtime-${name}-${VERSION}.zip`,
        S3ObjectVersion: "v7",
      });
    }
  },
  LIMIT_MS,
);

test.each([
  [{}, "lambda-shell-runtime-123456789012-us-east-1"],
  [{ ENV: "dev" }, "lambda-shell-runtime-dev-123456789012-us-east-1"],
  [{ LSR_AWS_REGION: "eu-west-1" }, "lambda-shell-runtime-123456789012-eu-west-1"],
  [{ LSR_BUCKET_NAME: "mine" }, "mine"],
  [{ LSR_BUCKET_NAME: "mine", ENV: "dev" }, "mine-dev"],
  [{ S3_BUCKET: "whole", LSR_BUCKET_NAME: "mine", ENV: "dev" }, "whole"],
])(
  "with %p the bucket is %s, and each call to it names its owner",
  async (settings, bucket) => {
    for (const command of ["layers", "all", "check"]) {
      const { stderr } = await publish("http://127.0.0.1:1", command, {
        DRY_RUN: "1",
        ...settings,
      });
      const calls = stderr.split("\n").filter((line) => / s3(api)? /.test(line));
      expect(calls).not.toEqual([]);
      for (const call of calls) {
        expect(call).toContain(` --bucket ${bucket} `);
        expect(call).toContain(" --expected-bucket-owner 123456789012");
      }
    }
  },
  LIMIT_MS,
);

test(
  "every call names the account, by an owner or an ARN, where AWS has a member for it",
  async () => {
    const calls: string[] = [];
    for (const command of ["all", "layers", "setup", "deploy", "delete", "check"]) {
      // Not the default bucket, whose name has the account.
      const settings = { DRY_RUN: "1", ENV: "dev", AWS_ACCOUNT_ID: ACCOUNT, S3_BUCKET: "mine" };
      const { stderr } = await publish("http://127.0.0.1:1", command, settings);
      calls.push(...stderr.split("\n").filter((line) => line.startsWith("+ aws ")));
    }
    expect(calls.length).toBeGreaterThan(10);
    const without = calls
      .filter((call) => !call.includes(ACCOUNT))
      .map((call) => call.split(" ").slice(4, 6).join(" "));
    expect(without).toEqual([
      "cloudformation deploy",
      // The change set is the ARN that AWS has returned.
      "cloudformation wait",
      "cloudformation execute-change-set",
      "sts get-caller-identity",
    ]);
  },
  LIMIT_MS,
);

test("make help lists every command of publish.sh", async () => {
  const script = await Bun.file(join(ROOT, "build/deployments/release/publish.sh")).text();
  const commands = /^ {2}([a-z0-9 |]+)\) find_account/m.exec(script)?.[1]?.split(" | ") ?? [];
  expect(commands).toContain("layers");
  const { stdout } = await run(["make", "-C", ROOT, "--no-print-directory", "help"]);
  const targets = [...commands, "runtime"].map((command) => `publish-${command}`);
  const listed = stdout.split("\n").map((line) => line.trim().split(" ")[0]);
  expect(targets.filter((target) => !listed.includes(target))).toEqual([]);
});
