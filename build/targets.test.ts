/**
 * What make says to somebody who has only what README.md names: which packages to install, that root
 * is needed, or that files belong to root. It says so before it builds anything. And where `make install`
 * puts the tool.
 *
 * @module
 */

import { describe, expect, test } from "bun:test";
import {
  chmodSync,
  chownSync,
  copyFileSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { isAbsolute, join } from "node:path";

import { AS_NOBODY } from "../src/testing/as-nobody.ts";
import { FURTHER_SHELLS, SHELLS } from "../src/testing/shells.ts";
import { temporaryFolder } from "../src/testing/temporary-folder.ts";

const ROOT = join(import.meta.dir, "..");

/** A folder for PATH, of scripts by their names. */
function programs(scripts: Readonly<Record<string, string>>): string {
  const folder = temporaryFolder("programs");
  chmodSync(folder, 0o755);
  for (const [name, text] of Object.entries(scripts)) {
    writeFileSync(join(folder, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  }
  return folder;
}

function run(command: readonly string[], PATH: string, cwd = ROOT) {
  const { stdout, stderr, exitCode } = Bun.spawnSync([...command], { cwd, env: { PATH } });
  return { output: stdout.toString(), errors: stderr.toString(), exitCode };
}

describe("system-packages.sh", () => {
  const find = (PATH: string, ...pairs: string[]) =>
    run(["/bin/sh", "build/system-packages.sh", ...pairs], PATH);
  const MISSING = ["a=x", "/nothing=y", "python3:no_such_module=z", "b=x"] as const;

  test("says nothing where all is there", () => {
    const PATH = `${programs({ id: "echo 1000" })}:/usr/bin:/bin`;
    const { errors, exitCode } = find(PATH, "awk=mawk", "/bin/sh=dash", "python3:json=python3");
    expect([errors, exitCode]).toEqual(["", 0]);
  });

  test.each([
    ["sudo", { sudo: "" }, "sudo apt-get update && sudo apt-get install", ""],
    ["no sudo", {}, "su -c 'apt-get update && apt-get install", "'"],
  ])(
    "prints the command that installs what is missing to a user with %s",
    (_, sudo, start, end) => {
      const PATH = programs({ id: "echo 1000", "apt-get": "exit 9", ...sudo });
      const { errors, exitCode } = find(PATH, ...MISSING, "apt-get=apt");
      expect(errors).toBe(
        "error: packages of the system are missing. Install them, then run make again:\n" +
          `  ${start} --no-install-recommends x y z${end}\n`,
      );
      expect(exitCode).toBe(1);
    },
  );

  test.each(["0", "1000"])("names the programs where there is no apt-get, to user %s", (user) => {
    const { errors, exitCode } = find(programs({ id: `echo ${user}` }), ...MISSING);
    expect(errors).toBe(
      "error: these programs are missing: a /nothing python3:no_such_module b\n" +
        "  install them (on Debian and Ubuntu the packages are: x y z), then run make again\n",
    );
    expect(exitCode).toBe(1);
  });

  test("installs what is missing as root, without a question", () => {
    const PATH = programs({ id: "echo 0", "apt-get": 'echo "$DEBIAN_FRONTEND $*" >&3' });
    const log = join(temporaryFolder("apt"), "log");
    const command = 'exec /bin/sh build/system-packages.sh "$@" 3> "$LOG"';
    const { stderr, exitCode } = Bun.spawnSync(["/bin/sh", "-c", command, "sh", ...MISSING], {
      cwd: ROOT,
      env: { PATH, LOG: log },
    });
    expect([stderr.toString(), exitCode]).toEqual(["installing x y z\n", 0]);
    expect(Bun.spawnSync(["cat", log]).stdout.toString()).toBe(
      "noninteractive install -y -qq --no-install-recommends x y z\n",
    );
  });

  test("reads the list of packages when they are not found, and shows why that fails", () => {
    const PATH = programs({ id: "echo 0", "apt-get": 'echo "E: $1 failed" >&2; exit 100' });
    const { errors, exitCode } = find(PATH, ...MISSING);
    expect(errors).toBe(
      "installing x y z\nE: update failed\nerror: apt-get failed to install x y z\n",
    );
    expect(exitCode).toBe(1);
  });
});

test.each([
  ["sudo, with this user's PATH", { sudo: "" }, 'sudo env PATH="$PATH" make test'],
  ["su, where there is no sudo", {}, "su -c 'make test'"],
])("as-root.sh prints a command for %s", (_, sudo, line) => {
  const { output } = run(["/bin/sh", "build/as-root.sh", "make test"], programs(sudo));
  expect(output).toBe(`  ${line}\n`);
});

/** Where a computer has sudo, as most have. */
const WITH_SUDO = `${programs({ sudo: "" })}:/usr/bin:/bin`;

describe("own-files.sh", () => {
  const folder = temporaryFolder("own-files");
  chmodSync(folder, 0o777);
  mkdirSync(join(folder, "mine"));
  chmodSync(join(folder, "mine"), 0o777);
  mkdirSync(join(folder, "roots"), { mode: 0o555 });
  const check = (cwd: string, ...folders: string[]) =>
    run([...AS_NOBODY, "/bin/sh", join(ROOT, "build/own-files.sh"), ...folders], WITH_SUDO, cwd);
  const [user, group] = run([...AS_NOBODY, "sh", "-c", "id -u && id -g"], WITH_SUDO).output.split(
    "\n",
  );
  const advice = (name: string) =>
    `error: ${name} belongs to another user (to root, if make was run as root). ` +
    `To take it back, run:\n  sudo env PATH="$PATH" chown -R ${user}:${group} .\n`;

  test("says nothing of a folder that is not there, or can be written", () => {
    expect(check(folder, ".", "none", "mine")).toEqual({ output: "", errors: "", exitCode: 0 });
  });

  test.each([
    ["a folder", () => folder, ["mine", "roots"], "roots"],
    ["the clone", () => join(folder, "roots"), ["."], "this folder"],
  ])("says how to take back %s of root's", (_, cwd, folders, name) => {
    expect(check(cwd(), ...folders)).toEqual({ output: "", errors: advice(name), exitCode: 1 });
  });

  const READ_ONLY = "file system is read-only";

  test.each([
    ["a folder", () => folder, ["mine", "closed"], "closed"],
    ["the clone", () => join(folder, "closed"), ["."], "this folder"],
  ])("says how to open %s of one's own", (_, cwd, folders, name) => {
    mkdirSync(join(folder, "closed"), { recursive: true });
    chownSync(join(folder, "closed"), Number(user), Number(group));
    chmodSync(join(folder, "closed"), 0o555);
    const errors =
      `error: ${name} cannot be written. To change its mode, run:\n  chmod -R u+w .\n` +
      `  if its ${READ_ONLY}, copy the clone to a folder that can be written\n`;
    expect(check(cwd(), ...folders)).toEqual({ output: "", errors, exitCode: 1 });
  });

  test.each([
    ["a folder", "roots", "roots"],
    ["the clone", ".", "this folder"],
  ])("tells root of %s on a read-only file system", (_, name, shown) => {
    const script = join(ROOT, "build/own-files.sh");
    const mounted = 'mount --bind . "$1" && mount -o remount,ro,bind "$1" && cd "$1" && "$2" "$3"';
    const place = temporaryFolder("read-only");
    const command = ["unshare", "--mount", "sh", "-c", mounted, "sh", place, script, name];
    expect(run(command, `${WITH_SUDO}:/usr/sbin:/sbin`, folder)).toEqual({
      output: "",
      errors: `error: ${shown} is on a read-only file system: copy the clone to a folder that can be written\n`,
      exitCode: 1,
    });
  });
});

describe("copy-executables.sh", () => {
  const NAMES = ["bootstrap-amd64", "bootstrap-arm64"].concat([
    "lambda-shell-linux-amd64",
    "lambda-shell-linux-arm64",
  ]);
  const clone = () => {
    const folder = temporaryFolder("clone");
    mkdirSync(join(folder, "dist"));
    for (const name of NAMES) writeFileSync(join(folder, "dist", name), name, { mode: 0o755 });
    mkdirSync(join(folder, "elsewhere/dist"), { recursive: true });
    symlinkSync("dist", join(folder, "link"));
    return folder;
  };
  const copy = (folder: string, to: string) =>
    run(
      ["env", `CDPATH=${folder}/elsewhere`, join(ROOT, "build/copy-executables.sh"), to],
      "/usr/bin:/bin",
      folder,
    );

  test.each(["new", "a new folder/below", "-n", "elsewhere/dist", temporaryFolder("absolute")])(
    "copies them whole to %s",
    (to) => {
      const folder = clone();
      expect(copy(folder, to)).toEqual({ output: "", errors: "", exitCode: 0 });
      const copies = join(isAbsolute(to) ? "" : folder, to);
      expect(readdirSync(copies).sort()).toEqual(NAMES);
      for (const name of NAMES) expect(readFileSync(join(copies, name), "utf8")).toBe(name);
      expect(lstatSync(join(copies, "bootstrap-arm64")).mode & 0o777).toBe(0o755);
    },
  );

  test.each(["dist", "./dist/", "link", "dist/../dist"])("leaves them alone in %s", (to) => {
    const folder = clone();
    expect(copy(folder, to)).toEqual({ output: "", errors: "", exitCode: 0 });
    expect(readdirSync(join(folder, "dist")).sort()).toEqual(NAMES);
  });
});

test("the clients of make compat name all tools that are missing at once, and where they are", () => {
  const program = "build/tool-checks/compat-clients.ts";
  const { errors, exitCode } = run([process.execPath, program], programs({ node: "", make: "" }));
  expect(errors).toMatch(
    /^error: failed to find python3, npm, cmake, .*: install what is missing\n$/,
  );
  expect(errors).toContain("go (1.26 or newer, https://go.dev/doc/install), cargo (");
  expect(exitCode).toBe(1);
});

describe("install.sh", () => {
  const clone = temporaryFolder("clone");
  chmodSync(clone, 0o777);
  mkdirSync(join(clone, "dist"));
  for (const name of ["LICENSE", "NOTICE", "dist/bootstrap-amd64", "dist/bootstrap-arm64"]) {
    writeFileSync(join(clone, name), "");
  }
  writeFileSync(join(clone, "dist/lambda-shell"), "#!/bin/sh\necho done\n", { mode: 0o755 });
  const home = join(clone, "home");
  mkdirSync(home);
  chmodSync(home, 0o777);
  const install = (dist: string, prefix: string) =>
    run(
      [...AS_NOBODY, "env", `HOME=${home}`, join(ROOT, "build/npm/install.sh"), dist, prefix],
      WITH_SUDO,
      clone,
    );

  test.each([
    ["~", () => home],
    ["~/.local", () => join(home, ".local")],
    ["a folder/b", () => join(clone, "a folder/b")],
    ["~x", () => join(clone, "~x")],
    [`${clone}/whole`, () => join(clone, "whole")],
  ])("takes the folder that was meant by PREFIX=%s", (prefix, folder) => {
    expect(install("dist", prefix)).toEqual({
      output:
        `installed ${folder()}/bin/lambda-shell\n` +
        `it is not in your PATH yet: export PATH="${folder()}/bin:$PATH"\n`,
      errors: "",
      exitCode: 0,
    });
    expect(run([join(folder(), "bin/lambda-shell")], "/usr/bin:/bin").output).toBe("done\n");
    expect(install("--remove", prefix).output).toBe(`removed lambda-shell from ${folder()}\n`);
    expect(existsSync(join(folder(), "bin/lambda-shell"))).toBe(false);
  });

  test.each([
    ["install", "dist"],
    ["uninstall", "--remove"],
  ])("says how to %s where root alone may", (target, dist) => {
    const prefix = temporaryFolder("roots");
    chmodSync(prefix, 0o555);
    expect(install(dist, prefix)).toEqual({
      output: "",
      errors:
        `error: failed to ${target}: this user may not write to ${prefix}. Run:\n` +
        `  sudo env PATH="$PATH" make ${target} PREFIX=${prefix}\nor name another folder by PREFIX=\n`,
      exitCode: 1,
    });
  });
});

describe("npm-ci.sh", () => {
  const NPM = (version: string) =>
    `[ "$1" = --version ] && echo ${version} || echo "$(pwd -P): npm $*"`;
  const ci = (scripts: Readonly<Record<string, string>>) =>
    run(["/bin/sh", "build/npm-ci.sh", "layer/cdk"], programs({ id: "echo 1000", ...scripts }));

  test.each(["9.2.0", "11.10.1"])("installs what is locked with npm %s", (version) => {
    expect(ci({ npm: NPM(version) })).toEqual({
      output: `${join(ROOT, "layer/cdk")}: npm ci --no-audit --no-fund --loglevel=error\n`,
      errors: "",
      exitCode: 0,
    });
  });

  test.each(["8.5.1", "6.14.4"])("says that npm %s is too old", (version) => {
    expect(ci({ npm: NPM(version) })).toEqual({
      output: "",
      errors:
        `error: npm ${version} is too old: npm 9 or newer is needed, as Node.js 18 and newer have it\n` +
        "  install a newer Node.js (https://nodejs.org), then run make again\n",
      exitCode: 1,
    });
  });

  test("says how to install npm where it is missing", () => {
    const { errors, exitCode } = ci({ "apt-get": "" });
    expect(errors).toMatch(/apt-get install --no-install-recommends npm\b/);
    expect(exitCode).toBe(1);
  });
});

/** The recipes of targets, as make prints them, without the flags of the make that may run this test. */
function recipes(...targets: string[]): string {
  const { output } = run(
    ["make", "--dry-run", "--always-make", ...targets],
    process.env["PATH"] ?? "",
  );
  return output.replaceAll("\\\n", " ");
}

describe("make", () => {
  test.each([
    ...["quick", "test", "fuzz", "ok", "lint", "python", "dist", "reproduce", "pins", "compat"],
    ...["test-layer", "smoke-layer", "test-aws-cli", "test-kernels", "deployments", "newest-tools"],
    ...["bench", "bench-small", "bench-cold", "bench-aws-cli", "bench-host", "page-profile"],
  ])("looks for all packages of %s before anything is built", (target) => {
    const [before = "", ...after] = recipes(target).split(
      /^.*npm-ci\.sh .*$|^.*bin\/(?:bun|pip) .*$/m,
    );
    const calls = (text: string) =>
      (text.match(/^build\/system-packages\.sh .*$/gm) ?? []).flatMap((call) => call.split(" "));
    expect(calls(before)).not.toEqual([]);
    const late = calls(after.join("\n")).filter((word) => !calls(before).includes(word));
    expect(late.filter((word) => word.includes("="))).toEqual([]);
  });

  test("finds the programs that only root's PATH leads to", () => {
    const file = join(temporaryFolder("makefile"), "Makefile");
    writeFileSync(file, `include Makefile\nshow:\n\t@command -v chroot\n`);
    const { output } = run(["make", "-f", file, "show"], "/usr/local/bin:/usr/bin:/bin");
    expect(output).toMatch(/^\/usr\/s?bin\/chroot\n$/);
  });

  test("reads no variable in a prerequisite that is set in a later file", () => {
    const command = ["make", "--warn-undefined-variables", "--dry-run", "help"];
    expect(run(command, process.env["PATH"] ?? "").errors).toBe("");
  });

  test.each([
    ["no DIST", [], [], "dist"],
    ["an empty one", ["DIST="], [], "dist"],
    ["one in the environment", ["DIST=/else where"], [], "/else where"],
    ["one after make", [], ["DIST=../else"], "../else"],
    ["both", ["DIST=/one"], ["DIST=/another"], "/another"],
  ])("builds into the folder that it is told, with %s", (_, variables, words, folder) => {
    const command = ["env", ...variables, "make", "--dry-run", "--always-make", "dist", ...words];
    const { output } = run(command, process.env["PATH"] ?? "");
    expect(output).toContain(`build/copy-executables.sh '${folder}'\n`);
    expect(output).toContain(`find '${folder}' `);
    // What the recipe's programs find in their environment.
    const file = join(temporaryFolder("makefile"), "Makefile");
    writeFileSync(file, `include Makefile\nshow:\n\t@echo "$\${DIST:-dist}"\n`);
    const shown = run(
      ["env", ...variables, "make", "-f", file, "show", ...words],
      process.env["PATH"] ?? "",
    );
    expect(shown.output).toBe(`${folder}\n`);
  });

  test.each(["fixtures/functions/hello", "/a b/c d/", "it's", 'q"uote'])(
    "packages the folder %j, whatever characters its path has",
    (folder) => {
      const words = [`FUNCTION=${folder}`, "BUN=printf '%s\\n'", "ARCH=arm64"];
      const command = ["make", "-s", "--old-file=dist/bootstrap-arm64", "package", ...words];
      const { output, errors } = run(command, process.env["PATH"] ?? "");
      const name = folder.split("/").findLast((part) => part !== "");
      expect(errors).toBe("");
      expect(output.split("\n").slice(-4)).toEqual([
        "--output",
        `dist/${name}-arm64.zip`,
        folder,
        "",
      ]);
    },
  );

  test("runs the example with an event whose path has spaces", () => {
    const file = join(temporaryFolder("event"), "it's an event.json");
    writeFileSync(file, '{"name":"Ada"}');
    const words = [`EVENT=${file}`, `BUN=${programs({ echo: "cat" })}/echo`, "ARCH=arm64"];
    const command = ["make", "-s", "--old-file=dist/bootstrap-arm64", "run", ...words];
    const { output, errors } = run(command, process.env["PATH"] ?? "");
    expect([errors, output]).toEqual(["", '{"name":"Ada"}']);
  });

  const help = run(["make", "help"], process.env["PATH"] ?? "").output;
  const forRoot = [...help.matchAll(/^ {2}([a-z-]+) .*\(root\)/gm)].map(([, name = ""]) => name);

  test.each(["test", "ok", "deployments", "release", ...forRoot])(
    "says at once that %s needs root, as help does, and how to run it so",
    (target) => {
      expect(forRoot).toContain(target);
      const PATH = `${programs({ id: "echo 1000", sudo: "" })}:${process.env["PATH"]}`;
      const { output, errors, exitCode } = run(["make", target], PATH);
      expect(output).toBe("");
      expect(errors).toStartWith(
        `error: make ${target} needs root. Run:\n  sudo env PATH="$PATH" make ${target}\n` +
          "What needs no root: make quick\n",
      );
      expect(exitCode).toBe(2);
    },
  );

  test("shows what git says of a clone that it does not trust, and nothing after it", () => {
    const stubs = programs({ git: "echo 'fatal: dubious ownership' >&2; exit 128" });
    // The recipe's last line alone: what stands above it takes seconds.
    const line = recipes("lint").match(/^.*git ls-files.*$/m)?.[0] ?? "";
    const { output, errors, exitCode } = run(["/bin/sh", "-c", line], `${stubs}:/usr/bin:/bin`);
    expect([output, errors]).toEqual(["", "fatal: dubious ownership\n"]);
    expect(exitCode).toBe(128);
  });

  test.each(["ls-files", "status --short", "rev-parse --show-toplevel"])(
    "lets root use git in the clone of another user: git %s",
    (words) => {
      const clone = temporaryFolder("clone");
      const PATH = process.env["PATH"] ?? "";
      // Some systems trust every clone in /etc/gitconfig.
      const inClone = (...command: string[]) =>
        run(["env", "GIT_CONFIG_NOSYSTEM=1", ...command], PATH, clone);
      copyFileSync(join(ROOT, "Makefile"), join(clone, "Makefile"));
      cpSync(join(ROOT, "build"), join(clone, "build"), {
        recursive: true,
        filter: (path) => !/\.[tj]s$/.test(path),
      });
      inClone("git", "init", "--quiet");
      inClone("git", "add", "Makefile");
      chownSync(clone, 1234, 1234);
      expect(inClone("git", ...words.split(" ")).errors).toContain("dubious ownership");
      const made = inClone("make", "-s", `--eval=ask-git: ; git ${words}`, "ask-git");
      expect(made.errors).not.toContain("dubious ownership");
      expect(made.exitCode).toBe(0);
    },
  );

  test("looks for every shell that the quick tests run in", () => {
    const [, names = ""] = /^build\/system-packages\.sh( .*)/m.exec(recipes("quick")) ?? [];
    for (const { name, shebang } of [...SHELLS, ...FURTHER_SHELLS]) {
      const program = { "bash as sh": "bash", ksh93: "ksh93" }[name as string];
      expect(names).toContain(` ${program ?? shebang.replace(/^#!\/bin\/| .*/g, "")}=`);
    }
  });
});
