import { expect, test } from "bun:test";

import { CURL_LOOP, functionFolder, startTool, tool } from "../../testing/running-tool.ts";

/** Gives its name and its event back. */
const echo = (name: string) =>
  functionFolder(
    { "function.sh": `handler() { printf '{"name":"${name}","event":%s}' "$1"; }\n` },
    name,
  );

const FOLDERS = ["hello", "resize"].map(echo);
const ROUTES = ["--route", "GET /x/{id}=resize", "--route", "/{proxy+}=hello"];

test("dev routes paths to its functions, as an HTTP API does", async () => {
  const options = [...ROUTES, "--route", "$default=resize"];
  await using dev = await startTool(["dev", "--port", "0", ...FOLDERS, ...options, ...CURL_LOOP]);
  await dev.logged("Ctrl-C to stop");
  expect(dev.errors()).toContain("\n  Route          GET /x/{id}=resize\n");
  const get = async (path: string) => (await fetch(dev.url + path)).json();
  expect(await get("/x/a%20b?q=1")).toMatchObject({
    name: "resize",
    event: {
      version: "2.0",
      routeKey: "GET /x/{id}",
      rawPath: "/x/a b",
      pathParameters: { id: "a b" },
      queryStringParameters: { q: "1" },
      requestContext: { routeKey: "GET /x/{id}" },
    },
  });
  expect(await get("/else/where")).toMatchObject({
    name: "hello",
    event: { routeKey: "ANY /{proxy+}", pathParameters: { proxy: "else/where" } },
  });
  const root: unknown = await get("/");
  expect(root).toMatchObject({ name: "resize", event: { routeKey: "$default" } });
  expect(root).not.toHaveProperty("event.pathParameters");
  expect(await get("/lambda-url/hello/y")).toMatchObject({ name: "hello" });
});

test("REST events keep the encoding of path parameters, and unknown paths are refused", async () => {
  const options = ["--format", "rest", "--route", "GET /x/{id}=resize"];
  // A REST API responds with an envelope.
  const folder = functionFolder(
    {
      "function.sh": `handler() { printf '%s' "$1" | jq -c '{statusCode: 200, body: tojson}'; }\n`,
    },
    "resize",
  );
  await using dev = await startTool(["dev", "--port", "0", folder, ...options, ...CURL_LOOP]);
  const response = await fetch(`${dev.url}/x/a%20b`);
  expect(await response.json()).toMatchObject({
    resource: "/x/{id}",
    path: "/x/a%20b",
    pathParameters: { id: "a%20b" },
    requestContext: { resourcePath: "/x/{id}" },
  });
  const unknown = await fetch(`${dev.url}/y`);
  expect([unknown.status, await unknown.text()]).toEqual([
    403,
    '{"message":"Missing Authentication Token"}',
  ]);
});

test("a path without a route is 404 behind an HTTP API", async () => {
  const options = ["--route", "GET /x=hello"];
  await using dev = await startTool(["dev", "--port", "0", ...FOLDERS, ...options, ...CURL_LOOP]);
  const unknown = await fetch(`${dev.url}/x`, { method: "POST" });
  expect([unknown.status, await unknown.text()]).toEqual([404, '{"message":"Not Found"}']);
});

test.each([
  [
    ["--route", "x=hello"],
    "--route x=hello: not a route\n  write it as --route 'GET /x/{id}=function'",
  ],
  [
    ["--route", "/x=helo"],
    '--route /x=helo: function "helo" not found\n' +
      '  available: hello, resize       did you mean "hello"?',
  ],
  [["--route", "/x=hello", "--route", "/x=resize"], "--route ANY /x: duplicate route"],
])("dev %j is refused with the fix", async (options, message) => {
  const result = await tool(["dev", "--port", "0", ...FOLDERS, ...options, ...CURL_LOOP]);
  expect(result).toEqual({ status: 2, out: "", errors: `error: ${message}\n` });
});
