/**
 * The workflows go the same ways as everybody: one list of programs, root where the tests need it,
 * and nothing that somebody else could exchange.
 *
 * @module
 */

import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { ROOT } from "../layer-dist.ts";
import { run } from "../run.ts";

const FOLDER = join(ROOT, ".github/workflows");
const LIMIT_MS = 120_000;

interface Job {
  readonly if?: string;
  readonly permissions?: Readonly<Record<string, string>>;
  readonly steps: readonly { readonly run?: string; readonly uses?: string }[];
}

const workflows = readdirSync(FOLDER).map((name) => ({
  name,
  jobs: (
    Bun.YAML.parse(readFileSync(join(FOLDER, name), "utf8")) as {
      readonly jobs: Readonly<Record<string, Job>>;
    }
  ).jobs,
}));

const jobs = workflows.flatMap((workflow) =>
  Object.entries(workflow.jobs).map(([name, job]) => [`${workflow.name} ${name}`, job] as const),
);

/** The lines of a job in which make is called. */
const makeLines = (job: Job) =>
  job.steps.flatMap(({ run: script = "" }) =>
    script.split("\n").filter((line) => /(^|\s)make\s/.test(line)),
  );

describe.each(jobs)("%s", (_, job) => {
  test("installs the programs by the one list, before anything else is made", () => {
    const scripts = job.steps.map(({ run: script = "" }) => script).join("\n");
    expect(scripts).not.toMatch(/apt(-get)? /);
    const [first] = makeLines(job);
    if (first !== undefined) expect(first).toBe("sudo make system-packages");
  });

  test("runs make as root with the PATH of Node.js, for that is what the tests need", () => {
    for (const line of makeLines(job).slice(1)) expect(line).toStartWith('sudo env PATH="$PATH" ');
  });

  test("pins every action by its commit", () => {
    for (const { uses } of job.steps) if (uses) expect(uses).toMatch(/@[0-9a-f]{40}$/);
  });

  test("builds nothing where it may write to the repository", () => {
    if (job.permissions?.["contents"] === "write") expect(makeLines(job)).toEqual([]);
  });
});

test("a fork without a mirror of Debian is green: only jobs that ask for one build from it", () => {
  const build = workflows.find(({ name }) => name === "ci.yml");
  const users = Object.entries(build?.jobs ?? {}).filter(([, { steps }]) =>
    steps.some(({ run: script = "" }) => script.includes("vars.DEBIAN_MIRROR")),
  );
  expect(users.map(([name, job]) => `${name} ${job.if}`)).toEqual([
    "layer vars.DEBIAN_MIRROR != ''",
    "deployments vars.DEBIAN_MIRROR != ''",
  ]);
});

/** The COMMAND=PACKAGE words that targets of make look for. */
async function programs(targets: readonly string[]): Promise<readonly string[]> {
  // Without the flags of the make that may run this test; a dry run only prints the recipes.
  const { stdout } = await run(["make", "-C", ROOT, "--dry-run", "--always-make", ...targets], {
    env: { MAKEFLAGS: "", MAKELEVEL: "", CHECK_RELEASE_STRICT: "0" },
  });
  const calls = stdout.replaceAll("\\\n", " ").match(/^build\/system-packages\.sh .*$/gm) ?? [];
  return calls.flatMap((call) => call.split(/\s+/).slice(1)).filter((word) => word !== "");
}

test.each([
  ...["lint", "quick", "test", "fuzz", "dist", "smoke-layer", "test-layer", "test-aws-cli", "pins"],
  ...["deployments", "reproduce", "release", "bench", "bench-small"],
])(
  "make system-packages has all that make %s looks for",
  async (target) => {
    const all = await programs(["system-packages"]);
    const needed = await programs([target]);
    expect(needed).not.toEqual([]);
    expect(needed.filter((program) => !all.includes(program))).toEqual([]);
  },
  LIMIT_MS,
);
