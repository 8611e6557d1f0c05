/** A proxy of the environment sees nothing that is meant for this computer. */

import { expect, test } from "bun:test";
import { chmodSync, writeFileSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";

import { startSink } from "../../testing/event-sink.ts";
import { CURL_LOOP, functionFolder, startTool, tool } from "../../testing/running-tool.ts";
import { temporaryFolder } from "../../testing/temporary-folder.ts";

/** A server on a free port, of IPv4 and IPv6 both. */
async function serve(listener: RequestListener): Promise<{ port: number } & AsyncDisposable> {
  const server = createServer(listener);
  const listening = Promise.withResolvers<void>();
  server.listen(0, "::", listening.resolve);
  await listening.promise;
  const close = async () => {
    server.closeAllConnections();
    server.close();
  };
  return { port: (server.address() as AddressInfo).port, [Symbol.asyncDispose]: close };
}

/** A server that responds to everything, and counts. */
async function countingServer(body: string) {
  const seen: string[] = [];
  const server = await serve((request, response) => {
    seen.push(`${request.method} ${request.url}`);
    response.end(body);
  });
  return { ...server, seen };
}

test.each(["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"])(
  "invoke reaches a server on this computer past %s, by each of its names",
  async (variable) => {
    await using proxy = await countingServer('"the proxy"');
    await using server = await countingServer('"the server"');
    const known = [{}, { NO_PROXY: "example.com" }, { no_proxy: "example.com" }];
    const hosts = ["127.0.0.1", "localhost", "[::1]", "127.9.8.7", "dev.localhost"];
    for (const [at, host] of hosts.entries()) {
      const exceptions = known[at % known.length];
      const environment = { [variable]: `http://127.0.0.1:${proxy.port}`, ...exceptions };
      const url = `http://${host}:${server.port}`;
      const byOption = await tool(["invoke", "--url", url, "-d", "{}"], { environment });
      expect([host, byOption.status, byOption.out]).toEqual([host, 0, '"the server"']);
    }
    const endpoint = { AWS_ENDPOINT_URL_LAMBDA: `http://127.0.0.1:${server.port}` };
    const environment = { [variable]: `http://127.0.0.1:${proxy.port}`, ...endpoint };
    const byVariable = await tool(["invoke", "-d", "{}", "--repeat", "2"], { environment });
    expect(byVariable.status).toBe(0);
    expect(proxy.seen).toEqual([]);
  },
);

test("a server elsewhere is still asked by way of the proxy", async () => {
  await using proxy = await countingServer('"the proxy"');
  const environment = { http_proxy: `http://127.0.0.1:${proxy.port}` };
  const url = "http://lambda.example.com";
  const { status, out } = await tool(["invoke", "--url", url, "-d", "{}"], { environment });
  expect([status, out]).toEqual([0, '"the proxy"']);
  expect(proxy.seen).toEqual([`POST ${url}/2015-03-31/functions/function/invocations`]);
});

test("a sink on this computer gets replies past a proxy", async () => {
  await using proxy = await countingServer("the proxy");
  const sink = await startSink();
  const folder = functionFolder({ "function.sh": `handler() { printf '{"a":1}'; }\n` });
  const environment = { http_proxy: `http://127.0.0.1:${proxy.port}`, K_SINK: sink.url };
  const options = ["serve", folder, "--port", "0", "--metrics-port", "0"];
  await using served = await startTool([...options, ...CURL_LOOP], { environment });
  await (await fetch(served.url, { method: "POST", body: "{}" })).text();
  expect(sink.received.map(({ body }) => body)).toEqual(['{"a":1}']);
  expect(proxy.seen).toEqual([]);
  await sink.close();
});

test("--remote tells the aws command to reach an endpoint on this computer past a proxy", async () => {
  const folder = temporaryFolder("aws");
  const told = 'printf "%s" "$NO_PROXY $no_proxy" >&2; exit 1';
  writeFileSync(join(folder, "aws"), `#!/bin/sh\n${told}\n`);
  chmodSync(join(folder, "aws"), 0o755);
  const PATH = `${folder}:${process.env["PATH"]}`;
  for (const name of ["AWS_ENDPOINT_URL_LAMBDA", "AWS_ENDPOINT_URL"]) {
    const environment = { PATH, [name]: "http://localhost:4566", no_proxy: "a.example" };
    const { errors } = await tool(["invoke", "probe", "--remote", "-d", "{}"], { environment });
    expect(errors).toBe("error: localhost a.example,localhost\n");
  }
});

test("a server that breaks off has the event: it is not run here a second time", async () => {
  await using server = await serve((request) => request.socket.destroy());
  const cwd = functionFolder({ "function.sh": `handler() { printf '"run here"'; }\n` });
  const url = `http://127.0.0.1:${server.port}`;
  const { status, out, errors } = await tool(["invoke", "-d", "{}", "--url", url], { cwd });
  expect([status, out]).toEqual([5, ""]);
  expect(errors).toStartWith(`error: no response from ${url}: `);
});
