/**
 * Kills the build at some moments and lets a last one finish: it must make what an undisturbed
 * build has made, and none that was killed may leave a half artefact under its final name.
 */

import { expect, test } from "bun:test";
import { copyFileSync, existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { temporaryFolder } from "../../src/testing/temporary-folder.ts";
import { architecture, ARCHITECTURES, HOST_ARCHITECTURE } from "../architectures.ts";
import { sha256OfFile } from "./download.ts";
import { CACHE, DIST, ROOT } from "./paths.ts";

const HOST = HOST_ARCHITECTURE ?? architecture("amd64");

/** Moments of the kills, in ms after the start: unpacking, compressing, compiling, zipping. */
const KILLS_MS = [700, 2_500, 6_000, 12_000, 20_000];

test("executables that are compiled twice at the same time are whole", async () => {
  const folder = temporaryFolder("compiled-twice");
  const program = `
    const { BOOTSTRAP, compile } = await import(${JSON.stringify(join(ROOT, "build/compile.ts"))});
    await compile(BOOTSTRAP, ${JSON.stringify(HOST)}, ${JSON.stringify(folder)});`;
  const hash = await sha256OfFile(join(DIST, `bootstrap-${HOST.name}`));
  for (const laterMs of [0, 300, 900]) {
    const compilers: Bun.Subprocess<"ignore", "ignore", "pipe">[] = [];
    for (const _ of [1, 2]) {
      compilers.push(
        Bun.spawn([process.execPath, "-e", program], { stdout: "ignore", stderr: "pipe" }),
      );
      await Bun.sleep(laterMs);
    }
    for (const compiler of compilers) {
      expect(await new Response(compiler.stderr).text()).toBe("");
    }
    expect(await sha256OfFile(join(folder, `bootstrap-${HOST.name}`))).toBe(hash);
    expect(readdirSync(folder)).toEqual([`bootstrap-${HOST.name}`]);
  }
});

test.each(["SIGTERM", "SIGKILL", "SIGHUP"] as const)(
  "with a build that %s ends, the build for the other architecture ends",
  async (signal) => {
    const dist = temporaryFolder("ended-dist");
    for (const { name } of ARCHITECTURES) {
      copyFileSync(join(DIST, `bootstrap-${name}`), join(dist, `bootstrap-${name}`));
    }
    const build = Bun.spawn([process.execPath, join(ROOT, "build/layer.ts")], {
      env: { ...process.env, DIST: dist },
      stdout: "ignore",
      stderr: "ignore",
    });
    await Bun.sleep(1_500);
    const children = () =>
      readFileSync(`/proc/${build.pid}/task/${build.pid}/children`, "utf8").trim().split(" ");
    const beside = children().filter((pid) =>
      readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("\0--report\0"),
    );
    expect(beside).toHaveLength(1);
    build.kill(signal);
    await build.exited;
    const isRunning = (pid: string) =>
      existsSync(`/proc/${pid}`) &&
      !readFileSync(`/proc/${pid}/status`, "utf8").includes("(zombie)");
    for (let waitedMs = 0; beside.some(isRunning) && waitedMs < 5_000; waitedMs += 100) {
      await Bun.sleep(100);
    }
    expect(beside.filter(isRunning)).toEqual([]);
  },
);

test("a build that was killed leaves no half artefact and does not disturb the next", async () => {
  const dist = temporaryFolder("interrupted-dist");
  const executable = `bootstrap-${HOST.name}`;
  copyFileSync(join(DIST, executable), join(dist, executable));
  const finished = new Map(
    readFileSync(join(DIST, "SHA256SUMS"), "utf8")
      .split("\n")
      .map((line) => [line.split("  ")[1] ?? "", line.split("  ")[0] ?? ""]),
  );
  for (const killMs of [...KILLS_MS, undefined]) {
    const build = Bun.spawn([process.execPath, join(ROOT, "build/layer.ts"), HOST.name], {
      env: { ...process.env, DIST: dist },
      stdout: "ignore",
      stderr: "pipe",
    });
    if (killMs === undefined) {
      const errors = await new Response(build.stderr).text();
      expect({ status: await build.exited, errors }).toEqual({ status: 0, errors: "" });
    } else {
      await Promise.race([Bun.sleep(killMs), build.exited]);
      build.kill("SIGKILL");
      await build.exited;
    }
    for (const name of readdirSync(dist).filter((entry) => entry.endsWith(".zip"))) {
      if (name.startsWith(".")) continue;
      expect(`${name} ${await sha256OfFile(join(dist, name))}`).toBe(
        `${name} ${finished.get(name)}`,
      );
    }
  }
  expect(readdirSync(dist).filter((name) => name.endsWith(".zip"))).toHaveLength(3);
  // What the killed ones left in cache/work went with the last build.
  const left = readdirSync(join(CACHE, "work")).filter((pid) => !existsSync(join("/proc", pid)));
  expect(left).toEqual([]);
});
