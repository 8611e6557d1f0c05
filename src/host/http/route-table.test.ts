import { expect, test } from "bun:test";

import { parseRoute, RouteTable } from "./route-table.ts";

const TABLE = new RouteTable(
  [
    "$default=rest",
    "/{proxy+}=proxy",
    "/x/{id}=any-x",
    "GET /x/{id}=get-x",
    "GET /x/special=special",
    "GET /x/{id}/parts/{part}=part",
    "/files/{path+}=files",
    "/files/{name}=file",
    "GET /=root",
  ].map((text) => parseRoute(text) ?? { key: "", functionName: text }),
);

test.each([
  ["GET", "/", "GET /", {}],
  ["POST", "/", "$default", {}],
  ["GET", "/x/7", "GET /x/{id}", { id: "7" }],
  ["POST", "/x/7", "ANY /x/{id}", { id: "7" }],
  ["GET", "/x/special", "GET /x/special", {}],
  ["POST", "/x/special", "ANY /x/{id}", { id: "special" }],
  ["GET", "/x/a%2Fb/parts/c", "GET /x/{id}/parts/{part}", { id: "a%2Fb", part: "c" }],
  ["GET", "/x/", "ANY /{proxy+}", { proxy: "x/" }],
  ["GET", "/x/7/", "GET /x/{id}", { id: "7" }],
  ["GET", "/x/special/", "GET /x/special", {}],
  ["GET", "/x//7", "ANY /{proxy+}", { proxy: "x//7" }],
  ["GET", "/else/", "ANY /{proxy+}", { proxy: "else/" }],
  ["GET", "/files/a/b/c", "ANY /files/{path+}", { path: "a/b/c" }],
  ["GET", "/files/a", "ANY /files/{name}", { name: "a" }],
  ["GET", "/files", "ANY /{proxy+}", { proxy: "files" }],
])("%s %s takes the route %s with %j", (method, path, key, parameters) => {
  const found = TABLE.find(method, path);
  expect([found?.key, found?.parameters]).toEqual([key, parameters]);
});

test.each([
  ["/x/", "GET /x"],
  ["//x", "GET /x"],
  ["//x//", "GET /x"],
  ["//y///7//", "GET /y/{id}"],
])("a REST API takes %s by the route %s", (path, key) => {
  const routes = ["GET /x=f", "GET /y/{id}=f"].map((text) => parseRoute(text));
  const table = new RouteTable(
    routes.filter((route) => route !== undefined),
    true,
  );
  expect(table.find("GET", path)?.key).toBe(key);
});

test("a path that no route takes has none", () => {
  const table = new RouteTable([{ key: "GET /x", functionName: "x" }]);
  expect(table.find("POST", "/x")).toBeUndefined();
  expect(table.find("GET", "/y")).toBeUndefined();
});

test.each([
  "",
  "GET /x",
  "/x=",
  "=x",
  "x=y",
  "FETCH /x=y",
  "/{a+}/b=c",
  "/a{b}=c",
  "/{}=c",
  "/{a}/{a}=c",
  "/{a}/{a+}=c",
  "/a?x=c",
  "/a#x=c",
])("%j is not a route", (text) => {
  expect(parseRoute(text)).toBeUndefined();
});

test.each([
  ["GET /x=y", "GET /x", "y"],
  ["/a=b=c", "ANY /a=b", "c"],
  [" $default = f ", "$default", "f"],
])("%j is the route %j to %s", (text, key, functionName) => {
  expect(parseRoute(text)).toEqual({ key, functionName });
});
