/** Cross-origin rules beside the headers that a function has set itself. */

import { expect, test } from "bun:test";

import { Cors } from "./cors.ts";

const ORIGIN = "https://a.example";

/** What a function says of other origins, and of what its response depends on. */
const OWN = [
  ["access-Control-Allow-Origin", "https://own.example"],
  ["Vary", "Accept-Encoding"],
] as const;

test.each<[string, string, Record<string, string>, readonly (readonly [string, string])[]]>([
  [
    "for an origin of the list the rules replace the function's, and add to Vary",
    `https://b.example,${ORIGIN}`,
    { origin: ORIGIN },
    [
      ["Vary", "Accept-Encoding"],
      ["Access-Control-Allow-Origin", ORIGIN],
      ["Vary", "Origin"],
    ],
  ],
  [
    "for all origins the rules replace the function's",
    "*",
    {},
    [
      ["Vary", "Accept-Encoding"],
      ["Access-Control-Allow-Origin", "*"],
    ],
  ],
  ["for another origin the function's stay", ORIGIN, { origin: "https://b.example" }, OWN],
])("%s", (_, origins, headers, expected) => {
  const response = { status: 200, headers: OWN, body: "" };
  expect(new Cors(origins).apply({ method: "GET", headers }, response)).toEqual({
    ...response,
    headers: [...expected],
  });
});

test("a preflight is told the method and headers that it asks for; an OPTIONS without is none", () => {
  const cors = new Cors("*");
  const asked = {
    "access-control-request-method": "PUT",
    "access-control-request-headers": "X-A, X-B",
  };
  expect(cors.preflight({ method: "OPTIONS", headers: asked })).toEqual({
    status: 200,
    headers: [
      ["Access-Control-Allow-Origin", "*"],
      ["Access-Control-Allow-Methods", "PUT"],
      ["Access-Control-Max-Age", "300"],
      ["Access-Control-Allow-Headers", "X-A, X-B"],
    ],
    body: "",
  });
  expect(cors.preflight({ method: "OPTIONS", headers: {} })).toBeUndefined();
  expect(cors.preflight({ method: "PUT", headers: asked })).toBeUndefined();
});
