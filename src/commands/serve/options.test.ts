/** What is wrong with the options of a server is said before it listens, and ends it. */

import { expect, test } from "bun:test";

import { functionFolder, SCRIPTED, startTool, tool } from "../../testing/running-tool.ts";
import { listenFault } from "./listen.ts";

const WRONG: readonly (readonly [
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
  message: string,
])[] = [
  [["serve", "--port", "0x1"], {}, '--port: invalid port "0x1" (0-65535)'],
  [["serve", "--metrics-port", "abc"], {}, '--metrics-port: invalid port "abc" (0-65535)'],
  [["serve"], { PORT: "65536" }, 'PORT: invalid port "65536" (0-65535)'],
  [
    ["serve"],
    { METRICS_PROMETHEUS_PORT: "abc" },
    'METRICS_PROMETHEUS_PORT: invalid port "abc" (0-65535)',
  ],
  [
    ["serve"],
    { INVOKER_COUNT: "many" },
    'INVOKER_COUNT: "many" is not a whole number from 1 to 1000, or the fewest and the most, as in 1:10',
  ],
  [["serve"], { FUNCTION_TTL: "2h" }, 'FUNCTION_TTL: "2h" is not a duration between 1ms and 30m'],
  [
    ["serve"],
    { AWS_LAMBDA_FUNCTION_NAME: "a b" },
    'AWS_LAMBDA_FUNCTION_NAME: "a b" is not a function name: 1 to 64 letters, digits, - and _',
  ],
  [
    ["serve", "--name", "a b"],
    { AWS_LAMBDA_FUNCTION_NAME: "c d" },
    '--name: "a b" is not a function name: 1 to 64 letters, digits, - and _',
  ],
  [
    ["serve", "--compat", "rie"],
    { AWS_LAMBDA_FUNCTION_MEMORY_SIZE: "1 GB" },
    'AWS_LAMBDA_FUNCTION_MEMORY_SIZE: "1 GB" is not a whole number of MB from 16 to 32768\n  write: 1024',
  ],
  [
    ["serve", "--compat", "rie"],
    { AWS_LAMBDA_FUNCTION_TIMEOUT: "soon" },
    'AWS_LAMBDA_FUNCTION_TIMEOUT: "soon" is not a duration between 1ms and 30m',
  ],
  ...[
    ["--ce-input", "data"],
    ["--ce-output", "binary"],
    ["--ce-batch"],
    ["--require-prefer-reply"],
  ].map(
    (option) =>
      [
        ["serve", ...option],
        {},
        `${option[0]} has no effect with the format plain\n  add --format cloudevents, or leave it out`,
      ] as const,
  ),
  [
    ["dev", "--ce-batch"],
    {},
    "--ce-batch has no effect with the format function-url\n  add --format cloudevents, or leave it out",
  ],
  [
    ["serve", "--binary-media-types", "image/*"],
    { RESPONSE_FORMAT: "CLOUDEVENTS" },
    "--binary-media-types has no effect with the format cloudevents\n  add --format rest, or leave it out",
  ],
  [
    ["serve", "--grace", "10 sec"],
    {},
    '--grace: "10 sec" is not a duration: 10, 500ms, 1m30s\n  write: 10s',
  ],
  [
    ["serve", "--stall-timeout", "90000"],
    {},
    '--stall-timeout: "90000" is not a duration between 100ms and 24h\n' +
      "  without a unit it is seconds; for milliseconds write: 90000ms",
  ],
  [
    ["serve", "--held-memory", "1GB"],
    {},
    '--held-memory: "1GB" is not a whole number of MB from 1 to 1048576\n  write: 1024',
  ],
  [["serve", "--grace", "x"], {}, '--grace: "x" is not a duration: 10, 500ms, 1m30s'],
  [["serve", "--async-retries", "x"], {}, '--async-retries: "x" is not a whole number from 0 to 2'],
  [["serve", "--async-retries=-1"], {}, '--async-retries: "-1" is not a whole number from 0 to 2'],
  [
    ["serve", "--async-retries", "1.5"],
    {},
    '--async-retries: "1.5" is not a whole number from 0 to 2',
  ],
  [
    ["serve", "--held-memory", "0"],
    {},
    '--held-memory: "0" is not a whole number of MB from 1 to 1048576',
  ],
  [
    ["dev", "--held-memory", "x"],
    {},
    '--held-memory: "x" is not a whole number of MB from 1 to 1048576',
  ],
  ...["", "png", "image/", "image/*; font/woff", "image~1png", "*", "*/png", "a b/c"].map(
    (types) =>
      [
        ["serve", "--format", "rest", "--binary-media-types", types],
        {},
        `--binary-media-types: "${types}" is not a media type\n` +
          "  write types with commas between them: 'image/*, font/woff'",
      ] as const,
  ),
  ...["0", "99ms", "25h", "x"].map(
    (text) =>
      [
        ["serve", "--stall-timeout", text],
        {},
        `--stall-timeout: "${text}" is not a duration between 100ms and 24h`,
      ] as const,
  ),
  [["dev", "--port", "abc"], {}, '--port: invalid port "abc" (0-65535)'],
  [["dev", "--grace", "x"], {}, '--grace: "x" is not a duration: 10, 500ms, 1m30s'],
  [["dev", "--async-retries", "3"], {}, '--async-retries: "3" is not a whole number from 0 to 2'],
];

const WRONG_ORIGINS: readonly (readonly [origins: string, wrong: string, meant: string])[] = [
  ["http://localhost:3000/", "http://localhost:3000/", "http://localhost:3000"],
  ["http://a.example, https://B.example", "https://B.example", "https://b.example"],
  ["localhost:3000", "localhost:3000", "http://localhost:3000"],
  ["a.example", "a.example", "http://a.example"],
  ["http://a.example:80", "http://a.example:80", "http://a.example"],
  ["https://a.example/app", "https://a.example/app", "https://a.example"],
  ["https://*.a.example", "https://*.a.example", "'*'"],
  ["", "", "'*'"],
  ["*,", "", "'*'"],
];

test.each(WRONG_ORIGINS)("--cors %j is refused for %j", async (origins, wrong, meant) => {
  for (const command of ["serve", "dev"]) {
    const result = await tool([command, "--cors", origins, ...SCRIPTED]);
    const errors = `error: --cors ${wrong}: not an origin that a browser sends\n  write: --cors ${meant}\n`;
    expect(result).toEqual({ status: 2, out: "", errors });
  }
});

test.each(WRONG)("%j with %j ends with: %s", async (args, environment, message) => {
  const result = await tool([...args, ...SCRIPTED], { environment });
  expect(result).toEqual({ status: 2, out: "", errors: `error: ${message}\n` });
});

const ANY_ADDRESS = "use --host 127.0.0.1, or 0.0.0.0 for all addresses";

test.each([
  ["192.0.2.1", "192.0.2.1:8099: this computer does not have that address"],
  ["2001:db8::1", "[2001:db8::1]:8099: this computer does not have that address"],
  ["no-such-host.invalid", "no-such-host.invalid:8099: this computer does not have that address"],
  ["[::1]", "[[::1]]:8099: this computer does not have that address"],
  ["127.0.0.1:80", "[127.0.0.1:80]:8099: this computer does not have that address"],
])("the address %s cannot be listened on, and the fix is said", async (host, fault) => {
  for (const command of ["serve", "dev"]) {
    const result = await tool([command, "--host", host, "--port", "8099", ...SCRIPTED]);
    const errors = `error: failed to listen on ${fault}\n  ${ANY_ADDRESS}\n`;
    expect(result).toEqual({ status: 5, out: "", errors });
  }
});

test("an empty address is not all addresses", async () => {
  for (const command of ["serve", "dev"]) {
    const result = await tool([command, "--host", "", "--port", "0", ...SCRIPTED]);
    const errors = `error: --host: the address is empty\n  ${ANY_ADDRESS}\n`;
    expect(result).toEqual({ status: 2, out: "", errors });
  }
});

test("a port that is for root alone is told as such, with another", () => {
  const error = Object.assign(new Error("listen EACCES"), { code: "EACCES" });
  expect(listenFault(error, "::1", 80, "--port")).toBe(
    "failed to listen on [::1]:80: the port is for root alone\n" +
      "  use --port 8080, or any other from 1024 on",
  );
});

test("an option wins over a variable that is wrong", async () => {
  const args = ["serve", "--port", "0", "--metrics-port", "0", "--workers", "1", ...SCRIPTED];
  const environment = { PORT: "abc", METRICS_PROMETHEUS_PORT: "abc", INVOKER_COUNT: "abc" };
  await using served = await startTool(args, { environment });
  expect((await fetch(served.url, { method: "POST", body: "{}" })).status).toBe(200);
});

test("dev refuses two functions of one name", async () => {
  const [one, two] = [functionFolder({ "function.sh": "" }), functionFolder({ "function.sh": "" })];
  const result = await tool(["dev", "--port", "0", one, two, ...SCRIPTED]);
  expect(result).toEqual({
    status: 2,
    out: "",
    errors:
      `error: two functions are named "probe": ${one}, ${two}\n` +
      "  rename a folder, or run one of them by itself: lambda-shell dev DIR --port 9001\n",
  });
});

test("GetFunctionUrlConfig tells the mode of --invoke-mode", async () => {
  const modes = ["buffered", "response-stream"].map(async (mode) => {
    const args = ["serve", "--port", "0", "--metrics-port", "0", "--invoke-mode", mode];
    await using served = await startTool([...args, "--name", "probe", ...SCRIPTED]);
    const response = await fetch(`${served.url}/2021-10-31/functions/probe/url`);
    return ((await response.json()) as { InvokeMode: string }).InvokeMode;
  });
  expect(await Promise.all(modes)).toEqual(["BUFFERED", "RESPONSE_STREAM"]);
});

test("an address of IPv6 is printed as it stands in a URL", async () => {
  const args = ["--host", "::1", "--port", "0", ...SCRIPTED];
  await using served = await startTool(["serve", "--metrics-port", "0", ...args]);
  const [, url] = /listening (\S+) /.exec(served.errors()) ?? [];
  expect(url).toStartWith("[::1]:");
  expect((await fetch(`http://${url}/`, { method: "POST", body: "{}" })).status).toBe(200);
  await using dev = await startTool(["dev", ...args]);
  expect(dev.errors()).toMatch(/Function URL {3}http:\/\/\[::1\]:\d+\/\n/);
});

const BYTES = Uint8Array.of(0xff, 0xfe);

test("a REST API has the binary types of --binary-media-types, else those of the template", async () => {
  const template = `Resources:
  Api:
    Type: AWS::Serverless::Api
    Properties: { StageName: prod, BinaryMediaTypes: [image~1png] }
  Probe:
    Type: AWS::Serverless::Function
    Properties: { Runtime: provided.al2023, Handler: function.handler }
`;
  const folder = functionFolder({ "template.yaml": template });
  const from = ["--template", `${folder}/template.yaml`];
  const seen = async (args: readonly string[], type: string) => {
    const all = ["serve", folder, "--port", "0", "--metrics-port", "0", "--format", "rest"];
    await using served = await startTool([...all, ...args, ...SCRIPTED]);
    const headers = { "Content-Type": type };
    await fetch(served.url, { method: "POST", body: BYTES, headers });
    return /not UTF-8/.test(served.errors());
  };
  expect(await seen(from, "image/png")).toBe(false);
  expect(await seen(from, "image/gif")).toBe(true);
  expect(await seen([...from, "--binary-media-types", "image/gif"], "image/gif")).toBe(false);
  expect(await seen(["--binary-media-types", "text/plain, image/*"], "image/gif")).toBe(false);
  expect(await seen(["--binary-media-types", "*/*"], "application/pdf")).toBe(false);
  expect(await seen([], "image/png")).toBe(true);
});

/** What GetFunction says of a function that is served from a template with these properties. */
async function described(properties: string) {
  const template = `Resources:
  Probe:
    Type: AWS::Serverless::Function
    Properties:
      Handler: function.handler
${properties.trim().replace(/^/gm, "      ")}
`;
  const folder = functionFolder({ "template.yaml": template });
  const from = ["--template", `${folder}/template.yaml`, "--port", "0", "--metrics-port", "0"];
  await using served = await startTool(["serve", folder, ...from, ...SCRIPTED]);
  const url = `${served.url}/2015-03-31/functions/Probe`;
  const { Configuration, Code } = JSON.parse(await (await fetch(url)).text());
  expect(await (await fetch(`${url}/configuration`)).json()).toEqual(Configuration);
  return { Configuration, Code, errors: served.errors() };
}

test("GetFunction and GetFunctionConfiguration tell what the template says of S3", async () => {
  const Arn =
    "arn:aws:s3files:eu-west-1:123456789012:file-system/fs-0123456789abcdef0/access-point/fsap-0123456789abcdef0";
  const files = (mode: string) =>
    `Runtime: provided.al2023
FileSystemConfigs: [{ Arn: "${Arn}", LocalMountPath: /mnt/a, S3FilesConfig: { DirectS3Read: ${mode} } }]`;
  for (const mode of ["ENABLED", "DISABLED", "AUTO"]) {
    const { Configuration } = await described(files(mode));
    expect(Configuration.FileSystemConfigs).toEqual([
      { Arn, LocalMountPath: "/mnt/a", S3FilesConfig: { DirectS3Read: mode } },
    ]);
  }
  const code = (mode: string) =>
    `Runtime: provided.al2023
CodeUri: { Bucket: code, Key: probe.zip, Version: v1${mode} }`;
  const referenced = await described(code(", StorageMode: REFERENCE"));
  expect(referenced.Code).toEqual({
    RepositoryType: "S3",
    Location: expect.stringMatching(/^file:/),
    ResolvedS3Object: { S3Bucket: "code", S3Key: "probe.zip", S3ObjectVersion: "v1" },
  });
  // The folder was named, so that nothing is missing.
  expect(referenced.errors).not.toContain("left out");
  for (const mode of [", StorageMode: COPY", ""]) {
    expect((await described(code(mode))).Code).not.toHaveProperty("ResolvedS3Object");
  }
});

test.each([
  ["arn:aws:lambda:eu-central-1:123456789012:runtime/shell", "prod"],
  ["arn:aws-cn:lambda:cn-north-1:210987654321:runtime/my.shell_2-x", "v1.4.0"],
  ["arn:aws-us-gov:lambda:us-gov-west-1:123456789012:runtime/sh", "_stable"],
])("a customer-managed runtime %s is replaced, said once, and shown", async (arn, alias) => {
  const config = `RuntimeConfig: { RuntimeArn: "${arn}", RuntimeAlias: ${alias} }`;
  const { Configuration, errors } = await described(`Runtime: custom\n${config}`);
  expect(Configuration).toMatchObject({
    Runtime: "custom",
    RuntimeConfig: { RuntimeArn: arn, RuntimeAlias: alias },
    RuntimeVersionConfig: { RuntimeVersionArn: `${arn}/version/local` },
  });
  const said = `Probe: this tool's bootstrap replaces ${arn}, alias ${alias}\n`;
  expect(errors.split(said).length).toBe(2);
});

test("the version is a command, too", async () => {
  const asOption = await tool(["--version"]);
  expect(await tool(["version"])).toEqual(asOption);
});
