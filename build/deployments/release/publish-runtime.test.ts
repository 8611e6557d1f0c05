/**
 * layer/runtime/publish.sh with an aws that responds from a table: what it asks for, in which order,
 * and where it stops.
 *
 * @module
 */

import { expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { temporaryFolder } from "../../../src/testing/temporary-folder.ts";
import { ROOT } from "../layer-dist.ts";
import { VERSION } from "../version.ts";

const ACCOUNT = "210987654321";
const RUNTIME = `arn:aws:lambda:us-east-1:${ACCOUNT}:runtime/shell`;
const REPOSITORY = `${ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/lambda-shell-runtime`;
const DIGEST = `sha256:${"a1".repeat(32)}`;
const IMAGE = `${REPOSITORY}@${DIGEST}`;
const OTHER_DIGEST = `sha256:${"b2".repeat(32)}`;
const NOT_FOUND =
  "254 An error occurred (ResourceNotFoundException) when calling the operation: no such thing";

/** The error that the AWS CLI prints for a refused call. */
const refused = (type: string) => `254 An error occurred (${type}) when calling the operation: no`;

/** How AWS responds, by service and operation; each call takes one line, and the last one stays. */
type Table = Readonly<Record<string, readonly string[]>>;

/** An account without anything, whose new version needs some time. */
const FRESH: Table = {
  "sts_get-caller-identity": [`0 ${ACCOUNT}\\tarn:aws:iam::${ACCOUNT}:user/x`],
  "ecr_describe-repositories": [refused("RepositoryNotFoundException")],
  "ecr_create-repository": [`0 ${REPOSITORY}`],
  "ecr_describe-images": [refused("ImageNotFoundException"), `0 ${DIGEST}`],
  "ecr_get-login-password": ["0 a password"],
  "lambda-core_get-runtime": [NOT_FOUND],
  "lambda-core_get-runtime-version": [NOT_FOUND, `0 ACTIVE\\t${IMAGE}`],
  "lambda-core_get-runtime-alias": [NOT_FOUND],
  "lambda_get-resource-policy": [NOT_FOUND],
};

/** The same account after a first run without --promote. */
const PUBLISHED: Table = {
  ...FRESH,
  "ecr_describe-repositories": [`0 ${REPOSITORY}`],
  "ecr_describe-images": [`0 ${DIGEST}`],
  "lambda-core_get-runtime": ["0 ACTIVE"],
  "lambda-core_get-runtime-version": [`0 ACTIVE\\t${IMAGE}`],
  "lambda-core_get-runtime-alias": [`0 ACTIVE\\tv${VERSION}`, NOT_FOUND],
};

/** What a run has done. */
interface Run {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly calls: readonly string[];
  /** The calls that make or change something, without their arguments. */
  readonly changes: readonly string[];
}

function publish(
  table: Table,
  options: readonly string[] = [],
  settings: Readonly<Record<string, string>> = {},
  zips: readonly string[] = ["arm64", "amd64"],
): Run {
  const folder = temporaryFolder("publish");
  const programs = join(folder, "bin");
  mkdirSync(programs);
  for (const name of ["aws", "docker"]) {
    symlinkSync(join(import.meta.dir, "testing/fake-aws.sh"), join(programs, name));
  }
  for (const [name, lines] of Object.entries(table)) {
    writeFileSync(join(folder, name), `${lines.join("\n")}\n`);
  }
  // The zips are looked for in the repository that the script is in: a copy has its own dist/.
  const root = join(folder, "repository");
  mkdirSync(join(root, "layer/runtime"), { recursive: true });
  mkdirSync(join(root, "dist"));
  symlinkSync(join(ROOT, "package.json"), join(root, "package.json"));
  const script = join(root, "layer/runtime/publish.sh");
  writeFileSync(script, readFileSync(join(ROOT, "layer/runtime/publish.sh")));
  for (const architecture of zips) {
    writeFileSync(join(root, `dist/lambda-shell-runtime-${architecture}-${VERSION}.zip`), "zip");
  }
  const { exitCode, stdout, stderr } = Bun.spawnSync(["sh", script, ...options], {
    env: { PATH: `${programs}:/usr/bin:/bin`, FAKE: folder, ...settings },
    stdin: "ignore",
  });
  const file = join(folder, "calls");
  const calls = existsSync(file) ? readFileSync(file, "utf8").trimEnd().split("\n") : [];
  return {
    status: exitCode,
    stdout: stdout.toString(),
    stderr: stderr.toString(),
    calls,
    changes: calls
      .filter((call) => /^(docker|\S+ (create|update|put)-)/.test(call))
      .filter((call) => !call.includes("--generate-cli-skeleton"))
      .map(
        (call) => call.split(" ").slice(0, 2).join(" ") + (/ --dry-run/.test(call) ? " dry" : ""),
      ),
  };
}

const twoLines = (alias: string) =>
  `Runtime: custom\nRuntimeConfig: {RuntimeArn: "${RUNTIME}", RuntimeAlias: ${alias}}\n`;

test("a fresh account gets repository, image, runtime, version and the alias preview", () => {
  const { status, stdout, stderr, calls, changes } = publish(FRESH);
  expect(`${status} ${status === 0 ? "" : stderr}`).toBe("0 ");
  expect(changes).toEqual([
    "ecr create-repository",
    "docker login",
    "docker buildx",
    "lambda-core create-runtime",
    "lambda-core create-runtime-version dry",
    "lambda-core create-runtime-version",
    "lambda-core create-runtime-alias",
  ]);
  expect(stdout).toBe(twoLines("preview"));
  expect(stderr).toEndWith("published; a function uses it with these two lines:\n");
  const create = calls.find((call) => call.startsWith("lambda-core create-runtime-version"));
  expect(create).toContain(` --image-uri ${IMAGE} `);
  expect(calls.filter((call) => call.includes("stable"))).toEqual([]);
});

test("every call names the account, by a registry or an ARN, where AWS has a member for it", () => {
  const { calls } = publish(FRESH, ["--promote", "--share-with", "123456789012"]);
  const named = new RegExp(`--registry-id ${ACCOUNT} |${RUNTIME}`);
  const without = calls
    .filter((call) => !named.test(call))
    .map((call) => call.split(" ", 2).join(" "));
  expect(without).toEqual([
    "lambda-core create-runtime",
    "sts get-caller-identity",
    "ecr get-login-password",
    "docker login",
    "docker buildx",
    // A new runtime has only a name.
    "lambda-core create-runtime",
  ]);
});

test("each change is printed as a command before it is made", () => {
  const { stderr, calls } = publish(FRESH, ["--promote"]);
  const printed = stderr.split("\n").filter((line) => line.startsWith("+ "));
  expect(printed.map((line) => line.split(" ").slice(0, 6).join(" "))).toEqual([
    "+ aws --region us-east-1 ecr create-repository",
    "+ aws --region us-east-1 ecr get-login-password",
    expect.stringMatching(/^\+ docker buildx build/),
    "+ aws --region us-east-1 lambda-core create-runtime",
    "+ aws --region us-east-1 lambda-core create-runtime-version",
    "+ aws --region us-east-1 lambda-core create-runtime-version",
    "+ aws --region us-east-1 lambda-core wait",
    "+ aws --region us-east-1 lambda-core create-runtime-alias",
    "+ aws --region us-east-1 lambda-core wait",
    "+ aws --region us-east-1 lambda-core create-runtime-alias",
    "+ aws --region us-east-1 lambda-core wait",
  ]);
  expect(calls.filter((call) => call.includes("--name stable"))).toHaveLength(3);
});

test("a second run changes nothing", () => {
  const { status, stdout, changes, stderr } = publish(PUBLISHED);
  expect(status).toBe(0);
  expect(changes).toEqual([]);
  expect(stderr).toContain(`image ${REPOSITORY}:v${VERSION} exists; it is not built again`);
  expect(stdout).toBe(twoLines("preview"));
});

test("a second run with --promote moves the alias stable alone", () => {
  const { stdout, changes } = publish(PUBLISHED, ["--promote"]);
  expect(changes).toEqual(["lambda-core create-runtime-alias"]);
  expect(stdout).toBe(twoLines("stable"));
});

test("an alias of an older version is moved, with its life cycle", () => {
  const { calls, changes } = publish(
    { ...PUBLISHED, "lambda-core_get-runtime-alias": ["0 ACTIVE\\tv0.0.9"] },
    ["--promote"],
  );
  expect(changes).toEqual(["lambda-core update-runtime-alias", "lambda-core update-runtime-alias"]);
  const updates = calls.filter((call) => call.startsWith("lambda-core update-"));
  expect(updates.map((call) => / --name (\w+) .*ReleaseState=(\w+)/.exec(call)?.slice(1))).toEqual([
    ["preview", "PREVIEW"],
    ["stable", "GA"],
  ]);
});

test.each([
  ["a fresh account", FRESH, ["ecr create-repository", "docker login", "docker buildx"]],
  ["an account that has it", PUBLISHED, []],
])("--image-only gives %s the image and prints its URI", (_, account, made) => {
  // No AWS CLI needs to know customer-managed runtimes for that.
  const table = { ...account, "lambda-core_create-runtime_skeleton": ["252 Invalid choice"] };
  const { status, stdout, calls, changes } = publish(table, ["--image-only"]);
  expect(status).toBe(0);
  expect(stdout).toBe(`${IMAGE}\n`);
  expect(changes).toEqual([...made]);
  expect(calls.filter((call) => call.startsWith("lambda"))).toEqual([]);
});

test("an image that is in ECR needs no Docker", () => {
  const { status, changes } = publish(FRESH, ["--image", IMAGE]);
  expect(status).toBe(0);
  expect(changes.filter((call) => /^(docker|ecr) /.test(call))).toEqual([]);
});

test.each([
  [
    "a runtime that is scheduled for deletion",
    { "lambda-core_get-runtime": ["0 PENDING_DELETION"] },
    `restore-runtime --runtime-name ${RUNTIME}\n`,
  ],
  [
    "a version that is scheduled for deletion",
    { "lambda-core_get-runtime-version": [`0 PENDING_DELETION\\t${IMAGE}`] },
    `restore-runtime --runtime-name ${RUNTIME} --runtime-version v${VERSION}`,
  ],
  [
    "an alias that is scheduled for deletion",
    { "lambda-core_get-runtime-alias": ["0 PENDING_DELETION\\tv0.0.9"] },
    `restore-runtime --runtime-name ${RUNTIME} --runtime-alias preview`,
  ],
  [
    "a runtime that is being deleted",
    { "lambda-core_get-runtime": ["0 DELETING"] },
    "the runtime shell cannot be used: its state is DELETING",
  ],
  [
    "a version that failed before",
    { "lambda-core_get-runtime-version": [`0 FAILED\\t${IMAGE}`] },
    `the version v${VERSION} cannot be used: its state is FAILED`,
  ],
  [
    "a version with another image",
    { "lambda-core_get-runtime-version": [`0 ACTIVE\\t${REPOSITORY}@${OTHER_DIGEST}`] },
    `version v${VERSION} exists with another image, ${REPOSITORY}@${OTHER_DIGEST} instead of ${IMAGE}`,
  ],
  [
    "a missing permission",
    { "lambda-core_get-runtime": [refused("AccessDeniedException")] },
    "failed to run aws lambda-core get-runtime: the credentials lack a permission",
  ],
  [
    "a registry that does not respond",
    { "ecr_describe-repositories": ["255 Could not connect to the endpoint URL"] },
    "failed to run aws ecr describe-repositories: Could not connect",
  ],
])("%s stops a second run, which then changes nothing", (_, responses, message) => {
  const { status, stderr, stdout, changes } = publish({ ...PUBLISHED, ...responses });
  expect(status).toBe(1);
  expect(stderr).toContain(message);
  expect(changes).toEqual([]);
  expect(stdout).toBe("");
});

test.each([
  [
    "a version that AWS cannot make",
    {
      "lambda-core_wait_runtime-version-active": ["255 Waiter RuntimeVersionActive failed"],
      "lambda-core_get-runtime-version": [NOT_FOUND, `0 FAILED\\t${IMAGE}`],
    },
    `version v${VERSION} has the state FAILED`,
    "lambda-core create-runtime-version",
  ],
  [
    "a version that takes longer than the waiter",
    {
      "lambda-core_wait_runtime-version-active": ["255 Waiter failed: Max attempts exceeded"],
      "lambda-core_get-runtime-version": [NOT_FOUND, "0 CREATING\\tNone"],
    },
    `version v${VERSION} is not ready yet: run this again`,
    "lambda-core create-runtime-version",
  ],
  [
    "an image that the dry run refuses",
    {
      "lambda-core_create-runtime-version_dry-run": [refused("InvalidParameterValueException")],
    },
    "failed to run aws lambda-core create-runtime-version: An error occurred (InvalidParameterValue",
    "lambda-core create-runtime-version dry",
  ],
  [
    "a quota that is reached",
    { "lambda-core_create-runtime": [refused("ServiceQuotaExceededException")] },
    "failed to run aws lambda-core create-runtime: a quota of the account is reached",
    "lambda-core create-runtime",
  ],
  [
    "a conflict",
    { "lambda-core_create-runtime": [refused("ResourceConflictException")] },
    "failed to run aws lambda-core create-runtime: something of this name exists or is changing",
    "lambda-core create-runtime",
  ],
  [
    "an image that cannot be found after the push",
    { "ecr_describe-images": [refused("ImageNotFoundException")] },
    `failed to find ${REPOSITORY}:v${VERSION} after it was pushed`,
    "docker buildx",
  ],
])("%s stops a first run there", (_, responses, message, last) => {
  const { status, stderr, stdout, changes } = publish({ ...FRESH, ...responses });
  expect(status).toBe(1);
  expect(stderr).toContain(message);
  expect(changes.at(-1)).toBe(last);
  expect(stdout).toBe("");
});

test("too many requests are asked again after a pause", () => {
  const { status, calls, stderr } = publish({
    ...FRESH,
    "lambda-core_create-runtime": [refused("TooManyRequestsException"), "0 {}"],
  });
  expect(status).toBe(0);
  expect(stderr).toContain("AWS has too many requests; asking again in 2 s");
  expect(calls.filter((call) => call.startsWith("lambda-core create-runtime --name"))).toHaveLength(
    2,
  );
});

test("an AWS CLI without customer-managed runtimes is named before anything is asked", () => {
  const { status, stderr, calls } = publish({
    ...FRESH,
    "lambda-core_create-runtime_skeleton": ["252 argument operation: Invalid choice"],
  });
  expect(status).toBe(1);
  expect(stderr).toContain("this AWS CLI does not know customer-managed runtimes");
  expect(calls).toEqual(["lambda-core create-runtime --generate-cli-skeleton", "--version"]);
});

test("another account than the one that was said is refused", () => {
  const { status, stderr, changes } = publish(FRESH, [], { AWS_ACCOUNT_ID: "123456789012" });
  expect(status).toBe(1);
  expect(stderr).toContain(`AWS_ACCOUNT_ID is 123456789012, but the credentials are of ${ACCOUNT}`);
  expect(changes).toEqual([]);
});

test("the partition of the credentials is that of every ARN", () => {
  const identity = `0 ${ACCOUNT}\\tarn:aws-cn:iam::${ACCOUNT}:user/x`;
  const settings = { LSR_AWS_REGION: "cn-north-1" };
  const { stdout } = publish({ ...FRESH, "sts_get-caller-identity": [identity] }, [], settings);
  expect(stdout).toContain(`"arn:aws-cn:lambda:cn-north-1:${ACCOUNT}:runtime/shell"`);
});

test("a runtime is shared with the accounts and organizations that are named", () => {
  const options = ["--share-with", "123456789012", "--share-with", "o-abcdefghij"];
  const { calls } = publish(PUBLISHED, options);
  const call = calls.find((each) => each.startsWith("lambda put-resource-policy")) ?? "";
  expect(call).toStartWith(`lambda put-resource-policy --resource-arn ${RUNTIME} --policy {`);
  const { Statement } = JSON.parse(call.slice(call.indexOf("{")));
  expect(Statement).toEqual([
    expect.objectContaining({
      Effect: "Allow",
      Action: ["lambda:GetRuntimeAlias", "lambda:GetRuntimeVersion"],
      Resource: [RUNTIME, `${RUNTIME}/*`],
      Principal: { AWS: ["arn:aws:iam::123456789012:root"] },
    }),
    expect.objectContaining({
      Principal: "*",
      Condition: { StringEquals: { "aws:PrincipalOrgID": ["o-abcdefghij"] } },
    }),
  ]);
});

test("a policy of our own is replaced, at the revision that was seen", () => {
  const policy =
    '{"Statement":[{"Sid": "lambda-shell-runtime-publish-accounts","Effect":"Allow"}]}';
  const { status, calls } = publish(
    { ...PUBLISHED, "lambda_get-resource-policy": [`0 revision-1\\t${policy}`] },
    ["--share-with", "123456789012"],
  );
  expect(status).toBe(0);
  expect(calls.at(-1)).toEndWith(" --revision-id revision-1");
});

test("a policy with somebody else's statements is left as it is", () => {
  const policy = '{"Statement":[{"Sid":"mine","Effect":"Allow"}]}';
  const { status, stderr, changes } = publish(
    { ...PUBLISHED, "lambda_get-resource-policy": [`0 revision-1\\t${policy}`] },
    ["--share-with", "123456789012"],
  );
  expect(status).toBe(1);
  expect(stderr).toContain("the runtime has a policy with other statements");
  expect(changes).toEqual([]);
});

test.each([
  [["--name", "Shell"], "a runtime's name has 2 to 128 of a-z"],
  [["--name", "s"], "a runtime's name has 2 to 128 of a-z"],
  [["--name", "-shell"], "a runtime's name has 2 to 128 of a-z"],
  [["--name", `a${"b".repeat(128)}`], "a runtime's name has 2 to 128 of a-z"],
  [["--name", "she ll"], "a runtime's name has 2 to 128 of a-z"],
  [["--image", `${REPOSITORY}:latest`], "not an image in ECR with its digest"],
  [["--share-with", "*"], "not an account of 12 digits or an organization"],
  [["--share-with", "1234"], "not an account of 12 digits or an organization"],
  [["--share-actions", "*"], "not an action such as lambda:GetRuntimeAlias"],
  [["--share-actions", 'lambda:X","lambda:*'], "not an action such as lambda:GetRuntimeAlias"],
])("%p is refused before anything is asked", (options, message) => {
  const { status, stderr, calls } = publish(FRESH, options);
  expect(status).toBe(1);
  expect(stderr).toContain(message);
  expect(calls).toEqual([]);
});

test.each([[["--nothing"]], [["--name"]], [["preview"]], [["--image-only", "--promote"]]])(
  "%p shows the usage",
  (options) => {
    const { status, stderr } = publish(FRESH, options);
    expect(status).toBe(2);
    expect(stderr).toStartWith("Publishes the image of this folder");
  },
);

test("DRY_RUN=1 prints the commands of a first run and calls nothing", () => {
  const options = ["--promote", "--share-with", "123456789012"];
  const { status, stderr, calls } = publish(FRESH, options, { DRY_RUN: "1" });
  expect(status).toBe(0);
  expect(calls).toEqual([]);
  expect(stderr.split("\n").filter((line) => line.startsWith("+ "))).toHaveLength(12);
  expect(stderr).toEndWith(
    "nothing was published (DRY_RUN=1); a function would use it with these two lines:\n",
  );
});

test("without the zips of make dist nothing is built", () => {
  const { status, stderr, changes } = publish(FRESH, [], {}, ["arm64"]);
  expect(status).toBe(1);
  expect(stderr).toContain(
    `failed to find dist/lambda-shell-runtime-amd64-${VERSION}.zip: run "make dist" first`,
  );
  expect(changes).toEqual(["ecr create-repository"]);
});
