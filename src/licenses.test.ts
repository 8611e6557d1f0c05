/** What the tool says of its parts, against what is really inside it. */

import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";

import { licensedPackages } from "../build/licenses.macro.ts";
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

test("NOTICE names each of them with its licence and its authors", () => {
  const notice = readFileSync(join(ROOT, "NOTICE"), "utf8");
  for (const { name, license, texts } of licensedPackages()) {
    const line = notice.split("\n").find((each) => each.split(/[ ,]+/).includes(name)) ?? "";
    expect(`${name}: ${line}`).toContain(` ${license}, `);
    const [copyright = "?"] =
      /^ *Copyright (?:\(c\) )?(?:\d|[A-Z])[^\n]*$/m.exec(texts.join("\n")) ?? [];
    expect(line).toEndWith(copyright.trim());
  }
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
  const { version } = JSON.parse(readFileSync(join(ROOT, "node_modules/bun/package.json"), "utf8"));
  expect(out).toContain(`\nBun ${version}, with JavaScriptCore`);
});
