/**
 * jq's own test suites with the jq of the finished layer, beside Debian's jq, which is dynamic and uses
 * glibc; and dates, in which musl and glibc differ, one by one. Needs the zips of `make dist`, root and,
 * for arm64, qemu-user-static.
 */

import { beforeAll, describe, expect, test } from "bun:test";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";

import { temporaryFolder } from "../../src/testing/temporary-folder.ts";
import {
  type Architecture,
  architecture,
  ARCHITECTURES,
  HOST_ARCHITECTURE,
} from "../architectures.ts";
import { outcomeOf, run } from "./command.ts";
import { cached, DebianArchive } from "./debian.ts";
import { unpackJqRelease } from "./jq-from-source.ts";
import { SOURCES } from "./sources.ts";
import { emulatorFor, layerZip } from "./testing/finished-layer.ts";

const HOST = HOST_ARCHITECTURE ?? architecture("amd64");

/** Time for the largest suite, emulated, on a loaded machine. */
const SUITE_MS = 600_000;

const EMULATED = join(import.meta.dir, "testing/emulated.sh");

/** Variables of the suites: no valgrind, no settings of the user's. */
const ENVIRONMENT = { PATH: "/usr/bin:/bin", HOME: "/nonexistent", TZ: "UTC", LC_ALL: "C" };

interface Outcome {
  readonly status: number;
  /** Lines that count tests. */
  readonly counts: readonly string[];
  readonly output: string;
}

/** A copy of jq's release whose `jq` is the one to test. */
const sources = new Map<string, string>();
let names: readonly string[] = [];

beforeAll(async () => {
  const release = temporaryFolder("jq-release");
  await unpackJqRelease(release);
  const makefile = readFileSync(join(release, "Makefile.am"), "utf8");
  // Some suites stand in conditions of their own: those of Oniguruma, which is built in.
  names = [...makefile.matchAll(/^TESTS \+?= (.*)$/gm)].flatMap(([, list = ""]) => list.split(" "));
  for (const target of ARCHITECTURES) {
    const folder = temporaryFolder(`jq-${target.name}`);
    await run(["cp", "-R", `${release}/.`, folder]);
    await run([
      "unzip",
      "-q",
      "-o",
      layerZip("lambda-shell-runtime-slim", target),
      "bin/jq",
      "-d",
      folder,
    ]);
    copyFileSync(join(folder, "bin/jq"), join(folder, "jq"));
    sources.set(target.name, folder);
  }
  const folder = temporaryFolder("jq-debian");
  await run(["cp", "-R", `${release}/.`, folder]);
  await placeDebiansJq(folder);
  sources.set("debian", folder);
});

test("the layer's jq is the version whose suites run here, and so is Debian's", async () => {
  for (const folder of [...sources.values()]) {
    if (folder === sources.get("arm64") && HOST.name !== "arm64") continue;
    expect(await run([join(folder, "jq"), "--version"])).toBe(`jq-${SOURCES.jq.version}\n`);
  }
});

describe.each(ARCHITECTURES.map((target) => [target.name, target] as const))("%s", (_, target) => {
  test(
    "passes every suite of its release, with as many tests as Debian's jq",
    async () => {
      expect(names.length).toBe(9);
      for (const name of names) {
        const own = await runSuite(name, sources.get(target.name) ?? "", target);
        const reference = await runSuite(name, sources.get("debian") ?? "", HOST);
        expect({ name, ...own, output: own.status === 0 ? "" : own.output }).toEqual({
          name,
          status: 0,
          counts: reference.counts,
          output: "",
        });
        expect(reference.status).toBe(0);
      }
    },
    SUITE_MS,
  );
});

/** Programs about dates, each of which gives a list of results. */
const DATES: readonly string[] = [
  ...[
    "%Y-%m-%dT%H:%M:%SZ",
    "%Y-%m-%d",
    "%d %b %Y",
    "%D",
    "%s",
    "%H:%M",
    "%A",
    "%j",
    "%e",
    "%C",
    "%y",
  ].map(
    (format) =>
      `"${format}" as $f | [0, 951782400, 1715328000.5, 4102444800, -1] | map(strftime($f) as $t | [$t, (try ($t | strptime($f) | [., mktime]) catch "refused")])`,
  ),
  ...[
    ["%a, %d %b %Y %H:%M:%S %Z", "Fri, 10 May 2024 08:00:00 GMT"],
    ["%d/%b/%Y:%H:%M:%S %z", "10/May/2024:08:00:00 +0000"],
    ["%d/%b/%Y:%H:%M:%S %z", "10/May/2024:08:00:00 -0730"],
    ["%Y-%m-%dT%H:%M:%S%z", "2024-05-10T08:00:00Z"],
    ["%Y-%m-%dT%H:%M:%S%z", "2024-05-10T08:00:00+02:00"],
    ["%s", "1715328000"],
    ["%D", "05/10/24"],
    ["%D", "13/10/24"],
    ["%F", "2024-02-29"],
    ["%Y-%m-%d", "2023-02-29"],
    ["%Y-%m-%d", "2024-13-01"],
    ["%Y-%m-%d", " 2024-05-10"],
    ["%Y-%m-%d", "2024-05-10 "],
    ["%Y-%m-%d", "2024-5-1"],
    ["%T", "08:09:10"],
    ["%R", "08:09"],
    ["%I:%M:%S %p", "08:09:10 PM"],
    ["%r", "12:09:10 AM"],
    ["%B %d %Y", "december 31 1999"],
    ["%b %e %Y", "Dec  1 1999"],
    ["%Y %j", "2024 366"],
    ["%y", "69"],
    ["%y", "68"],
    ["%n%t%%%Y", " \\t%2024"],
    ["%z", "x"],
    ["%Z", "CEST"],
    ["%H:%M:%S %Z", "08:00:00 Europe/Paris"],
    ["%c", "Fri May 10 08:00:00 2024"],
    ["%x %X", "05/10/24 08:00:00"],
    ["%u %Y-%m-%d", "5 2024-05-10"],
    ["%H", "24"],
    ["%S", "61"],
  ].map(
    ([format, text]) =>
      `"${text}" | try [strptime("${format}"), (strptime("${format}") | mktime)] catch "refused"`,
  ),
  '[0, 1715328000] | map([strftime("%Z %z"), strflocaltime("%H:%M %Z %z"), gmtime, localtime, todate])',
  '["2024-05-10T08:00:00Z", "2024-02-30T00:00:00Z", "x"] | map(try fromdate catch "refused")',
  '[2024, 4, 10, 8, 0, 0, 0, 0] | [mktime, strftime("%A %j"), strflocaltime("%c")]',
  '[1e12, -1e12] | map(try strftime("%Y") catch "refused")',
];

/** What is not as with glibc, and why that is so. */
const DATE_DIFFERENCES: readonly { readonly program: string; readonly reason: string }[] = [
  {
    program: DATES.find((program) => program.includes('strftime("%Z %z")')) ?? "",
    reason: "musl calls the zone of gmtime UTC, glibc GMT",
  },
  {
    program: DATES.find((program) => program.includes("1e12")) ?? "",
    reason: "musl writes a sign before a year of five digits, as POSIX says",
  },
  {
    program: DATES.find((program) => program.startsWith('"%s"')) ?? "",
    reason: "musl's %s is the time itself; glibc's takes the fields of UTC for local time",
  },
];

test.each(["UTC", "Europe/Berlin", "America/New_York"])(
  "dates are as with glibc, in the time zone %s",
  async (TZ) => {
    const env = { ...ENVIRONMENT, TZ };
    const differing: string[] = [];
    for (const program of DATES) {
      const [own, reference] = await Promise.all(
        [HOST.name, "debian"].map((name) => {
          const jq = join(sources.get(name) ?? "", "jq");
          const child = Bun.spawn([jq, "-nc", program], { env, stdout: "pipe", stderr: "pipe" });
          return new Response(child.stdout).text();
        }),
      );
      expect(reference).not.toBe("");
      if (own === reference) continue;
      differing.push(program);
      const known = DATE_DIFFERENCES.some((difference) => difference.program === program);
      expect({ program, own: known ? reference : own }).toEqual({ program, own: reference ?? "" });
    }
    // An explanation of what is not different any more goes.
    const here = DATE_DIFFERENCES.filter(
      ({ program }) => TZ !== "UTC" || !program.startsWith('"%s"'),
    );
    expect(differing.toSorted()).toEqual(here.map(({ program }) => program).toSorted());
  },
  SUITE_MS,
);

async function runSuite(name: string, folder: string, target: Architecture): Promise<Outcome> {
  const child = Bun.spawn(["/bin/sh", EMULATED, emulatorFor(target), "/bin/sh", name], {
    cwd: folder,
    env: { ...ENVIRONMENT, JQ: join(folder, "jq"), TMPDIR: folder },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const { output, errors, status } = await outcomeOf(child);
  const counts = [...output.matchAll(/^\d+ of \d+ tests passed.*$/gm)].map(([line]) => line);
  return { status, counts, output: `${output}\n${errors}`.split("\n").slice(-40).join("\n") };
}

/** Puts Debian's jq with its libraries into a folder, and a `jq` that starts it. */
async function placeDebiansJq(folder: string): Promise<void> {
  const archive = new DebianArchive(HOST.name, { base: SOURCES.debian.suites.base });
  const root = join(folder, "debian-root");
  mkdirSync(root);
  for (const { sha256 } of await archive.take(["jq"])) {
    await run(["dpkg-deb", "--extract", cached(sha256), root]);
  }
  const libraries = join(root, "usr/lib", `${HOST.machine}-linux-gnu`);
  const loader = readdirSync(libraries).find((name) => /^ld-linux.*\.so\.\d$/.test(name)) ?? "";
  if (!existsSync(join(libraries, loader))) throw new Error("failed to find Debian's loader");
  const start = `exec "${join(libraries, loader)}" --library-path "${libraries}" "${join(root, "usr/bin/jq")}" "$@"`;
  writeFileSync(join(folder, "jq"), `#!/bin/sh\n${start}\n`, { mode: 0o755 });
}
