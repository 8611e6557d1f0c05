import { expect, test } from "bun:test";

import { checkCachePath } from "./paths.ts";

test.each(["/a b", "/it's", "/$HOME", "/ö ü", "/back\\slash", "/[x]{y}", "/#,@~"])(
  "checkCachePath() accepts %j",
  (path) => {
    expect(() => checkCachePath(path)).not.toThrow();
  },
);

test.each([
  ["/100%", '"%"'],
  ["/a:b", '":"'],
  ["/a;b", '";"'],
  ['/a"b', '"\\""'],
  ["/a\tb", '"\\t"'],
  ["/a\nb", '"\\n"'],
])("checkCachePath() names what is wrong with %j, and what to do", (path, character) => {
  expect(() => checkCachePath(path)).toThrow(
    `failed to use the cache ${JSON.stringify(path)}: its path has ${character}, which apt, ` +
      "zig or Python's loader takes for something else; CACHE=FOLDER names another folder",
  );
});
