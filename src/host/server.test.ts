import { expect, test } from "bun:test";

import { rawExchange } from "../testing/host/raw-exchange.ts";
import { serveFunction } from "../testing/host/running-host.ts";
import { plainAdapter } from "./front/adapter.ts";
import { Cors } from "./http/cors.ts";

test("cross-origin rules are applied before the function, for each origin of the list", async () => {
  await using served = await serveFunction({
    adapter: plainAdapter(),
    server: { cors: new Cors("https://a.example, https://b.example ,https://c.example") },
  });
  for (const Origin of ["https://a.example", "https://b.example", "https://c.example"]) {
    const preflight = await fetch(served.url, {
      method: "OPTIONS",
      headers: { Origin, "Access-Control-Request-Method": "PUT" },
    });
    expect(preflight.status).toBe(200);
    expect(preflight.headers.get("access-control-allow-methods")).toBe("PUT");
    const response = await fetch(served.url, { method: "POST", body: "{}", headers: { Origin } });
    expect(response.headers.get("access-control-allow-origin")).toBe(Origin);
  }
  const headers = { Origin: "https://other.example" };
  const other = await fetch(served.url, { method: "POST", body: "{}", headers });
  expect(other.headers.get("access-control-allow-origin")).toBeNull();
});

test("a target in absolute form is that of its path, and names the host", async () => {
  await using served = await serveFunction({ gateway: "function-url" });
  const response = await rawExchange(served.url, "GET http://x.example:81/abs/%20?q=1");
  expect(JSON.parse(response.body).echo).toMatchObject({
    rawPath: "/abs/%20",
    rawQueryString: "q=1",
    headers: { host: "x.example:81" },
  });
  const health = await rawExchange(served.url, "GET http://x.example/health/liveness");
  expect(health.body).toBe("ok\n");
});

test("health is asked for with GET or HEAD; other methods are the function's", async () => {
  await using served = await serveFunction({ adapter: plainAdapter() });
  expect((await rawExchange(served.url, "POST /", [], '{"id":1}')).status).toBe(200);
  for (const path of ["/health/liveness", "/health/readiness"]) {
    const got = await rawExchange(served.url, `GET ${path}`);
    const head = await rawExchange(served.url, `HEAD ${path}`);
    expect([head.status, head.body]).toEqual([200, ""]);
    expect(head.headers["content-length"]).toBe(String(got.body.length));
    const posted = await rawExchange(served.url, `POST ${path}`, [], '{"id":2}');
    expect(JSON.parse(posted.body)).toMatchObject({ id: 2 });
  }
});
