import { expect, test } from "bun:test";
import { lstatSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { temporaryFolder } from "./testing/temporary-folder.ts";
import { type EmptyFolder, zip, type ZipEntry } from "./zip.ts";

const ENTRIES: readonly (ZipEntry | EmptyFolder)[] = [
  { kind: "file", path: "share/zürich/note.txt", bytes: text("grüezi\n"), mode: 0o644 },
  { kind: "symlink", path: "bin/tool", target: "../lib/tool.sh" },
  { kind: "file", path: "lib/tool.sh", bytes: text("#!/bin/sh\nprintf ok\n"), mode: 0o755 },
  { kind: "file", path: "lib/empty", bytes: new Uint8Array(), mode: 0o644 },
  { kind: "folder", path: "lib/hollow" },
  {
    kind: "file",
    path: "lib/incompressible",
    bytes: crypto.getRandomValues(new Uint8Array(60_000)),
    mode: 0o600,
  },
];

const folder = temporaryFolder("zip-test");

test("zip() writes what unzip reads: bytes, modes, links", () => {
  const archive = join(folder, "a.zip");
  const tree = join(folder, "tree");
  writeFileSync(archive, zip(ENTRIES));
  expect(run(["unzip", "-q", archive, "-d", tree]).status).toBe(0);
  for (const entry of ENTRIES) {
    const path = join(tree, entry.path);
    if (entry.kind === "symlink") {
      expect(readlinkSync(path)).toBe(entry.target);
    } else if (entry.kind === "folder") {
      expect(lstatSync(path).isDirectory()).toBe(true);
    } else {
      expect(readFileSync(path)).toEqual(Buffer.from(entry.bytes));
      expect(lstatSync(path).mode & 0o7777).toBe(entry.mode);
    }
  }
  expect(run([join(tree, "bin/tool")]).output).toBe("ok");
});

test("zip() writes what Python's zipfile finds whole, sorted, without extra fields", () => {
  const archive = join(folder, "b.zip");
  writeFileSync(archive, zip(ENTRIES));
  const script = [
    "import sys, zipfile",
    "z = zipfile.ZipFile(sys.argv[1])",
    "assert z.testzip() is None",
    "for i in z.infolist():",
    "  assert i.date_time == (1980, 1, 1, 0, 0, 0), i.date_time",
    "  assert i.create_system == 3 and i.extra == b'', i",
    "  print(oct(i.external_attr >> 16), i.filename)",
  ].join("\n");
  expect(run(["python3", "-c", script, archive]).output.trim().split("\n")).toEqual([
    "0o120777 bin/tool",
    "0o100644 lib/empty",
    "0o40755 lib/hollow/",
    "0o100600 lib/incompressible",
    "0o100755 lib/tool.sh",
    "0o100644 share/zürich/note.txt",
  ]);
});

test("zip() writes the same bytes in any order of entries and any time zone", () => {
  const module = join(import.meta.dir, "zip.ts");
  const program = `import { zip } from ${JSON.stringify(module)};
    const bytes = new TextEncoder().encode("x".repeat(5000));
    const entries = [{ kind: "file", path: "b", bytes, mode: 0o644 },
      { kind: "symlink", path: "a", target: "b" }];
    if (process.env.TURN) entries.reverse();
    console.log(Bun.SHA256.hash(zip(entries), "hex"));`;
  const hashes = [
    { TZ: "UTC" },
    { TZ: "Pacific/Kiritimati", TURN: "1" },
    { TZ: "America/Adak" },
  ].map((environment) => run([process.execPath, "-e", program], environment).output);
  expect(hashes[0]).toMatch(/^[0-9a-f]{64}\n$/);
  expect(new Set(hashes).size).toBe(1);
});

test.each(["", "/etc/passwd", "a//b", "a/../b", "./a", "a/", "a\0b"])(
  "zip() refuses the path %j",
  (path) => {
    expect(() => zip([{ kind: "file", path, bytes: text("x"), mode: 0o644 }])).toThrow(
      "not relative and clean",
    );
  },
);

test("zip() refuses two entries with one path", () => {
  const entry: ZipEntry = { kind: "file", path: "a", bytes: text("x"), mode: 0o644 };
  expect(() => zip([entry, entry])).toThrow("two entries have the path a");
});

function text(content: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(content);
}

function run(
  command: string[],
  environment: Readonly<Record<string, string>> = {},
): { readonly status: number; readonly output: string } {
  const child = Bun.spawnSync(command, { env: { ...process.env, ...environment } });
  if (child.exitCode !== 0) console.error(child.stderr.toString());
  return { status: child.exitCode, output: child.stdout.toString() };
}
