/**
 * What a release is made of: rendered templates, notes, and whether it is due.
 *
 * @module
 */

import { describe, expect, test } from "bun:test";
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";

import { temporaryFolder } from "../../../src/testing/temporary-folder.ts";
import { drawDiagrams } from "../documents/diagrams.ts";
import { quotedResults, withFigures, withLoops } from "../documents/figures.ts";
import { ROOT } from "../layer-dist.ts";
import { run } from "../run.ts";
import { VERSION } from "../version.ts";
import { commonSources } from "./layer-sources.ts";
import { artefactNames, changesOf, checkInputs, releaseNotes } from "./release-notes.ts";
import { placeholders, render, renderAll } from "./render-sar.ts";

describe("placeholders()", () => {
  test("names the release by the version of package.json alone", () => {
    const values = placeholders({});
    expect(values.get("VERSION")).toBe(VERSION);
    expect(values.get("APPLICATION")).toBe("lambda-shell-runtime");
    expect(values.get("APPLICATION_ARM64")).toBe("lambda-shell-runtime-arm64");
  });

  test("gives a development copy names and a version of its own", () => {
    const values = placeholders({ ENV: "dev", LSR_SAR_APP_BASE: "mine" });
    expect(values.get("VERSION")).toBe("0.0.0");
    expect(values.get("RELEASE")).toBe(VERSION);
    expect(values.get("APPLICATION_AMD64")).toBe("mine-dev-amd64");
    expect(values.get("LAYER_AMD64")).toBe("mine-dev-amd64");
  });

  test("refuses a variable that is empty, as an account that was not found would be", () => {
    expect(() => placeholders({ AWS_ACCOUNT_ID: "" })).toThrow("AWS_ACCOUNT_ID is empty");
  });

  test("names the zips of another folder from the root of the repository", () => {
    expect(placeholders({ LAYER_DIST: "release" }).get("ZIPS")).toBe(join(ROOT, "release"));
  });

  test("takes every name from its variable", () => {
    const values = placeholders({
      LSR_SAR_APP_NAME_ARM64: "a",
      LSR_SAR_APP_NAME_AMD64: "b",
      LSR_SAR_APP_NAME_WRAPPER: "c",
      LSR_LAYER_NAME_ARM64: "d",
      LSR_LAYER_NAME_AMD64: "e",
      LSR_AWS_REGION: "eu-west-1",
      AWS_ACCOUNT_ID: "1",
    });
    expect([...values.values()]).toEqual(expect.arrayContaining([..."abcde1", "eu-west-1"]));
  });
});

describe("renderAll()", () => {
  test("leaves no placeholder, and files that the metadata names", () => {
    const folder = temporaryFolder("sar");
    renderAll(folder, {});
    expect(readdirSync(folder).sort()).toEqual([
      ...["LICENSE", "README.md", "aws-setup.yaml"],
      ...["template-amd64.yaml", "template-arm64.yaml", "template.yaml"],
    ]);
    for (const name of readdirSync(folder)) {
      expect(readFileSync(join(folder, name), "utf8")).not.toMatch(/@[A-Z][A-Z0-9_]*@/);
    }
    expect(readFileSync(join(folder, "template-arm64.yaml"), "utf8")).toContain(
      `ContentUri: "../lambda-shell-runtime-arm64-${VERSION}.zip"`,
    );
  });

  test("refuses a placeholder that nothing is known for", () => {
    expect(() => render("Name: @NOTHING@", new Map())).toThrow("failed to render @NOTHING@");
  });
});

describe("releaseNotes()", () => {
  test("has the changes of the version and a row for each file", () => {
    const changelog = "# Changelog\n\n## Unreleased\n\n- new\n\n## 1.0.0\n\n- old\n";
    expect(changesOf(changelog, "1.0.0")).toBe("- old");
    expect(changesOf(changelog, "2.0.0")).toBe("- new");
    const parts = [{ name: "jq", version: "1.8.2", source: "jq's release" }];
    const notes = releaseNotes("- new", [{ name: "a.zip", bytes: 1, sha256: "ab" }], parts);
    expect(notes).toContain("| a.zip | 1 | `ab` |");
    expect(notes).toContain("`INPUTS=inputs.json make dist`, compare");
    expect(notes).toContain("- jq 1.8.2: jq's release\n");
  });

  test("refuses sources that others cannot have", () => {
    const taken = { awsCli: { kind: "debian" }, jq: { kind: "source" } };
    expect(() => checkInputs({ amd64: taken, arm64: taken })).not.toThrow();
    expect(() => checkInputs({ amd64: taken, arm64: { ...taken, jq: { kind: "file" } } })).toThrow(
      "JQ of arm64 is a file of your own",
    );
    expect(() => checkInputs({ amd64: taken })).toThrow("AWS_CLI of arm64 is");
  });

  test("is about files that lie side by side, so that sha256sum finds what was downloaded", () => {
    for (const name of artefactNames("arm64")) expect(basename(name)).toBe(name);
  });

  test("make release builds from the same sources for everybody, and tests what it built", () => {
    // Without the flags of the make that may run this test; a dry run only prints the recipes.
    const { stdout } = Bun.spawnSync(
      ["make", "-C", ROOT, "--dry-run", "--always-make", "release"],
      {
        env: {
          PATH: process.env["PATH"] ?? "",
          AWS_CLI: "auto",
          JQ: "auto",
          CHECK_RELEASE_STRICT: "0",
        },
      },
    );
    expect(stdout.toString()).toMatch(/bun test .*build\/layer\/layer\.slow\.ts/);
    const makefile = join(temporaryFolder("make"), "Makefile");
    const recipe = `include ${join(ROOT, "build/deployments/targets.mk")}\nrelease: shown\nroot:\n`;
    writeFileSync(makefile, `${recipe}shown:\n\t@echo "$$AWS_CLI $$JQ"\n\t@exit 1\n`);
    const shown = Bun.spawnSync(["make", "-f", makefile, "release"], {
      cwd: ROOT,
      env: {
        PATH: process.env["PATH"] ?? "",
        AWS_CLI: "auto",
        JQ: "auto",
        CHECK_RELEASE_STRICT: "0",
      },
    });
    expect(shown.stdout.toString()).toContain("debian source");
  });
});

describe("commonSources()", () => {
  /** A layer's zip with nothing but its manifest. */
  async function layer(architecture: string, version: string): Promise<string> {
    const folder = temporaryFolder("layer");
    const part = (name: string) => ({
      name,
      version,
      source: `Debian, ${name} for ${architecture}`,
    });
    await Bun.write(
      join(folder, "share/lambda-shell-runtime/manifest.json"),
      JSON.stringify({ parts: [part("awscli"), part("jq")] }),
    );
    await run(["zip", "-qr", "layer.zip", "share"], { cwd: folder });
    return join(folder, "layer.zip");
  }

  test("says once what both architectures have", async () => {
    const zips = [await layer("amd64", "1"), await layer("arm64", "1")];
    expect((await commonSources(zips)).map(({ source }) => source)).toEqual([
      "Debian, awscli for ARCH",
      "Debian, jq for ARCH",
    ]);
  });

  test("refuses layers that differ in more than the architecture", async () => {
    const zips = [await layer("amd64", "1"), await layer("arm64", "2")];
    await expect(commonSources(zips)).rejects.toThrow("build both with the same AWS_CLI and JQ");
  });
});

describe("check-release.sh", () => {
  /** A repository of one commit, with a tag on it or one commit behind it. */
  async function repository(tag?: "here" | "behind"): Promise<string> {
    const folder = temporaryFolder("repository");
    writeFileSync(join(folder, "package.json"), '{\n  "version": "1.2.3",\n  "name": "x"\n}\n');
    cpSync(join(import.meta.dir, "check-release.sh"), join(folder, "check-release.sh"));
    const git = (...words: string[]) =>
      run(["git", "-c", "user.name=x", "-c", "user.email=x@example.com", ...words], {
        cwd: folder,
      });
    await git("init", "--quiet");
    await git("add", "package.json");
    await git("commit", "--quiet", "--message", "x");
    if (tag !== undefined) await git("tag", "v1.2.3");
    if (tag === "behind") await git("commit", "--quiet", "--allow-empty", "--message", "y");
    return folder;
  }

  const check = (cwd: string, env: Readonly<Record<string, string>> = {}, status = 0) =>
    run(["sh", "./check-release.sh"], { cwd, env: { GITHUB_OUTPUT: "", ...env }, status });

  test("says that a version without a tag is due", async () => {
    const { stdout } = await check(await repository());
    expect(stdout).toBe("release_needed=true\nrelease_version=1.2.3\n");
  });

  test("says so for the tag's own commit, which is what the tag's workflow runs on", async () => {
    expect((await check(await repository("here"))).stdout).toContain("release_needed=true");
  });

  test("fails for a version that is released, unless it is not strict", async () => {
    const folder = await repository("behind");
    const { stdout, stderr } = await check(folder, {}, 2);
    expect(stderr).toBe("Tag v1.2.3 already exists; skipping release.\n");
    expect(stdout).toContain("release_needed=false");
    await check(folder, { CHECK_RELEASE_STRICT: "0" });
  });

  test("says nothing of a clone that git does not read", async () => {
    const folder = await repository("behind");
    rmSync(join(folder, ".git/HEAD"));
    const { stdout, stderr } = await check(folder, {}, 128);
    expect(stdout).toBe("");
    expect(stderr).toStartWith("fatal: not a git repository");
  });

  test("takes another version from RELEASE_VERSION and writes to GITHUB_OUTPUT", async () => {
    const folder = await repository("behind");
    const output = join(folder, "output");
    await check(folder, { RELEASE_VERSION: "2.0.0", GITHUB_OUTPUT: output });
    expect(readFileSync(output, "utf8")).toBe("release_needed=true\nrelease_version=2.0.0\n");
  });
});

test("the tool, which prints its version, is compiled again for another one", () => {
  // Without the flags of the make that may run this test.
  const environment = { env: { PATH: process.env["PATH"] ?? "" } };
  const { stdout } = Bun.spawnSync(["make", "-C", ROOT, "-pn", "help"], environment);
  const [rule = ""] = /^dist\/lambda-shell-linux-%:.*$/m.exec(stdout.toString()) ?? [];
  expect(rule.split(" ")).toContain("package.json");
});

test("make dist leaves the zips of this version alone in its folder", async () => {
  const folder = join(temporaryFolder("dist"), "a folder");
  mkdirSync(folder);
  const kept = [
    ...[`bootstrap-arm64-${VERSION}.zip`, "hello-arm64.zip", "lambda-shell-linux-arm64"],
    ...[`lambda-shell-runtime-slim-arm64-${VERSION}.zip`, "node-v16.14.2-layer-amd64.zip"],
  ];
  const removed = ["bootstrap-arm64-0.0.9.zip", "lambda-shell-runtime-slim-arm64-0.0.9.zip"];
  for (const name of [...kept, ...removed]) writeFileSync(join(folder, name), "");
  await run(["make", "-C", ROOT, "remove-old-zips", `DIST=${folder}`], { env: { MAKEFLAGS: "" } });
  expect(readdirSync(folder).sort()).toEqual(kept.sort());
});

test("layer/sam/layer/Makefile works in a path with a space", async () => {
  const root = join(temporaryFolder("sam"), "a  path", "with space");
  const layer = join(root, "layer/sam/layer");
  mkdirSync(layer, { recursive: true });
  mkdirSync(join(root, "dist"));
  for (const name of ["package.json", "layer/sam/layer/Makefile"]) {
    cpSync(join(ROOT, name), join(root, name));
  }
  const zip = `lambda-shell-runtime-slim-arm64-${VERSION}.zip`;
  await run(["zip", "-q", join(root, "dist", zip), "package.json"], { cwd: root });
  const artifacts = join(root, "artifacts of it");
  // As SAM calls it: in a copy of the folder, with the Makefile by its path.
  const make = ["make", "--makefile", join(layer, "Makefile"), "build-ShellRuntimeArm64"];
  const env = { ARTIFACTS_DIR: artifacts, FLAVOR: "-slim", MAKEFLAGS: "" };
  const withoutDist = { ...env, LAYER_DIST: join(root, "no where") };
  await run(make, { cwd: temporaryFolder("copy"), env });
  expect(readdirSync(artifacts)).toEqual(["package.json"]);
  const { stderr } = await run(make, { cwd: layer, env: withoutDist, status: 2 });
  expect(stderr).toContain(`failed to find ${join(root, "no where", zip)}`);
});

test("the figures in README.md are those of the results that it names", async () => {
  const text = await Bun.file(join(ROOT, "README.md")).text();
  const runtime = quotedResults(text, "runtime");
  const loops = quotedResults(text, "loops");
  expect([runtime, loops]).not.toContain(undefined);
  expect(withFigures(text, runtime ?? "")).toBe(text);
  expect(withLoops(text, loops ?? "")).toBe(text);
  // Each must stand in the text, or the comparison proves nothing.
  for (const name of ["gkrizek", "ql4b"]) {
    for (const measure of ["start to first response", "warm event, 50 B", "programs"]) {
      expect(text).toContain(`<!-- loop ${measure} / ${name} -->`);
    }
  }
});

test("a figure of README.md that was not measured, or that somebody has changed, is found", () => {
  const [file = ""] = readdirSync(join(ROOT, "build/bench/results")).filter((name) =>
    name.endsWith("-runtime.json"),
  );
  const wrong = "<!-- figure warm event, 50 B / curl loop -->0.001<!-- / -->";
  expect(withFigures(wrong, file)).toMatch(/--> *[\d.]+<!-- \/ -->$/);
  expect(withFigures(wrong, file)).not.toBe(wrong);
  expect(() => withFigures("<!-- figure warm event, 1 B / curl loop -->1<!-- / -->", file)).toThrow(
    'failed to find "warm event, 1 B" of "curl loop" in the results',
  );
});

test("the diagrams are what their sources give", async () => {
  for (const { file, svg } of await drawDiagrams()) {
    expect(`${file.slice(ROOT.length)} ${(await Bun.file(file).text()) === svg}`).toBe(
      `${file.slice(ROOT.length)} true`,
    );
  }
});

test("the diagrams have a background of their own, so that dark pages show them too", async () => {
  for (const { svg } of await drawDiagrams()) {
    expect(svg).toMatch(/<polygon fill="white" stroke="none"/);
  }
});

test.each([
  ["terraform.tfstate", true],
  ["layer/terraform/example/terraform.tfstate.backup", true],
  ["layer/terraform/example/.terraform/providers/x", true],
  ["layer/terraform/example/.terraform.lock.hcl", true],
  ["layer/runtime/terraform/secret.tfvars", true],
  ["samconfig.toml", true],
  ["layer/sam/samconfig.toml", true],
  ["hello.zip", true],
  ["layer/sam/.aws-sam/build/x", true],
  [".env", true],
  ["fixtures/functions/hello/.env.local", true],
  ["response.json", true],
  ["layer/sam/response.json", true],
  ["out.json", true],
  ["event.json", true],
  ["greeter/function.sh", true],
  ["fixtures/functions/hello/events/lambda.json", false],
  ["layer/terraform/main.tf", false],
  ["layer/cdk/cdk.json", false],
])("git ignores %s: %p", (path, ignored) => {
  const { exitCode } = Bun.spawnSync(["git", "check-ignore", "--quiet", "--no-index", path], {
    cwd: ROOT,
  });
  expect(exitCode === 0).toBe(ignored);
});

test("nothing that is ignored is in the repository", () => {
  const { stdout, stderr } = Bun.spawnSync(
    ["git", "ls-files", "--cached", "--ignored", "--exclude-standard"],
    { cwd: ROOT },
  );
  expect([stdout.toString(), stderr.toString()]).toEqual(["", ""]);
});
