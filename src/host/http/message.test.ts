import { expect, test } from "bun:test";

import { parseTarget, shownAddress } from "./message.ts";

test.each([
  ["/", { rawPath: "/", rawQuery: "" }],
  ["/a/../b//c?x=%20&y?=1", { rawPath: "/a/../b//c", rawQuery: "x=%20&y?=1" }],
  ["/http://x.example/a", { rawPath: "/http://x.example/a", rawQuery: "" }],
  ["*", { rawPath: "*", rawQuery: "" }],
  ["http://x.example/abs?q=1", { rawPath: "/abs", rawQuery: "q=1", host: "x.example" }],
  ["HTTPS://x.example:8080/a%20b", { rawPath: "/a%20b", rawQuery: "", host: "x.example:8080" }],
  ["http://x.example", { rawPath: "/", rawQuery: "", host: "x.example" }],
  ["http://x.example?q=@/", { rawPath: "/", rawQuery: "q=@/", host: "x.example" }],
  ["http://user:secret@[::1]:80/", { rawPath: "/", rawQuery: "", host: "[::1]:80" }],
])("the target %s", (target, parts) => {
  expect(parseTarget(target)).toEqual(parts);
});

test.each([
  ["http://x.example/a", "http://x.example/a"],
  ["http://x.example:80/a@b?c=d:e@f", "http://x.example:80/a@b?c=d:e@f"],
  ["http://ada@x.example/", "http://ada@x.example/"],
  ["http://ada:s3cret@x.example:80/a", "http://ada:***@x.example:80/a"],
  ["http://:s3cret@[::1]/a", "http://:***@[::1]/a"],
  ["http://ada:s3:c@ret@x.example", "http://ada:***@x.example"],
  ["http://ada:s3/c?r#et@x.example", "http://ada:***@x.example"],
  ["ada:s3cret@x.example", "ada:***@x.example"],
  ["", ""],
])("the address %s is shown as %s", (text, shown) => {
  expect(shownAddress(text)).toBe(shown);
});
