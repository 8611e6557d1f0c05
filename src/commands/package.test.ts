/** What `package` puts into the zip, and what it says that it has left out. */

import { expect, test } from "bun:test";
import crypto from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { basename, dirname, join } from "node:path";

import { AS_NOBODY } from "../testing/as-nobody.ts";
import { functionFolder, tool, toolCommand } from "../testing/running-tool.ts";

const HANDLER = { "function.sh": "handler() { :; }\n" };

/** Packages a folder; the entries of the zip with their modes, and what is said. */
async function packaged(folder: string, ...options: readonly string[]) {
  const { status, out, errors } = await tool(["package", ...options], { cwd: folder });
  const script = [
    "import sys, zipfile",
    "for i in zipfile.ZipFile(sys.argv[1]).infolist():",
    "  print(oct(i.external_attr >> 16)[2:], i.filename)",
  ].join("\n");
  const listed = Bun.spawnSync(["python3", "-c", script, out.trim()]).stdout.toString();
  return { status, entries: listed.trim().split("\n"), said: errors.split("\n").slice(1) };
}

test("everything of the folder is in the zip: data, zips, dot files, links, empty folders", async () => {
  const folder = functionFolder({
    ...HANDLER,
    "data/model.zip": "PK",
    "vendor.zip": "PK",
    ".gitignore": "*.log\n",
    ".config/rc": "",
    "~backup~": "",
    "node_modules/a/index.js": "",
    "events/one.json": "{}",
  });
  mkdirSync(join(folder, "work", "empty"), { recursive: true });
  symlinkSync("../function.sh", join(folder, "data", "link"));
  chmodSync(join(folder, "vendor.zip"), 0o755);
  const { entries, said } = await packaged(folder);
  expect(entries).toEqual([
    "100644 .config/rc",
    "100644 .gitignore",
    "120777 data/link",
    "100644 data/model.zip",
    "100644 events/one.json",
    "100644 function.sh",
    "100644 node_modules/a/index.js",
    "100755 vendor.zip",
    "40755 work/empty/",
    "100644 ~backup~",
  ]);
  expect(said).toEqual([""]);
});

test("secrets, version control and others' litter are left out, and named", async () => {
  const folder = functionFolder({
    ...HANDLER,
    ".env": "SECRET=1\n",
    "lib/.env": "SECRET=2\n",
    ".git/config": "",
    ".git/objects/1": "",
    ".DS_Store": "",
    ".aws-sam/build/x": "",
    "lambda-shell.toml": "",
  });
  const { entries, said } = await packaged(folder);
  expect(entries).toEqual(["100644 function.sh"]);
  expect(said).toEqual([
    "left out: .DS_Store, .aws-sam/, .env, .git/, lambda-shell.toml, lib/.env",
    "",
  ]);
});

test("the zip itself and that of an earlier run are left out, wherever they lie", async () => {
  const folder = functionFolder({ ...HANDLER, "out/keep": "" }, "a b[1]");
  const first = await packaged(folder);
  expect(first).toMatchObject({ status: 0, entries: ["100644 function.sh", "100644 out/keep"] });
  expect(first.said).toEqual([""]);
  const again = await packaged(folder);
  expect(again).toMatchObject({ entries: first.entries, said: ["left out: a b[1].zip", ""] });
  for (const other of ["out/x{y}.zip", "..x.zip"]) {
    const elsewhere = ["--output", other];
    await packaged(folder, ...elsewhere);
    expect(await packaged(folder, ...elsewhere)).toMatchObject({
      entries: first.entries,
      said: [`left out: ${["a b[1].zip", other].sort().join(", ")}`, ""],
    });
    rmSync(join(folder, other));
  }
});

test("modes are 0755 for what anybody may execute and for bootstrap, else 0644", async () => {
  const folder = functionFolder({ ...HANDLER, bootstrap: "#!/bin/sh\n" });
  const modes = [0o400, 0o600, 0o640, 0o664, 0o666, 0o700, 0o710, 0o755, 0o775, 0o777, 0o4755];
  for (const mode of modes) {
    const path = join(folder, mode.toString(8));
    writeFileSync(path, "");
    chmodSync(path, mode);
  }
  const { entries } = await packaged(folder, "--no-check");
  const expected = {
    "100644": ["400", "600", "640", "664", "666", "function.sh"],
    "100755": ["700", "710", "755", "775", "777", "4755", "bootstrap"],
  };
  const lines = Object.entries(expected).flatMap(([mode, names]) =>
    names.map((name) => `${mode} ${name}`),
  );
  expect(entries.toSorted()).toEqual(lines.toSorted());
});

test("what would fail on Lambda is not packaged, but for --no-check", async () => {
  for (const files of [
    { "function.sh": "handler() { if; }\n" },
    { "function.sh": "main() { :; }\n" },
    { "function.sh": "handler() { :; }\r\n" },
  ]) {
    const folder = functionFolder(files);
    const refused = await tool(["package"], { cwd: folder });
    expect([refused.status, refused.out]).toEqual([1, ""]);
    expect(refused.errors).toStartWith("error: ");
    expect(existsSync(join(folder, `${basename(folder)}.zip`))).toBe(false);
    const { status, entries } = await packaged(folder, "--no-check");
    expect([status, entries]).toEqual([0, ["100644 function.sh"]]);
  }
});

test("what may fail on Lambda is said, and packaged", async () => {
  const folder = functionFolder(HANDLER);
  symlinkSync("nowhere", join(folder, "link"));
  const { status, errors } = await tool(["package"], { cwd: folder });
  expect([status, errors]).toEqual([
    0,
    expect.stringContaining("warning: link links to nowhere, which is not there\n"),
  ]);
});

test("--exclude leaves out by name and by path, and names it", async () => {
  const folder = functionFolder({
    ...HANDLER,
    "a.log": "",
    "lib/b.log": "",
    "lib/c": "",
    "d/c": "",
  });
  const { entries, said } = await packaged(folder, "--exclude", "*.log", "--exclude", "lib/c");
  expect(entries).toEqual(["100644 d/c", "100644 function.sh"]);
  expect(said).toEqual(["left out: a.log, lib/b.log, lib/c", ""]);
});

test.each([
  ["--exclude=function.sh", "function.sh is not in the zip", "Runtime.NoSuchHandler"],
  ["--exclude=*.sh", "function.sh is not in the zip", "Runtime.NoSuchHandler"],
  ["--exclude=lib", "function.sh:1: ./lib/a.sh is not in the zip", "No such file or directory"],
])("%s leaves out what the function needs: %s", async (option, fact, failure) => {
  const folder = functionFolder({
    "function.sh": ". ./lib/a.sh\nhandler() { :; }\n",
    "lib/a.sh": "",
  });
  const { status, out, errors } = await tool(["package", option], { cwd: folder });
  expect([status, out]).toEqual([1, ""]);
  expect(errors).toContain(
    `error: ${fact}: package leaves it out\n` +
      `  on AWS this fails with: ${failure}\n  fix: remove the --exclude that names it\n`,
  );
  expect((await tool(["package", option, "--no-check"], { cwd: folder })).status).toBe(0);
});

test.each([
  ["keys/", ["a/keys/2", "keys/1"]],
  ["./keys", ["keys/1"]],
  ["/keys", ["keys/1"]],
  ["./keys/", ["keys/1"]],
  ["a/keys/", ["a/keys/2"]],
  ["keys/*", ["keys/1"]],
  ["keys", ["a/keys/2", "keys/1"]],
  ["keys.d", ["keys.d"]],
])("--exclude %s leaves out %j", async (pattern, paths) => {
  const all = { ...HANDLER, "keys/1": "", "a/keys/2": "", "a/3": "", "keys.d": "" };
  const { entries, said } = await packaged(functionFolder(all), "--exclude", pattern);
  const kept = Object.keys(all).filter((path) => !paths.includes(path));
  expect(entries).toEqual(kept.sort().map((path) => `100644 ${path}`));
  expect(said.join("\n")).not.toContain("leaves nothing out");
});

test.each(["nokeys", "keys.d/", "/2", "probe/keys", ""])(
  "--exclude %j, which leaves nothing out, is warned of",
  async (pattern) => {
    const folder = functionFolder({ ...HANDLER, "keys/2": "", "keys.d": "" });
    const { entries, said } = await packaged(folder, "--exclude", pattern);
    expect(entries).toHaveLength(3);
    expect(said).toContain(`warning: --exclude ${pattern}: it leaves nothing out`);
  },
);

test("a program of the function's own that --exclude leaves out is missed by its script", async () => {
  const folder = functionFolder({ "function.sh": "handler() { bin/tool; }\n", "bin/tool": "" });
  chmodSync(join(folder, "bin", "tool"), 0o755);
  const { errors } = await tool(["package", "--exclude", "bin"], { cwd: folder });
  expect(errors).toContain(
    "warning: function.sh:1: bin/tool is not in the zip: package leaves it out\n",
  );
});

test("the handler's file may be left out beside a bootstrap that need not have it", async () => {
  const folder = functionFolder({ ...HANDLER, bootstrap: "#!/bin/sh\n" });
  chmodSync(join(folder, "bootstrap"), 0o755);
  expect((await tool(["package", "--exclude", "*.sh"], { cwd: folder })).status).toBe(0);
});

test("what no archive can hold is named, and long lists are counted", async () => {
  const logs = Object.fromEntries(Array.from({ length: 25 }, (_, at) => [`log${at}.log`, ""]));
  const folder = functionFolder({ ...HANDLER, ...logs });
  const server = createServer().listen(join(folder, "socket"));
  await Bun.sleep(50);
  Bun.spawnSync(["mkfifo", join(folder, "pipe")]);
  expect((await packaged(folder)).said).toEqual(["left out: pipe, socket", ""]);
  const { said } = await packaged(folder, "--exclude", "log*");
  expect(said[0]).toMatch(/^left out: log0\.log, log1\.log, .* and 8 more$/);
  server.close();
});

test("a zip that cannot be uploaded at once is warned of, and made", async () => {
  for (const { bytes, isLarge } of [
    { bytes: 50 * 1024 * 1024 + 1, isLarge: true },
    { bytes: 50 * 1024 * 1024 - 65_536, isLarge: false },
  ]) {
    const folder = functionFolder(HANDLER);
    // What does not become smaller.
    writeFileSync(join(folder, "data"), crypto.randomBytes(bytes));
    const { status, said } = await packaged(folder);
    expect(status).toBe(0);
    expect(said.some((line) => line.includes("52428800 bytes must be uploaded through S3"))).toBe(
      isLarge,
    );
  }
});

test("more files than a zip can hold are refused, with the fix", async () => {
  const folder = functionFolder(HANDLER);
  const make = 'mkdir many && cd many && seq "$1" | xargs touch';
  Bun.spawnSync(["sh", "-c", make, "sh", "65535"], { cwd: folder });
  for (const options of [[], ["--no-check"]]) {
    const { status, out, errors } = await tool(["package", ...options], { cwd: folder });
    expect([status, out]).toEqual([2, ""]);
    expect(errors).toBe(
      "error: failed to write zip: 65536 entries, at most 65535\n  leave files out: --exclude PATTERN\n",
    );
  }
  const fewer = await tool(["package", "--exclude", "many/1"], { cwd: folder });
  expect([fewer.status, fewer.errors]).toEqual([0, expect.stringContaining("left out: many/1\n")]);
});

test("files and folders whose names are not UTF-8 are left out, and named", async () => {
  const folder = functionFolder(HANDLER);
  const named = (bytes: readonly number[]) =>
    Buffer.concat([Buffer.from(`${folder}/`), Buffer.from(bytes)]);
  writeFileSync(named([0xff, 0x61]), "");
  mkdirSync(named([0x62, 0xc3]));
  writeFileSync(join(folder, "\uFFFD"), "");
  const { status, entries, said } = await packaged(folder);
  expect(status).toBe(0);
  expect(entries).toEqual(["100644 function.sh", "100644 \uFFFD"]);
  expect(said).toEqual(["left out: b\uFFFD, \uFFFDa", ""]);
});

test("the help names what is left out", async () => {
  const { out } = await tool(["package", "--help"]);
  for (const name of [".git", ".env", ".DS_Store", ".aws-sam", "lambda-shell.toml"]) {
    expect(out).toContain(name);
  }
});

test("a folder that cannot be packed whole is not packed", async () => {
  const folder = functionFolder({ ...HANDLER, "bootstrap.d/x": "" });
  writeFileSync(join(folder, "bootstrap"), "#!/bin/sh\n", { mode: 0o755 });
  const own = await tool(["package", "--with-bootstrap"], { cwd: folder });
  expect(own.status).toBe(2);
  expect(own.errors).toStartWith(
    "error: --with-bootstrap: the folder has a bootstrap of its own\n",
  );
});

test.each([
  [
    "event.json",
    "it is there and is not a zip; nothing was changed\n  give another name, or remove it first",
  ],
  [
    "function.sh",
    "it is there and is not a zip; nothing was changed\n  give another name, or remove it first",
  ],
  ["sub", "it is a folder, not a file"],
  ["-", "a zip is written to a file, as in --output function.zip"],
  ["", "the path is empty"],
])("--output does not write over what is not a zip: %j", async (output, why) => {
  const files = { ...HANDLER, "event.json": '{"a":1}', "sub/x": "" };
  const folder = functionFolder(files);
  const { status, errors } = await tool(["package", "--output", output], { cwd: folder });
  const option = output === "" ? "--output" : `--output ${output}`;
  expect([status, errors]).toEqual([2, `error: ${option}: ${why}\n`]);
  for (const [name, text] of Object.entries(files)) {
    expect(readFileSync(join(folder, name), "utf8")).toBe(text);
  }
});

test("--output writes over an earlier zip and an empty file", async () => {
  const folder = functionFolder({ ...HANDLER, "old.zip": "", "new.zip": "" });
  for (const name of ["old.zip", "old.zip", "new.zip"]) {
    expect(await tool(["package", "--output", name], { cwd: folder })).toMatchObject({ status: 0 });
    expect(readFileSync(join(folder, name), "latin1")).toStartWith("PK");
  }
});

test("an earlier zip that cannot be written over stays", async () => {
  const folder = functionFolder({ ...HANDLER, "old.zip": "PK and more" });
  chmodSync(join(folder, "old.zip"), 0o444);
  chmodSync(dirname(folder), 0o755);
  chmodSync(folder, 0o777);
  const command = [...AS_NOBODY, ...toolCommand(["package", "--output", "old.zip"])];
  const ran = Bun.spawnSync(command, { cwd: folder, env: { PATH: process.env["PATH"] ?? "" } });
  expect(ran.stderr.toString()).toEndWith("error: --output old.zip: permission denied\n");
  expect(ran.exitCode).toBe(2);
  expect(readFileSync(join(folder, "old.zip"), "utf8")).toBe("PK and more");
});
