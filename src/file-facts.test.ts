/** What is known of files whose paths lead nowhere, in each way in which they can. */

import { expect, test } from "bun:test";
import { constants, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import {
  fileBytes,
  isAllowed,
  isFolder,
  isRegularFile,
  leadsOut,
  linkTarget,
  namesIn,
  startBytes,
  statOf,
} from "./file-facts.ts";
import { temporaryFolder } from "./testing/temporary-folder.ts";

const folder = temporaryFolder("facts");
writeFileSync(join(folder, "file"), "some text");
symlinkSync("file", join(folder, "link"));
symlinkSync("loop", join(folder, "loop"));
symlinkSync("gone", join(folder, "dangling"));
mkdirSync(join(folder, "inner"));
Bun.spawnSync(["mkfifo", join(folder, "pipe")]);

test.each([
  ["nothing has", "gone"],
  ["leads below a file", "file/inner"],
  ["leads to a link to itself", "loop"],
  ["leads to a link that leads nowhere", "dangling"],
  ["has a name that is too long", "a".repeat(300)],
  ["is too long", "a/".repeat(4096)],
  ["has a NUL", "a\0b"],
])("nothing is known of a path that %s", (_why, name) => {
  const path = join(folder, name);
  expect(statOf(path)).toBeUndefined();
  expect(isRegularFile(path)).toBe(false);
  expect(isFolder(path)).toBe(false);
  expect(isAllowed(path, constants.F_OK)).toBe(false);
  expect(linkTarget(path)).toBe({ loop: "loop", dangling: "gone" }[name]);
  expect(namesIn(path)).toEqual([]);
  expect(fileBytes(path)).toBeUndefined();
  expect(startBytes(path, 4)).toBeUndefined();
});

test("files and folders are what they are at the end of all links", () => {
  for (const name of ["file", "link"]) {
    const path = join(folder, name);
    expect([isRegularFile(path), isFolder(path)]).toEqual([true, false]);
    expect(fileBytes(path)?.toString()).toBe("some text");
    expect(startBytes(path, 4)?.toString()).toBe("some");
  }
  expect([linkTarget(join(folder, "link")), linkTarget(folder)]).toEqual(["file", undefined]);
  expect([isRegularFile(folder), isFolder(folder)]).toEqual([false, true]);
  expect(namesIn(folder)).toEqual(["dangling", "file", "inner", "link", "loop", "pipe"]);
});

test("nobody waits for a pipe that nobody writes to", () => {
  expect(fileBytes(join(folder, "pipe"))).toBeUndefined();
});

test.each([
  ["..", true],
  ["../x", true],
  ["../../x", true],
  ["/x", true],
  ["", false],
  [".", false],
  ["x/y", false],
  ["..x", false],
  ["..x/y", false],
  ["...", false],
])("%j leads out of its folder: %p", (path, isOut) => {
  expect(leadsOut(path)).toBe(isOut);
});
