/** What a server says that is not a function's result, and options that would have no effect, are errors. */

import { expect, test } from "bun:test";
import { chmodSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";

import { bootstrapExecutable } from "../../testing/bootstrap-process.ts";
import {
  CURL_LOOP,
  functionFolder,
  SCRIPTED,
  startTool,
  tool,
} from "../../testing/running-tool.ts";

/** Requests and a server that gets them. */
interface Server extends AsyncDisposable {
  readonly url: string;
  readonly seen: readonly string[];
}

type Respond = (response: ServerResponse, request: IncomingMessage) => void;

async function serve(respond: Respond): Promise<Server> {
  const seen: string[] = [];
  const server = createServer((request, response) => {
    request.resume();
    request.on("end", () => {
      seen.push(`${request.method} ${request.url}`);
      respond(response, request);
    });
  });
  const listening = Promise.withResolvers<void>();
  server.listen(0, "127.0.0.1", listening.resolve);
  await listening.promise;
  const close = async () => {
    server.closeAllConnections();
    server.close();
  };
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, seen, [Symbol.asyncDispose]: close };
}

const INVOCATION = "/2015-03-31/functions/function/invocations";
const LAMBDA = { "x-amzn-requestid": "00000000-0000-0000-0000-000000000000" };

const invoke = (server: Server, ...options: readonly string[]) =>
  tool(["invoke", "--url", server.url, "-d", "{}", ...options]);

test.each([500, 502, 503, 504, 599])(
  "status %i is an error of the server, in its words, with a status of its own",
  async (status) => {
    await using server = await serve((response) => {
      response.writeHead(status, LAMBDA).end('{"Message":"out of order"}\n');
    });
    const message =
      `the server at ${server.url} failed: ${status}: {"Message":"out of order"}\n` +
      "  its log says why; the event may have been run\n";
    expect(await invoke(server)).toEqual({ status: 7, out: "", errors: `error: ${message}` });
    for (const options of [["--event"], ["--no-fail"], ["-o", "json"], ["--tail"]]) {
      expect(await invoke(server, ...options)).toMatchObject({ status: 7, out: "" });
    }
    expect(server.seen).toEqual(Array.from({ length: 5 }, () => `POST ${INVOCATION}`));
  },
);

test.each([
  [500, "", "Internal Server Error"],
  [503, " \n", "Service Unavailable"],
  [502, "\u001b[31mred\u0007", "\ufffd[31mred\ufffd"],
  [500, "x".repeat(5_000), `${"x".repeat(1_000)}…`],
])("status %i with the body %j shows what can be shown of it", async (status, body, shown) => {
  await using server = await serve((response) => {
    response.writeHead(status).end(body);
  });
  const { errors } = await invoke(server);
  expect(errors).toBe(
    `error: the server at ${server.url} failed: ${status}: ${shown}\n` +
      "  its log says why; the event may have been run\n" +
      "  check that --url or AWS_ENDPOINT_URL_LAMBDA names a server of Lambda's API\n",
  );
});

test.each([301, 302, 303, 307, 308])(
  "a redirect with %i is not followed, and is named",
  async (status) => {
    await using elsewhere = await serve((response) => response.end('"elsewhere"'));
    await using server = await serve((response, { url }) => {
      response.writeHead(status, { Location: `${elsewhere.url}${url}` }).end();
    });
    const message =
      `the server at ${server.url} redirects (${status}) to ${elsewhere.url}${INVOCATION}\n` +
      `  redirects are not followed; use --url ${elsewhere.url}\n`;
    expect(await invoke(server)).toEqual({ status: 7, out: "", errors: `error: ${message}` });
    expect(await invoke(server, "--event")).toMatchObject({ status: 7, out: "" });
    const environment = { AWS_ENDPOINT_URL_LAMBDA: server.url };
    const named = await tool(["invoke", "-d", "{}"], { environment });
    expect(named).toMatchObject({ status: 7, out: "", errors: `error: ${message}` });
    expect(elsewhere.seen).toEqual([]);
  },
);

test.each([
  [
    "/login?next=1",
    "to /login?next=1",
    "name the server of Lambda's API itself with --url or AWS_ENDPOINT_URL_LAMBDA",
  ],
  [`/below${INVOCATION}`, `to /below${INVOCATION}`, "use --url SERVER/below"],
  [
    "",
    "without saying where",
    "name the server of Lambda's API itself with --url or AWS_ENDPOINT_URL_LAMBDA",
  ],
  [
    "http://[",
    "to http://[",
    "name the server of Lambda's API itself with --url or AWS_ENDPOINT_URL_LAMBDA",
  ],
])("a redirect to %j is reported with the fix", async (location, where, fix) => {
  await using server = await serve((response) => {
    response.writeHead(302, location === "" ? {} : { Location: location }).end();
  });
  const { status, errors } = await invoke(server);
  expect(status).toBe(7);
  expect(errors).toBe(
    `error: the server at ${server.url} redirects (302) ${where}\n` +
      `  redirects are not followed; ${fix.replace("SERVER", server.url)}\n`,
  );
});

test.each([
  [201, [], "201: made"],
  [202, [], "202: made"],
  [204, [], "204: No Content"],
  [204, ["--event"], "204: No Content"],
])("status %i with %j is not taken for success", async (status, options, said) => {
  await using server = await serve((response) => {
    response.writeHead(status, LAMBDA).end(status === 204 ? undefined : "made");
  });
  const errors = `error: the server at ${server.url} sent no result of a function: ${said}\n`;
  expect(await invoke(server, ...options)).toEqual({ status: 7, out: "", errors });
});

test("what the request is to blame for, or too many of them, has the status that it had", async () => {
  const refusing = (status: number) =>
    serve((response) => void response.writeHead(status, LAMBDA).end(`{"s":${status}}`));
  for (const [status, exit] of [
    [400, 2],
    [403, 2],
    [413, 2],
    [429, 6],
  ] as const) {
    await using server = await refusing(status);
    const refused = await invoke(server);
    expect([status, refused.status]).toEqual([status, exit]);
    if (status !== 429) expect(refused.errors).toBe(`error: ${status}: {"s":${status}}\n`);
  }
});

test("a server that has no Lambda API is told as such, not as one without that function", async () => {
  await using server = await serve((response) => void response.writeHead(404).end("not here"));
  const { status, errors } = await invoke(server);
  expect(status).toBe(2);
  expect(errors).toBe(
    "error: 404: not here\n" +
      "  check that --url or AWS_ENDPOINT_URL_LAMBDA names a server of Lambda's API\n",
  );
});

test("an address with a path of its own keeps it", async () => {
  await using server = await serve((response) => response.end('"below"'));
  for (const path of ["/below", "/below/"]) {
    const result = await tool(["invoke", "--url", server.url + path, "-d", "{}"]);
    expect(result).toMatchObject({ status: 0, out: '"below"' });
  }
  expect(server.seen).toEqual([`POST /below${INVOCATION}`, `POST /below${INVOCATION}`]);
});

test.each(["?token=1", "/below?a", "#top"])(
  "an address with %s is refused, not sent without it",
  async (rest) => {
    const url = `http://127.0.0.1:1${rest}`;
    const words = "the address of a server has neither a query nor a fragment";
    const given = await tool(["invoke", "--url", url, "-d", "{}"]);
    expect(given).toMatchObject({ status: 2, out: "" });
    expect(given.errors).toStartWith(`error: --url ${url}: ${words}\n  write: --url http://`);
    const environment = { AWS_ENDPOINT_URL_LAMBDA: url };
    expect((await tool(["invoke", "-d", "{}"], { environment })).errors).toContain(words);
  },
);

test("a result that breaks off is an error in one line", async () => {
  await using server = await serve((response) => {
    response.writeHead(200, { ...LAMBDA, "Content-Length": 1_000_000 });
    response.write('"half', () => response.destroy());
  });
  const { status, out, errors } = await invoke(server);
  expect([status, out]).toEqual([5, ""]);
  expect(errors).toMatch(/^error: (?:the response of|no response from) http:\S+:? .*\n$/);
});

test("--repeat counts what has no result, and says why, whatever --no-fail says", async () => {
  let at = 0;
  await using server = await serve((response, { url }) => {
    if (url !== INVOCATION) return void response.writeHead(404).end();
    at += 1;
    response.writeHead(at % 2 === 0 ? 503 : 200, LAMBDA).end("{}");
  });
  for (const options of [[], ["--no-fail"]]) {
    const { status, out, errors } = await invoke(server, "--repeat", "4", ...options);
    expect([status, out]).toEqual([7, ""]);
    expect(errors).toMatch(
      /^2 ok · 2 failed · p50 [\d.]+ ms · p95 [\d.]+ ms · max [\d.]+ ms · \d+ req\/s\n/,
    );
    expect(errors).toContain(`error: 2 of 4 events: the server at ${server.url} failed: 503: {}\n`);
  }
  await using redirecting = await serve((response) => {
    response.writeHead(302, { Location: "/elsewhere" }).end();
  });
  expect((await invoke(redirecting, "--repeat", "2")).status).toBe(7);
});

test("--event and --tail say so where the server does not do what they ask for", async () => {
  await using server = await serve((response) => response.end('"done"'));
  expect(await invoke(server, "--event")).toEqual({
    status: 0,
    out: '"done"',
    errors:
      "warning: --event: the server has waited for the function, and sent its response\n200\n",
  });
  expect(await invoke(server, "--tail")).toEqual({
    status: 0,
    out: '"done"',
    errors: "warning: --tail: the server has sent no log\n200\n",
  });
});

const FOLDER = functionFolder({ "function.sh": `handler() { echo log >&2; printf '%s' "$1"; }\n` });
const ONCE = ["--dir", FOLDER, "--bootstrap", CURL_LOOP[1] ?? ""];

/** Options of which one would be ignored beside the other. */
const EXCLUDING: readonly (readonly [options: readonly string[], message: string])[] = [
  [["--event", "--tail"], "--event and --tail exclude each other"],
  [["--event", "-o", "json"], "--event and --output exclude each other"],
  [["--event", "-o", "raw"], "--event and --output exclude each other"],
  [["--event", "-o", "headers"], "--event and --output exclude each other"],
  [["--event", "--client-context", "{}"], "--event and --client-context exclude each other"],
  [["--repeat", "2", "--tail"], "--repeat and --tail exclude each other"],
  [["--repeat", "2", "-o", "headers"], "--repeat and --output exclude each other"],
  [["--parallel", "2"], "--parallel needs --repeat N"],
  ...["--event", "--remote"].map(
    (option) => [["--profile", option], `--profile and ${option} exclude each other`] as const,
  ),
  [["--profile", "--repeat", "2"], "--profile and --repeat exclude each other"],
  [["--profile", "--url", "http://127.0.0.1:1"], "--profile and --url exclude each other"],
];

test.each(EXCLUDING)("%j is refused with and without a server", async (options, message) => {
  await using server = await serve((response) => response.end("{}"));
  const refused = { status: 2, out: "", errors: `error: ${message}\n` };
  expect(await tool(["invoke", ...options, ...ONCE])).toEqual(refused);
  const environment = { AWS_ENDPOINT_URL_LAMBDA: server.url };
  expect(await tool(["invoke", ...options, "-d", "{}"], { environment })).toEqual(refused);
  expect(server.seen).toEqual([]);
});

/** No file has so long a name. */
const LONG = "a".repeat(300);

test.each([
  ["event.json", "-f event.json"],
  ["./events/ada.JSON", "-f ./events/ada.JSON"],
  ["my event.json", "-f 'my event.json'"],
  [`{"it's":1}`, `-d '{"it'\\''s":1}'`],
  ["@event.json", "-f event.json"],
  ['{"a":1}', `-d '{"a":1}'`],
  ["[1]", "-d '[1]'"],
  ["package.json/x", "-f package.json/x"],
  [`/${LONG}`, `-f /${LONG}`],
])("an event in place of the name (%s) is refused with the option for it", async (word, option) => {
  const message = `error: ${word}: not a function's name\n  give an event with ${option}\n`;
  expect(await tool(["invoke", word, ...ONCE])).toEqual({ status: 2, out: "", errors: message });
  const flag = "  --event takes no value: it does not wait for the response\n";
  expect(await tool(["invoke", "--event", word, ...ONCE])).toEqual({
    status: 2,
    out: "",
    errors: message + flag,
  });
});

test("a folder in place of the name is refused with the option for it", async () => {
  const cwd = functionFolder({ "a b/function.sh": "handler() { :; }\n" });
  for (const word of ["./a b", "a b/"]) {
    expect(await tool(["invoke", word, "-d", "{}"], { cwd })).toEqual({
      status: 2,
      out: "",
      errors: `error: ${word}: not a function's name\n  to run the function of a folder: --dir '${word}'\n`,
    });
  }
});

test.each([
  ["nojson", 'offset 0: unexpected "nojson"'],
  ["[1]", "it is not an object"],
  ["", "offset 0: expected a value, got the end"],
  ["\ufeff[1]", "it is not an object"],
  ["\ufeff{", 'offset 1: it ends before the closing "}"'],
  ["{} {}", 'offset 3: unexpected "{"'],
])("--client-context %s is refused as what was written, not as its base64", async (text, fault) => {
  await using server = await serve((response) => response.end("{}"));
  const environment = { AWS_ENDPOINT_URL_LAMBDA: server.url };
  for (const options of [["-d", "{}"], ["probe", "--remote", "-d", "{}"], ONCE]) {
    expect(await tool(["invoke", ...options, "--client-context", text], { environment })).toEqual({
      status: 2,
      out: "",
      errors:
        `error: --client-context: not a JSON object (${fault})\n` +
        `  write it as --client-context '{"custom":{"key":"value"}}'\n`,
    });
  }
  expect(server.seen).toEqual([]);
});

test("--event with --repeat is for a server, which counts what it has accepted", async () => {
  expect(await tool(["invoke", "--event", "--repeat", "2", ...ONCE])).toEqual({
    status: 2,
    out: "",
    errors:
      "error: --event with --repeat needs a server\n  start one with lambda-shell dev, or leave out --event\n",
  });
  await using server = await startTool(["dev", FOLDER, "--port", "0", ...CURL_LOOP]);
  const options = ["invoke", "--url", server.url, "-d", "{}", "--event", "--repeat", "3"];
  const { status, errors } = await tool(options);
  expect(status).toBe(0);
  expect(errors).toStartWith("3 ok · 0 failed · ");
});

test("-o json is what it says of a streamed response, too, with and without a server", async () => {
  const folder = functionFolder({
    "function.sh": "",
    bootstrap: `#!/bin/sh\nexec ${SCRIPTED.slice(1).join(" ")}\n`,
  });
  chmodSync(join(folder, "bootstrap"), 0o755);
  await using server = await startTool(["dev", folder, "--port", "0", ...SCRIPTED]);
  const event = JSON.stringify({ do: "stream-chunks", chunks: ['{"a":', "1}"] });
  const served = await tool(["invoke", "--url", server.url, "-d", event, "-o", "json"]);
  expect(served).toMatchObject({ status: 0, out: '{\n  "a": 1\n}\n' });
  const once = await tool(["invoke", "--dir", folder, "-d", event, "-o", "json"]);
  expect(once).toMatchObject({ status: 0, out: '{\n  "a": 1\n}\n' });
});

test("--remote has the same status for a failure of AWS", async () => {
  const failing = (words: string) => {
    const folder = functionFolder({ aws: `#!/bin/sh\necho '${words}' >&2\nexit 254\n` });
    chmodSync(join(folder, "aws"), 0o755);
    return tool(["invoke", "probe", "--remote", "-d", "{}"], {
      environment: { PATH: `${folder}:${process.env["PATH"]}` },
    });
  };
  const words = (error: string) =>
    `An error occurred (${error}) when calling the Invoke operation (reached max retries: 0): x`;
  for (const [error, status] of [
    ["ServiceException", 7],
    ["500", 7],
    ["503", 7],
    ["InternalServerError", 7],
    ["ResourceNotFoundException", 2],
    ["TooManyRequestsException", 6],
  ] as const) {
    const result = await failing(words(error));
    expect([error, result.status, result.errors]).toEqual([
      error,
      status,
      `error: ${words(error)}\n`,
    ]);
  }
});

test.each([
  [
    "true",
    7,
    "AWS gave no result of an invocation; it printed nothing\n  is it the AWS CLI? the event may have been run",
  ],
  [
    "echo hello",
    7,
    'AWS gave no result of an invocation; it printed "hello\\n"\n  is it the AWS CLI? the event may have been run',
  ],
  [
    "echo '[]'",
    7,
    'AWS gave no result of an invocation; it printed "[]\\n"\n  is it the AWS CLI? the event may have been run',
  ],
  [
    `echo '{"StatusCode":2}'`,
    7,
    'AWS gave no result of an invocation; it printed "{\\"StatusCode\\":2}\\n"\n  is it the AWS CLI? the event may have been run',
  ],
  [
    `echo '{"StatusCode":200}'`,
    7,
    'AWS gave no result of an invocation; it printed "{\\"StatusCode\\":200}\\n"\n  is it the AWS CLI? the event may have been run',
  ],
  ["exit 3", 2, "AWS failed with status 3 and gave no reason"],
  ["kill -9 $$", 2, "AWS failed with status 137 and gave no reason"],
])("--remote tells of a program aws that is not the AWS CLI: %s", async (script, status, words) => {
  const folder = functionFolder({ aws: `#!/bin/sh\n${script}\n` });
  chmodSync(join(folder, "aws"), 0o755);
  const environment = { PATH: `${folder}:${process.env["PATH"]}` };
  const result = await tool(["invoke", "probe", "--remote", "-d", "{}"], { environment });
  const errors = `error: ${words.replace("AWS", join(folder, "aws"))}\n`;
  expect(result).toEqual({ status, out: "", errors });
});

test.each([
  ['{"Type":"User","message":"why"}', "400: ValidationException: why"],
  ['{"Type":"User","Message":"why"}', "400: ValidationException: why"],
  ['{"a":1}', '400: {"a":1}'],
  ["null", "400: null"],
  ["why", "400: why"],
])("a refusal of Lambda's is told by its exception and message: %s", async (body, words) => {
  const headers = { ...LAMBDA, "x-amzn-errortype": "ValidationException" };
  await using server = await serve((response) => void response.writeHead(400, headers).end(body));
  expect(await invoke(server)).toEqual({ status: 2, out: "", errors: `error: ${words}\n` });
});

test("a byte-order mark before a client context is not sent", async () => {
  let sent = "";
  await using server = await serve((response, { headers }) => {
    sent = Buffer.from(String(headers["x-amz-client-context"]), "base64").toString();
    response.writeHead(200, LAMBDA).end("{}");
  });
  const context = ["--client-context", '\ufeff{"a":1}'];
  expect((await invoke(server, ...context)).status).toBe(0);
  expect(sent).toBe('{"a":1}');
  const script = 'handler() { printf %s "$LAMBDA_RUNTIME_CLIENT_CONTEXT"; }\n';
  const cwd = functionFolder({ "function.sh": script });
  const own = ["--dir", ".", "--bootstrap", bootstrapExecutable(), "-d", "{}"];
  const once = await tool(["invoke", ...own, ...context], { cwd });
  expect([once.status, once.out]).toEqual([0, '{"a":1}']);
});
