import { expect, setDefaultTimeout, test } from "bun:test";

import { plainAdapter } from "./adapters/plain.ts";
import { Cors } from "./cors.ts";
import { serveFunction } from "./testing/running-host.ts";

// Processes take their time on a loaded machine.
setDefaultTimeout(60_000);

test("cross-origin rules are answered before the function, for each origin of the list", async () => {
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
    const answer = await fetch(served.url, { method: "POST", body: "{}", headers: { Origin } });
    expect(answer.headers.get("access-control-allow-origin")).toBe(Origin);
  }
  const headers = { Origin: "https://other.example" };
  const other = await fetch(served.url, { method: "POST", body: "{}", headers });
  expect(other.headers.get("access-control-allow-origin")).toBeNull();
});
