/**
 * Writes layer/debian-packages.json: the versions that Debian's archive has now, with their hashes.
 *
 *     bun build/layer/debian-pins.ts
 *
 * Run it when a pin has left the archive, look at the difference, build, test and commit it.
 *
 * @module
 */

import { renameSync, writeFileSync } from "node:fs";

import { DebianArchive } from "./debian.ts";
import { type DebianPin, type DebianPins, PINS_FILE, SOURCES } from "./sources.ts";

type PinnedSource = DebianPins["sources"][number];

/** Reads the newest version of each named package from one architecture's index. */
async function pinPackages(archive: DebianArchive): Promise<DebianPin[]> {
  await archive.update();
  const pins: DebianPin[] = [];
  for (const { name } of SOURCES.debian.packages) {
    const record = await archive.apt(["apt-cache", "show", "--no-all-versions", name]);
    pins.push({
      name,
      version: field(record, "Version"),
      sha256: field(record, "SHA256"),
      bytes: Number(field(record, "Size")),
    });
  }
  return pins;
}

async function pinSource(archive: DebianArchive, name: string): Promise<PinnedSource> {
  const records = (await archive.apt(["apt-cache", "showsrc", "--only-source", name])).trim();
  const record = records.split("\n\n").at(-1) ?? "";
  const list = /^Checksums-Sha256:\n((?: .*\n?)+)/m.exec(record)?.[1] ?? "";
  const files = list
    .trim()
    .split("\n")
    .map((line) => line.trim().split(" "))
    .map(([sha256 = "", bytes = "", file = ""]) => ({
      name: file,
      sha256,
      bytes: Number(bytes),
    }));
  return { name, version: field(record, "Version"), files };
}

function field(record: string, name: string): string {
  const value = new RegExp(`^${name}: (.*)$`, "m").exec(record)?.[1];
  if (value === undefined) throw new Error(`failed to read ${name} of a package:\n${record}`);
  return value.trim();
}

if (import.meta.main) {
  const amd64 = new DebianArchive("amd64");
  const { jq, oniguruma } = SOURCES.jq.debian;
  const pins: DebianPins = {
    comment: "Written by build/layer/debian-pins.ts from the signed index of Debian's archive",
    amd64: await pinPackages(amd64),
    arm64: await pinPackages(new DebianArchive("arm64")),
    sources: [await pinSource(amd64, jq), await pinSource(amd64, oniguruma)],
  };
  writeFileSync(`${PINS_FILE}.unfinished`, `${JSON.stringify(pins, null, 2)}\n`);
  renameSync(`${PINS_FILE}.unfinished`, PINS_FILE);
  console.log(`wrote ${PINS_FILE}`);
}
