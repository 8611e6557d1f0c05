/**
 * The launcher bin/aws finds the tree beside it from wherever and however it is started: in a layer
 * it is at /opt, in a runtime's image at /usr/local, and another one may be at /opt then.
 *
 * @module
 */

import { describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { temporaryFolder } from "../../src/testing/temporary-folder.ts";
import { LAYER } from "./paths.ts";

const SHELLS = [["dash"], ["bash"], ["bash", "--posix"], ["busybox", "sh"]];

/** A tree whose loader prints its own path and what it is given, one a line. */
function tree(folder: string, name = "here"): string {
  for (const each of ["bin", "aws-cli/lib", "aws-cli/bin"]) {
    mkdirSync(join(folder, each), { recursive: true });
  }
  const script = readFileSync(join(LAYER, "aws-cli/aws.sh"), "utf8")
    .replaceAll("@LOADER@", "loader")
    .replaceAll("@PYTHON@", "python");
  write(join(folder, "bin/aws"), script);
  write(join(folder, "aws-cli/lib/loader"), `#!/bin/sh\nprintf '%s\\n' "${name}" "$0" "$@"\n`);
  return folder;
}

function write(path: string, text: string): void {
  writeFileSync(path, text);
  chmodSync(path, 0o755);
}

/** Runs a command and returns the lines of the loader. */
function lines(command: readonly string[], cwd: string, PATH = ""): readonly string[] {
  const { exitCode, stdout, stderr } = Bun.spawnSync([...command], { cwd, env: { PATH } });
  expect(`${exitCode} ${stderr}`).toBe("0 ");
  return stdout.toString().trimEnd().split("\n");
}

describe.each(SHELLS.map((shell) => [shell.join(" "), shell] as const))("%s", (_, shell) => {
  const [program = "", ...options] = shell;
  const start = [Bun.which(program) ?? program, ...options];
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
    ["by its name in the working directory", "aws", join(root, "bin")],
    ["by an absolute link", join(elsewhere, "absolute"), "/"],
    ["by a link to a link", join(elsewhere, "chain"), "/"],
    ["by a relative link", "links/relative", elsewhere],
    ["by a link without a path", "chain", elsewhere],
    ["through a folder that is a link", join(elsewhere, "linked-folder/aws"), "/"],
  ])("finds its tree when it is started %s", (_, path, cwd) => {
    const [name, loader = ""] = lines([...start, path], cwd);
    expect(name).toBe("here");
    expect(loader).toEndWith("/../aws-cli/lib/loader");
  });

  test("passes every argument on as it is", () => {
    const words = ["s3", "", "a b", "$HOME", "'\"", "*", "-c", "line\nbreak"];
    const all = lines([...start, join(root, "bin/aws"), ...words], "/").join("\n");
    expect(all).toEndWith(`aws.pyc\n${words.join("\n")}`);
  });
});

test("the tree beside it is taken, not that of another one in front of it in PATH", () => {
  const folder = temporaryFolder("two");
  const layer = tree(join(folder, "opt"), "layer");
  const image = tree(join(folder, "usr/local"), "image");
  const path = `${layer}/bin:${image}/bin:/usr/bin:/bin`;
  expect(lines(["/bin/sh", "-c", "exec aws"], "/", path)[0]).toBe("layer");
  expect(lines(["/bin/sh", "-c", `exec ${image}/bin/aws`], "/", path)[0]).toBe("image");
});

test("a link needs no PATH, and a name alone is looked up in it", () => {
  const root = tree(join(temporaryFolder("path"), "tree"));
  const path = `/nowhere:${root}/bin`;
  expect(lines(["/bin/bash", "aws"], "/", path)[0]).toBe("here");
});
