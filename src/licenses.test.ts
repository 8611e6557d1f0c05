/** What the tool says of its parts, against what is really inside it. */

import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";

import { licensedPackages, NOT_INSIDE } from "../build/licenses.macro.ts";
import { tool } from "./testing/running-tool.ts";
import { temporaryFolder } from "./testing/temporary-folder.ts";

const ROOT = join(import.meta.dir, "..");

/** The packages whose files Bun's bundler puts into the tool. */
async function bundledPackages(): Promise<readonly string[]> {
  const outdir = temporaryFolder("bundle");
  const entrypoints = [join(ROOT, "src/lambda-shell.ts")];
  const built = await Bun.build({ entrypoints, outdir, target: "bun", sourcemap: "external" });
  const names = new Set<string>();
  for (const output of built.outputs) {
    // Files that are carried as they are keep their own name in front of a hash.
    if (output.kind === "asset") names.add(/([^/]+)-\w+\.wasm$/.exec(output.path)?.[1] ?? "");
    if (output.kind !== "sourcemap") continue;
    const { sources } = (await output.json()) as { sources: readonly string[] };
    for (const source of sources) {
      names.add(/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(source)?.[1] ?? "");
    }
  }
  names.delete("");
  return [...names].sort();
}

test("the licensed packages are those that are compiled into the tool", async () => {
  expect(licensedPackages().map(({ name }) => name)).toEqual([...(await bundledPackages())]);
});

test("NOTICE names each of them with its licence and its authors, and no other", () => {
  const notice = readFileSync(join(ROOT, "NOTICE"), "utf8");
  for (const { name, license, texts } of licensedPackages()) {
    const line = notice.split("\n").find((each) => each.split(/[ ,]+/).includes(name)) ?? "";
    expect(`${name}: ${line}`).toContain(` ${license}, `);
    const [copyright = "?"] =
      /^ *Copyright (?:\(c\) )?(?:\d|[A-Z])[^\n]*$/m.exec(texts.join("\n")) ?? [];
    expect(line).toEndWith(copyright.trim());
  }
  const table = notice.split("\n").filter((each) => /^ {2}\S.* {2,}\S+, Copyright /.test(each));
  const named = table.flatMap((each) => (each.trim().split(/ {2,}/)[0] ?? "").split(", "));
  expect(named.sort()).toEqual(licensedPackages().map(({ name }) => name));
});

test("NOTICE names every package that package-lock.json has for the tool, inside or not", () => {
  const lock = readFileSync(join(ROOT, "package-lock.json"), "utf8");
  const { packages } = JSON.parse(lock) as {
    packages: Record<string, { dev?: boolean; optional?: boolean }>;
  };
  const names = Object.entries(packages)
    .filter(([path, { dev, optional }]) => path !== "" && dev !== true && optional !== true)
    .map(([path]) => path.replace(/^.*node_modules\//, ""));
  const told = [...licensedPackages().map(({ name }) => name), ...NOT_INSIDE];
  expect(names.sort()).toEqual(told.sort());
  const notice = readFileSync(join(ROOT, "NOTICE"), "utf8");
  for (const name of NOT_INSIDE) expect(notice).toMatch(new RegExp(`\\b${name} \\(`));
});

test("--licenses prints every text", async () => {
  const { status, out, errors } = await tool(["--licenses"]);
  expect([status, errors]).toEqual([0, ""]);
  for (const { name, version, license, texts } of licensedPackages()) {
    expect(out).toContain(`\n${name} ${version} (${license})\n`);
    for (const text of texts) expect(out).toContain(text.replaceAll("\r\n", "\n").trim());
  }
  for (const file of [
    "NOTICE",
    "LICENSE",
    "layer/licenses/bun.txt",
    "layer/licenses/common/LGPL-2",
    "fixtures/events/aws/LICENSE",
  ]) {
    expect(out).toContain(readFileSync(join(ROOT, file), "utf8").trim());
  }
  // The Bun that the tool is made of, which runs this test too.
  expect(out).toContain(`\nBun ${Bun.version}, with JavaScriptCore`);
});
