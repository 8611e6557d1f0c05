/**
 * The AWS CLI of the finished layer beside the untouched one: every module is imported, and the CLI's
 * own unit and functional tests run, with either tree. What differs must stand, with its reason, in
 * layer/aws-cli/differences.json, and what stands there must differ.
 *
 * Needs the zips of `make dist`. The tests come from the source package of the very version that the
 * layer has; AWS_CLI_SOURCE names its unpacked folder where the archive does not give it.
 */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";

import { z } from "zod";

import { temporaryFolder } from "../../src/testing/temporary-folder.ts";
import { architecture, HOST_ARCHITECTURE } from "../architectures.ts";
import { pythonOf, stagedPython } from "./aws-cli-debian.ts";
import { buildEnvironment, run } from "./command.ts";
import { DebianArchive } from "./debian.ts";
import { LAYER, ROOT } from "./paths.ts";
import { parseFile, SOURCES } from "./sources.ts";
import { FinishedLayer } from "./testing/finished-layer.ts";
import { builtInput, untouchedTree } from "./testing/untouched-aws-cli.ts";

const HOST = HOST_ARCHITECTURE ?? architecture("amd64");

/** Time for one suite of the CLI on a loaded machine. */
const SUITE_MS = 3_600_000;

const TESTING = join(import.meta.dir, "testing");

/**
 * What the test program, not the CLI, needs of the files that the layer leaves out. They are added to a
 * copy of the layer.
 */
const ADDED_FOR_TESTS = ["unittest", "pdb.py", "_pyrepl", "site-packages/awscli/testutils.py"];

/** Takes the lock, says so in a line, and keeps it until standard input ends. */
const HOLD_LOCK = `
import sys
sys.path.append(sys.argv[1])
from awscrt.s3 import CrossProcessLock
lock = CrossProcessLock('aws-cli')
lock.acquire()
print('locked', flush=True)
sys.stdin.read()
`;

const differenceSchema = z.strictObject({ names: z.array(z.string()), reason: z.string() });

const DIFFERENCES = parseFile(
  join(LAYER, "aws-cli/differences.json"),
  z.strictObject({
    comment: z.string(),
    modules: z.array(differenceSchema),
    tests: z.array(differenceSchema),
  }),
);

type Outcomes = Record<string, string>;

let untouched: string;
let layer: string;

beforeAll(async () => {
  untouched = await untouchedTree(HOST);
  layer = (await FinishedLayer.unzip(HOST)).opt;
});

test("every module that the untouched tree can import is there, but for those that are explained", async () => {
  const [before, after] = await Promise.all([
    importModules(untouched),
    importModules(layer, [join(layer, "aws-cli")]),
  ]);
  expect(Object.keys(before).length).toBeGreaterThan(800);
  expectExplained(before, after, DIFFERENCES.modules, (outcome) => outcome === "");
});

describe("the CLI's own tests", () => {
  let source: string;
  let support: string;
  let tested: string;

  /** Holds the lock by which one process of a machine gets another client of S3, which tests cannot stand for. */
  let lockHolder: Bun.Subprocess<"pipe", "pipe", "inherit">;

  beforeAll(async () => {
    lockHolder = Bun.spawn([...stagedPython(untouched, HOST), "-c", HOLD_LOCK, sitePackages()], {
      stdin: "pipe",
      stdout: "pipe",
      stderr: "inherit",
    });
    const { value } = await lockHolder.stdout.getReader().read();
    expect(new TextDecoder().decode(value)).toBe("locked\n");
    source = await sourceOfTests();
    support = await testSupport();
    tested = temporaryFolder("tested");
    cpSync(join(layer, "aws-cli"), join(tested, "aws-cli"), { recursive: true });
    const python = join("aws-cli/lib", pythonOf(untouched));
    for (const path of ADDED_FOR_TESTS) {
      cpSync(join(untouched, python, path), join(tested, python, path), { recursive: true });
    }
  });

  afterAll(() => lockHolder.kill());

  const sitePackages = () => join(untouched, "aws-cli/lib", pythonOf(untouched), "site-packages");

  test.each(["unit", "functional"])(
    "the %s tests end as with the untouched tree, but for those that are explained",
    async (suite) => {
      const runBoth = (tests: readonly string[]) =>
        Promise.all([
          runTests(untouched, tests, ""),
          runTests(tested, tests, join(tested, "aws-cli")),
        ]);
      const [before, after] = await runBoth([`tests/${suite}`]);
      const passed = Object.values(before).filter((outcome) => outcome === "passed");
      expect(passed.length).toBeGreaterThan(1_000);
      const differences = DIFFERENCES.tests.filter(({ names }) =>
        names[0]?.startsWith(`tests/${suite}/`),
      );
      const isGood = (outcome: string) => outcome !== "failed";
      // Some of the CLI's tests fail now and then, with any tree: what differs is tried once more.
      const surprises = unexplained(worse(before, after, isGood), differences);
      if (surprises.length > 0) {
        console.log(`try again, alone: ${surprises.join(", ")}`);
        const [beforeAlone, afterAlone] = await runBoth(surprises);
        Object.assign(before, beforeAlone);
        Object.assign(after, afterAlone);
      }
      expectExplained(before, after, differences, isGood);
    },
    SUITE_MS,
  );

  /**
   * Runs tests with one tree and returns how each of them ended.
   * @param tests Folders, files or single tests, as pytest names them.
   * @param awsPyFolder The folder of the layer's aws.py; empty for the untouched tree.
   */
  async function runTests(
    tree: string,
    tests: readonly string[],
    awsPyFolder: string,
  ): Promise<Outcomes> {
    const folder = temporaryFolder("tests-of-cli");
    const output = join(folder, "outcomes.json");
    const command = stagedPython(tree, HOST).filter((flag) => flag !== "-I");
    const child = Bun.spawn(
      [
        ...[...command, join(TESTING, "run-cli-tests.py"), support, source, output],
        ...[awsPyFolder, ...tests],
      ],
      {
        env: { ...environmentOfTests(), HOME: folder, TMPDIR: folder },
        stdin: "ignore",
        stdout: "pipe",
        stderr: "inherit",
      },
    );
    const text = await new Response(child.stdout).text();
    await child.exited;
    if (!existsSync(output))
      throw new Error(`failed to run the tests of the CLI:\n${text.slice(-4_000)}`);
    return JSON.parse(readFileSync(output, "utf8")) as Outcomes;
  }
});

/**
 * Checks that exactly those fail in the layer, of what is good in the untouched tree, that are explained.
 */
function expectExplained(
  before: Outcomes,
  after: Outcomes,
  differences: readonly z.infer<typeof differenceSchema>[],
  isGood: (outcome: string) => boolean,
): void {
  const names = worse(before, after, isGood);
  expect(unexplained(names, differences)).toEqual([]);
  const idle = differences
    .flatMap((difference) => difference.names)
    .filter((pattern) => !names.some((name) => new Bun.Glob(pattern).match(name)));
  expect(idle).toEqual([]);
}

/** The names of what is good in the untouched tree but not in the layer. */
function worse(before: Outcomes, after: Outcomes, isGood: (outcome: string) => boolean): string[] {
  return Object.entries(before)
    .filter(([name, outcome]) => isGood(outcome) && !isGood(after[name] ?? "failed"))
    .map(([name]) => name);
}

function unexplained(
  names: readonly string[],
  differences: readonly z.infer<typeof differenceSchema>[],
): string[] {
  const patterns = differences.flatMap((difference) =>
    difference.names.map((name) => new Bun.Glob(name)),
  );
  return names.filter((name) => !patterns.some((pattern) => pattern.match(name)));
}

async function importModules(tree: string, words: readonly string[] = []): Promise<Outcomes> {
  const script = join(TESTING, "import-modules.py");
  const output = await run([...stagedPython(tree, HOST), script, ...words], {
    cwd: "/",
    env: { HOME: "/nonexistent" },
  });
  return JSON.parse(output) as Outcomes;
}

/** Without the user's settings of AWS: the tests bring their own. */
function environmentOfTests(): Record<string, string> {
  return Object.fromEntries(
    Object.entries(buildEnvironment()).filter(([name]) => !/^(AWS_|.*_PROXY$)/i.test(name)),
  );
}

/** The unpacked source package of the CLI that the layer has. */
async function sourceOfTests(): Promise<string> {
  const given = process.env["AWS_CLI_SOURCE"];
  if (given) {
    const folder = resolve(ROOT, given);
    if (existsSync(join(folder, "tests/unit"))) return folder;
    throw new Error(`failed to find tests/unit in AWS_CLI_SOURCE=${given}`);
  }
  const { name, version } = await cliPackage();
  const { base, newer } = SOURCES.debian.suites;
  // Sources are read of both suites: the CLI may be of either.
  const archive = new DebianArchive(HOST.name, {
    base,
    sources: true,
    ...(newer === undefined ? {} : { newer }),
  });
  const { files } = await archive.sourcePackage(name, version).catch((error: Error) => {
    throw new Error(`${error.message}; AWS_CLI_SOURCE=FOLDER names an unpacked source of the CLI`, {
      cause: error,
    });
  });
  const tarball = files.find((file) => file.name.includes(".orig.tar."));
  if (tarball === undefined) throw new Error(`failed to find the source of ${name} ${version}`);
  const folder = temporaryFolder("cli-source");
  await run(["tar", "-xf", tarball.path, "--strip-components=1", "-C", folder]);
  return folder;
}

async function cliPackage(): Promise<{ readonly name: string; readonly version: string }> {
  const { packages } = await builtInput(HOST);
  const cli = packages.find(({ name }) => name === SOURCES.awsCli.debian.package);
  if (cli === undefined) throw new Error("failed to find the AWS CLI among the layer's packages");
  return { name: cli.source, version: cli.version };
}

/** A folder with the test program and what it needs, of the pinned versions. */
async function testSupport(): Promise<string> {
  const folder = temporaryFolder("test-support");
  const wheels = join(folder, "wheels");
  await run([
    ...["python3", "-I", "-m", "pip", "download", "--quiet", "--disable-pip-version-check"],
    ...["--no-deps", "--require-hashes", "--only-binary=:all:", "--python-version", "3.14"],
    ...["--implementation", "py", "--abi", "none", "--platform", "any", "--dest", wheels],
    ...["-r", join(TESTING, "cli-tests-requirements.txt")],
  ]);
  const modules = join(folder, "modules");
  mkdirSync(modules);
  for (const name of readdirSync(wheels)) {
    await run(["python3", "-I", "-m", "zipfile", "-e", join(wheels, name), modules]);
  }
  return modules;
}
