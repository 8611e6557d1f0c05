/**
 * publish.sh with the AWS CLI, against a server that answers as AWS does: what it asks for, and where
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
interface Answers {
  readonly identity?: number;
  readonly application?: { readonly status: number; readonly type: string };
}

let server: Bun.Server<undefined> | undefined;
let requests: string[];
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
function startServer({ identity = 200, application }: Answers): string {
  requests = [];
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
      if (request.method === "HEAD") return new Response(null, { status: 404 });
      if (request.method === "GET" && pathname.startsWith("/applications/")) {
        const { status, type } = application ?? { status: 200, type: "" };
        return Response.json({ message: type }, { status, headers: { "x-amzn-errortype": type } });
      }
      // S3 says nothing but that it worked.
      return request.method === "PUT" ? new Response() : Response.json({});
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

test(
  "an application that is not found is made, with the zip of LAYER_DIST and without a region around",
  async () => {
    const url = startServer({ application: { status: 404, type: "NotFoundException" } });
    const { stdout } = await publish(url, "amd64");
    const id = `arn:aws:serverlessrepo:us-east-1:${ACCOUNT}:applications/lambda-shell-runtime-amd64`;
    expect(stdout).toContain(`application ${id} ${VERSION}`);
    expect(written()).toEqual(["/applications"]);
    expect(requests.filter((line) => line.includes("the zip for amd64"))).toHaveLength(1);
    expect(requests.join("\n")).toContain("https://example.com/mine");
  },
  LIMIT_MS,
);

test(
  "an application that is there gets a version",
  async () => {
    await publish(startServer({}), "amd64");
    expect(written()).toEqual([expect.stringMatching(/lambda-shell-runtime-amd64\/versions\//)]);
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
    expect(stderr).toContain(" s3://mine/sar/\n");
    expect(stderr).toContain("--layer-name arm --description");
    expect(stderr).toContain("--layer-name lambda-shell-runtime-dev-amd64 ");
  },
  LIMIT_MS,
);
