import { expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

import { CURL_LOOP, functionFolder, tool } from "../../testing/running-tool.ts";
import { temporaryFolder } from "../../testing/temporary-folder.ts";

const ECHO = functionFolder({ "function.sh": `handler() { printf '%s' "$1"; }\n` });
const BOOTSTRAP = CURL_LOOP[1] ?? "";

/** Runs the options with a function that gives its event back. */
function echo(...options: readonly string[]) {
  return tool(["invoke", "--dir", ECHO, "--bootstrap", BOOTSTRAP, "-o", "raw", ...options]);
}

test("an example with a member set is the event", async () => {
  const { out, status } = await echo(
    "-e",
    "apigw-v2-request-no-authorizer",
    "--set",
    "rawPath=/users/7",
  );
  expect(status).toBe(0);
  expect(JSON.parse(out)).toMatchObject({ version: "2.0", rawPath: "/users/7" });
});

test("--http makes the event of a Function URL", async () => {
  const request = ["--http", "PATCH /a%20b?q=1&q=2&r=%2F", "-H", "Cookie: a=1; b=2"];
  const { out } = await echo(...request, "-H", "X-Name: Ada", "-d", '{"a":1}');
  expect(JSON.parse(out)).toMatchObject({
    version: "2.0",
    rawPath: "/a%20b",
    rawQueryString: "q=1&q=2&r=%2F",
    queryStringParameters: { q: "1,2", r: "/" },
    cookies: ["a=1", "b=2"],
    headers: {
      host: "local.lambda-url.us-east-1.on.aws",
      "content-type": "application/json",
      "content-length": "7",
      "x-name": "Ada",
    },
    requestContext: { accountId: "anonymous", http: { method: "PATCH", path: "/a b" } },
    body: '{"a":1}',
    isBase64Encoded: false,
  });
  const get = JSON.parse((await echo("--http", "/")).out);
  expect(get.requestContext.http.method).toBe("GET");
  expect(get).not.toHaveProperty("body");
  const text = JSON.parse((await echo("--http", "/", "-d", "plain")).out);
  expect(text).toMatchObject({ body: "plain", requestContext: { http: { method: "POST" } } });
  const form = ["-H", "content-type: application/x-www-form-urlencoded"];
  expect(JSON.parse((await echo("--http", "/", ...form, "-d", "a=b")).out)).toMatchObject({
    body: "YT1i",
    isBase64Encoded: true,
  });
});

test("--ce makes a structured CloudEvent, whose data keeps its digits", async () => {
  const attributes = ["--ce", "type=com.example.made", "source=/shop", "subject=a=b"];
  const { out } = await echo(...attributes, "-d", '{"n":12345678901234567890}');
  expect(out).toEndWith(
    '"datacontenttype":"application/json","type":"com.example.made","source":"/shop",' +
      '"subject":"a=b","data":{"n":12345678901234567890}}',
  );
  const { id, time, specversion } = JSON.parse(out);
  expect(specversion).toBe("1.0");
  expect(id).toMatch(/^[0-9a-f-]{36}$/);
  expect(Math.abs(Date.parse(time) - Date.now())).toBeLessThan(60_000);
  const given = await echo("--ce", "type=t", "source=/s", "id=1", "time=2026-01-02T03:04:05Z");
  expect(given.out).toBe(
    '{"specversion":"1.0","id":"1","time":"2026-01-02T03:04:05Z","type":"t","source":"/s"}',
  );
  const member = await echo("--ce", "type=t", "source=/s", "id=1", "--set", "data.name=Ada");
  expect(JSON.parse(member.out)).toMatchObject({ id: "1", data: { name: "Ada" } });
});

test.each([
  [["-d", "{}", "-e", "sqs-event"], "-d and -e exclude each other"],
  [["-d", "{}", "-f", "x"], "-d and -f exclude each other"],
  [["--http", "/", "--ce", "type=t"], "--http and --ce exclude each other"],
  [["-H", "a: b"], "-H needs a request: --http 'POST /path'"],
  [
    ["--http", "path"],
    "--http path: invalid request\n  write a method and a path: --http 'POST /path?q=1'",
  ],
  [
    ["--http", "PUT /a b"],
    "--http PUT /a b: invalid request\n" +
      "  write a method and a path, a space in it as %20: --http 'POST /path?q=1'",
  ],
  [["--http", "/", "-H", "a b: c"], "-H a b: c: invalid header\n  write it as -H 'Name: value'"],
  [
    ["--ce", "type=t"],
    "--ce: source is missing or empty\n" +
      "  write attributes: --ce type=com.example.created source=/shop",
  ],
  [
    ["--ce", "type=t", "hello"],
    "--ce hello: not an attribute name=value\n" +
      "  put the function's name before the options: lambda-shell invoke NAME --ce …",
  ],
  [["-f", "no-such-file"], "-f no-such-file: no such file or folder"],
])("invoke %j is refused with the fix", async (options, message) => {
  expect(await echo(...options)).toEqual({ status: 2, out: "", errors: `error: ${message}\n` });
});

test.each([
  [["probe", "--url", "http://127.0.0.1:1"], "--remote and --url exclude each other"],
  [["probe", "--repeat", "2"], "--remote and --repeat exclude each other"],
  [[], "which function on AWS? write: lambda-shell invoke NAME --remote"],
  [
    ["probe"],
    "--remote calls AWS with the aws command, which is not in the PATH\n" +
      "  install the AWS CLI and sign in, or leave out --remote for a function on this computer",
  ],
])("invoke --remote %j is refused with the fix", async (options, message) => {
  const result = await tool(["invoke", "--remote", ...options], { environment: { PATH: "/none" } });
  expect(result).toEqual({ status: 2, out: "", errors: `error: ${message}\n` });
});

test("a payload that is not JSON, nested without end, is refused in one line", async () => {
  const file = join(temporaryFolder("deep"), "deep.json");
  writeFileSync(file, "[".repeat(200_000));
  expect(await echo("-f", file)).toEqual({
    status: 2,
    out: "",
    errors:
      "error: payload is not valid JSON (lists and objects in it are nested too deeply to tell where it is wrong)\n" +
      "hint: use -f event.json, -d @event.json or pipe with -d -\n",
  });
});
