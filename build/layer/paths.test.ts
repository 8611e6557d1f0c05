import { expect, test } from "bun:test";

import { checkCachePath } from "./paths.ts";

test.each(["/a b", "/it's", "/ö ü", "/back\\slash", "/[x]{y}", "/#,@~"])(
  "checkCachePath() accepts %j",
  (path) => {
    expect(() => checkCachePath(path)).not.toThrow();
  },
);

test.each([
  ["/100%", '"%"'],
  ["/$HOME", '"$"'],
  ["/a$", '"$"'],
  ["/a:b", '":"'],
  ["/a;b", '";"'],
  ['/a"b', '"\\""'],
  ["/a\tb", '"\\t"'],
  ["/a\nb", '"\\n"'],
])("checkCachePath() names what is wrong with %j, and what to do", (path, character) => {
  expect(() => checkCachePath(path)).toThrow(
    `failed to use the cache ${JSON.stringify(path)}: its path has ${character}, which apt, ` +
      "zig, Python's loader or the AWS CLI takes for something else; CACHE=FOLDER names another folder",
  );
});
