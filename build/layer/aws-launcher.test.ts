/**
 * The launcher bin/aws finds the tree beside it from wherever and however it is started: in a layer
 * it is at /opt, in a runtime's image at /usr/local, and another one may be at /opt then.
 *
 * @module
 */

import { describe, expect, test } from "bun:test";
import { chmodSync, copyFileSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { temporaryFolder } from "../../src/testing/temporary-folder.ts";
import { LAYER } from "./paths.ts";

const launcher = compile();

/** Compiles the launcher with this machine's compiler; the layer's is made by the build. */
function compile(): string {
  const program = join(temporaryFolder("launcher-program"), "aws");
  const names = ['-DLOADER="loader"', '-DPYTHON="python"'];
  const command = ["cc", ...names, join(LAYER, "aws-cli/aws.c"), "-o", program];
  const { exitCode, stderr } = Bun.spawnSync(command);
  expect(`${exitCode} ${stderr}`).toBe("0 ");
  return program;
}

/** A tree whose loader prints its tree's name, its own path and what it is given, one a line. */
function tree(folder: string, name = "here"): string {
  for (const each of ["bin", "aws-cli/lib", "aws-cli/bin"]) {
    mkdirSync(join(folder, each), { recursive: true });
  }
  copyFileSync(launcher, join(folder, "bin/aws"));
  const loader = join(folder, "aws-cli/lib/loader");
  writeFileSync(loader, `#!/bin/sh\nprintf '%s\\n' "${name}" "$0" "$@"\n`);
  chmodSync(loader, 0o755);
  return folder;
}

/** Runs a command and returns the lines of the loader. */
function lines(command: readonly string[], cwd: string, PATH = ""): readonly string[] {
  const { exitCode, stdout, stderr } = Bun.spawnSync([...command], { cwd, env: { PATH } });
  expect(`${exitCode} ${stderr}`).toBe("0 ");
  return stdout.toString().trimEnd().split("\n");
}

describe("bin/aws", () => {
  const root = tree(join(temporaryFolder("launcher"), "a folder with spaces"));
  const elsewhere = temporaryFolder("elsewhere");
  symlinkSync(join(root, "bin/aws"), join(elsewhere, "absolute"));
  symlinkSync("absolute", join(elsewhere, "chain"));
  symlinkSync(join(root, "bin"), join(elsewhere, "linked-folder"));
  mkdirSync(join(elsewhere, "links"));
  symlinkSync("../absolute", join(elsewhere, "links/relative"));

  test.each([
    ["by its absolute path", join(root, "bin/aws"), "/"],
    ["by a relative path", "bin/aws", root],
    ["from its own folder", "./aws", join(root, "bin")],
    ["by an absolute link", join(elsewhere, "absolute"), "/"],
    ["by a link to a link", join(elsewhere, "chain"), "/"],
    ["by a relative link", "links/relative", elsewhere],
    ["by a link without a path", "./chain", elsewhere],
    ["through a folder that is a link", join(elsewhere, "linked-folder/aws"), "/"],
  ])("finds its tree when it is started %s", (_, path, cwd) => {
    const shells = ["dash", "bash"].map((shell) => [shell, "-c", 'exec "$0"', path]);
    for (const command of [[path], ...shells]) {
      const [name, loader] = lines(command.map(programPath), cwd);
      expect(name).toBe("here");
      expect(loader).toBe(join(root, "aws-cli/lib/loader"));
    }
  });

  test("passes every argument on as it is", () => {
    const words = ["s3", "", "a b", "$HOME", "'\"", "*", "-c", "line\nbreak"];
    const all = lines([join(root, "bin/aws"), ...words], "/").join("\n");
    expect(all).toEndWith(`aws.pyc\n${words.join("\n")}`);
  });

  test("takes the tree beside it, not that of another one in front of it in PATH", () => {
    const folder = temporaryFolder("two");
    const layer = tree(join(folder, "opt"), "layer");
    const image = tree(join(folder, "usr/local"), "image");
    const path = `${layer}/bin:${image}/bin:/usr/bin:/bin`;
    expect(lines(["/bin/sh", "-c", "exec aws"], "/", path)[0]).toBe("layer");
    expect(lines(["/bin/sh", "-c", `exec ${image}/bin/aws`], "/", path)[0]).toBe("image");
  });

  test("says what it did not find when there is no tree beside it", () => {
    const folder = temporaryFolder("alone");
    mkdirSync(join(folder, "bin"));
    copyFileSync(launcher, join(folder, "bin/aws"));
    const { exitCode, stderr } = Bun.spawnSync([join(folder, "bin/aws"), "--version"]);
    expect(exitCode).toBe(127);
    expect(stderr.toString()).toBe(
      `aws: failed to start ${folder}/aws-cli/bin/python: No such file or directory\n`,
    );
  });
});

/** A program by its path, since PATH is empty in these tests. */
function programPath(word: string): string {
  return word === "dash" || word === "bash" ? `/bin/${word}` : word;
}
