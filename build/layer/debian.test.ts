/**
 * Debian's archive as time passes, and as mirrors break: against a local archive with packages, index
 * and key of the test.
 */

import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { architecture } from "../architectures.ts";
import { run } from "./command.ts";
import { DebianError, OutOfStepError, UnsolvableError } from "./debian-faults.ts";
import { cached, DebianArchive, type DebianPackage } from "./debian.ts";
import { type DebianInput, fetchRecorded } from "./inputs.ts";
import { CACHE } from "./paths.ts";
import type { DebianSuites } from "./sources.ts";
import { LocalArchive } from "./testing/local-archive.ts";

const SUITES: DebianSuites = {
  base: "testing",
  updates: ["testing-updates"],
  security: ["testing-security"],
  newer: { suite: "unstable", packages: ["program"] },
};

const ALL = ["testing", "testing-updates", "testing-security", "unstable"];

/** apt's private folders; those of the test's archive go at the end. */
const APT = join(CACHE, "apt");

let archive: LocalArchive;

beforeAll(async () => {
  archive = await LocalArchive.start(ALL);
});

afterAll(async () => {
  await archive.stop();
  for (const hash of archive.hashes) rmSync(cached(hash), { force: true });
  for (const folder of new Bun.Glob("{testing,no-such-suite}-*").scanSync({
    cwd: APT,
    onlyFiles: false,
  })) {
    rmSync(join(APT, folder), { recursive: true });
  }
});

beforeEach(async () => {
  archive.faults.clear();
  archive.requests.length = 0;
  for (const suite of ALL)
    for (const name of ["program", "library", "other"]) archive.remove(suite, name);
  await archive.add("testing", { name: "program", version: "1.0-1", depends: "library (>= 1)" });
  await archive.add("testing", { name: "library", version: "1:1.5+b1", architecture: "amd64" });
  await archive.publish();
});

const open = (suites = SUITES) => new DebianArchive("amd64", suites, archive.origin);

/** What a machine that went down, or half a copy, makes of a file in the cache. */
const DAMAGES: readonly (readonly [string, (content: Buffer) => Buffer])[] = [
  ["empty", () => Buffer.alloc(0)],
  ["cut off", (content) => content.subarray(0, content.length - 1)],
  ["full of zeros", (content) => Buffer.alloc(content.length)],
  ["followed by other bytes", (content) => Buffer.concat([content, content])],
];

function damage(packages: readonly DebianPackage[], by: (content: Buffer) => Buffer): void {
  for (const { sha256 } of packages)
    writeFileSync(cached(sha256), by(readFileSync(cached(sha256))));
}

function expectWhole(packages: readonly DebianPackage[]): void {
  for (const { sha256 } of packages) {
    const content = readFileSync(cached(sha256));
    expect(new Bun.CryptoHasher("sha256").update(content).digest("hex")).toBe(sha256);
  }
}

const versions = (packages: readonly DebianPackage[]) =>
  packages.map(({ name, version }) => `${name} ${version}`);

describe("time passes", () => {
  test("the newest versions are taken with what they depend on, and lie in the cache by hash", async () => {
    const packages = await open().take(["program"]);
    expect(versions(packages)).toEqual(["library 1:1.5+b1", "program 1.0-1"]);
    for (const { name, version, sha256, bytes } of packages) {
      const content = readFileSync(cached(sha256));
      expect(content.length).toBe(bytes);
      expect(new Bun.CryptoHasher("sha256").update(content).digest("hex")).toBe(sha256);
      expect(await run(["dpkg-deb", "--field", cached(sha256), "Package", "Version"])).toBe(
        `Package: ${name}\nVersion: ${version}\n`,
      );
    }
  });

  test("a version that the archive has replaced is not an obstacle, not even under a running build", async () => {
    const running = open();
    expect(versions(await running.closure(["program"]))).toContain("library 1:1.5+b1");
    await archive.add("testing", { name: "library", version: "1:1.6", architecture: "amd64" });
    await archive.publish();
    // The index of before names a file that is gone.
    expect(versions(await running.take(["program"]))).toEqual(["library 1:1.6", "program 1.0-1"]);
    expect(versions(await open().take(["program"]))).toEqual(["library 1:1.6", "program 1.0-1"]);
  });

  test.each(["testing-updates", "testing-security"])("what %s has is taken", async (suite) => {
    await archive.add(suite, { name: "library", version: "1:1.5+deb1", architecture: "amd64" });
    await archive.publish();
    const packages = await open().take(["program"]);
    expect(versions(packages)).toContain("library 1:1.5+deb1");
    const { archive: name } = packages.find((taken) => taken.name === "library") ?? {};
    expect(name).toBe(suite === "testing-security" ? "debian-security" : "debian");
  });

  test("a security update that is older than the suite's version is not taken", async () => {
    await archive.add("testing-security", {
      name: "library",
      version: "1:1.4",
      architecture: "amd64",
    });
    await archive.publish();
    expect(versions(await open().take(["program"]))).toContain("library 1:1.5+b1");
  });

  test("the newer suite gives the named packages, and no others", async () => {
    await archive.add("unstable", { name: "program", version: "2.0-1", depends: "library" });
    await archive.add("unstable", { name: "library", version: "1:9", architecture: "amd64" });
    await archive.publish();
    expect(versions(await open().take(["program"]))).toEqual(["library 1:1.5+b1", "program 2.0-1"]);
  });

  test("where the newer suite's package does not fit, the suite's own is taken", async () => {
    await archive.add("unstable", {
      name: "program",
      version: "2.0-1",
      depends: "library (>= 1:7)",
    });
    await archive.publish();
    expect(versions(await open().take(["program"]))).toEqual(["library 1:1.5+b1", "program 1.0-1"]);
  });

  test("a new dependency is taken, and one that is not wanted is left out", async () => {
    await archive.add("testing", { name: "other", version: "3" });
    await archive.add("testing", { name: "program", version: "1.1-1", depends: "library, other" });
    await archive.publish();
    expect(versions(await open().take(["program"]))).toContain("other 3");
    const wanted = (name: string) => name !== "other";
    expect(versions(await open().take(["program"], wanted))).not.toContain("other 3");
  });

  test("the date of the archive is that of its newest suite", async () => {
    const date = await open().date();
    expect(date).toMatch(/^\d{8}T\d{6}Z$/);
    const today = new Date().toISOString().slice(0, 10).replaceAll("-", "");
    const yesterday = new Date(Date.now() - 86_400_000).toISOString().slice(0, 10);
    expect([today, yesterday.replaceAll("-", "")]).toContain(date.slice(0, 8));
  });

  test("an archive that has not changed is not fetched again", async () => {
    await open().take(["program"]);
    archive.requests.length = 0;
    await open().take(["program"]);
    expect(archive.requests.filter((path) => /Packages|\.deb$/.test(path))).toEqual([]);
  });
});

test.each(DAMAGES)("a package in the cache that is %s is fetched again", async (_, by) => {
  const packages = await open().take(["program"]);
  damage(packages, by);
  expect(await open().take(["program"])).toEqual(packages);
  expectWhole(packages);
});

describe("a recorded set", () => {
  const target = architecture("amd64");
  let input: DebianInput;

  beforeEach(async () => {
    const packages = await open().take(["program"]);
    input = { kind: "debian", date: await open().date(), packages };
    archive.keepSnapshot();
    await archive.add("testing", { name: "library", version: "1:1.6", architecture: "amd64" });
    await archive.publish();
    archive.requests.length = 0;
  });

  const places = () => ({ origin: archive.origin, snapshots: archive.snapshots });
  const forget = () => {
    for (const { sha256 } of input.packages) rmSync(cached(sha256));
  };

  test("is taken from the cache without asking anybody", async () => {
    await fetchRecorded(input, target, places());
    expect(archive.requests).toEqual([]);
  });

  test.each(DAMAGES)("of which the cache has one that is %s is fetched again", async (_, by) => {
    damage(input.packages.slice(0, 1), by);
    await fetchRecorded(input, target, places());
    expectWhole(input.packages);
    expect(archive.requests.filter((path) => path.endsWith(".deb")).length).toBeLessThan(3);
  });

  test("is taken from the mirror while it has it, and from the snapshots afterwards", async () => {
    forget();
    await fetchRecorded(input, target, places());
    for (const { sha256 } of input.packages) expect(existsSync(cached(sha256))).toBe(true);
    const fetched = archive.requests.filter((path) => path.endsWith(".deb"));
    expect(fetched.some((path) => path.startsWith("/debian/") && path.includes("program"))).toBe(
      true,
    );
    const snapshot = fetched.find((path) => path.startsWith("/snapshots/debian/"));
    expect(snapshot).toContain("library");
    // A day's snapshots are made some hours after the archive has changed.
    const at = (stamp = "") =>
      Date.parse(stamp.replace(/^(....)(..)(..)T(..)(..)(..)Z/, "$1-$2-$3T$4:$5:$6Z"));
    expect(at(snapshot?.split("/")[3]) - at(input.date)).toBe(12 * 3_600_000);
  });

  test("that is gone everywhere is an error that names what is gone", async () => {
    forget();
    const nowhere = { ...places(), snapshots: `${archive.snapshots}/nowhere` };
    const error = await fetchRecorded(input, target, nowhere).catch((fault: unknown) => fault);
    expect(error).toBeInstanceOf(DebianError);
    const { message } = error as Error;
    expect(message).toContain("library 1:1.5+b1");
    expect(message).not.toContain("program 1.0-1");
    expect(message).not.toContain("\n");
  });

  test("whose file has other bytes now is refused", async () => {
    forget();
    archive.faults.set(".deb", { fault: "other bytes", times: 100 });
    const error = await fetchRecorded(input, target, places()).catch((fault: unknown) => fault);
    expect(error).toBeInstanceOf(DebianError);
    for (const { sha256 } of input.packages) expect(existsSync(cached(sha256))).toBe(false);
  });
});

describe("a mirror that breaks", () => {
  test("a package that is missing altogether is named in one line", async () => {
    archive.remove("testing", "program");
    await archive.publish();
    await expectRefused(
      open().take(["program"]),
      DebianError,
      /the archive has no package program/,
    );
  });

  test("packages that do not fit together are named in one line", async () => {
    await archive.add("testing", { name: "program", version: "1.2", depends: "library (>= 1:8)" });
    await archive.publish();
    await expectRefused(
      open().take(["program"]),
      UnsolvableError,
      /do not fit together today \(program : Depends: library/,
    );
  });

  test.each([
    ["by another key", { signer: "stranger" }],
    ["that is missing", { signer: "nobody" }],
  ])("a signature %s stops the build at once", async (_, options) => {
    await archive.publish(options);
    await expectRefused(open().take(["program"]), DebianError, /signature is not good \(.+\)/);
    expect(archive.requests.filter((path) => path.endsWith(".deb"))).toEqual([]);
  });

  test("an index whose signed text was changed stops the build", async () => {
    archive.faults.set("/InRelease", { fault: "other bytes", times: 100 });
    archive.faults.set("/Release", { fault: "404", times: 100 });
    await expectRefused(
      open().take(["program"]),
      DebianError,
      /signature is not good|signed index/,
    );
  });

  test("an index that has expired says since when, unless the machine's apt takes it too", async () => {
    await archive.publish({ validFor: -86_400_000 });
    const careful = { ...archive.origin, settings: ['Acquire::Check-Valid-Until "true";'] };
    await expectRefused(
      new DebianArchive("amd64", SUITES, careful).take(["program"]),
      DebianError,
      /the mirror has not been brought up to date \(\S+ expired \d.* ago\): take another/,
    );
    const lenient = { ...archive.origin, settings: ['Acquire::Check-Valid-Until "false";'] };
    const packages = await new DebianArchive("amd64", SUITES, lenient).take(["program"]);
    expect(versions(packages)).toContain("program 1.0-1");
  });

  test.each(["truncated", "other bytes"] as const)(
    "an index of packages that is %s is read again, and then refused",
    async (fault) => {
      // A fault that passes does not show.
      archive.faults.set("testing/main/binary-amd64/Packages", { fault, times: 1 });
      expect(versions(await open().take(["program"]))).toContain("program 1.0-1");
      await archive.add("testing", { name: "other", version: "3" });
      await archive.publish();
      archive.faults.set("testing/main/binary-amd64/Packages", { fault, times: 1000 });
      await expectRefused(
        open().take(["program"]),
        OutOfStepError,
        /not those of its signed index/,
      );
    },
  );

  test("a file that the index names and that is 404 is asked for again, and then refused", async () => {
    await archive.add("testing", { name: "library", version: "1:1.7", architecture: "amd64" });
    await archive.publish();
    archive.faults.set("1.7_amd64.deb", { fault: "404", times: 1 });
    expect(versions(await open().take(["program"]))).toContain("library 1:1.7");
    await archive.add("testing", { name: "library", version: "1:1.8", architecture: "amd64" });
    await archive.publish();
    archive.faults.set("1.8_amd64.deb", { fault: "404", times: 1000 });
    await expectRefused(
      open().take(["program"]),
      OutOfStepError,
      /responds with 404 for http:\S+library_1.8_amd64.deb: it is out of step/i,
    );
  });

  test.each(["truncated", "other bytes"] as const)(
    "a package that is %s is refused, and does not stay in the cache",
    async (fault) => {
      const version = `1:1.9${fault.length}`;
      await archive.add("testing", { name: "library", version, architecture: "amd64" });
      await archive.publish();
      archive.faults.set(".deb", { fault, times: 1000 });
      await expectRefused(
        open().take(["program"]),
        OutOfStepError,
        /not those of its signed index/,
      );
      archive.faults.clear();
      expect(versions(await open().take(["program"]))).toContain(`library ${version}`);
    },
  );

  test.each([
    ["403", "/testing/InRelease"],
    ["500", "/testing/InRelease"],
    ["429", "testing/main/binary-amd64/Packages"],
    ["503", ".deb"],
  ] as const)(
    "a mirror that responds with %s for %s is named, with what to do",
    async (fault, end) => {
      // Neither the index nor a package is that of a test before.
      await archive.add("testing", { name: "library", version: "1:3", architecture: "amd64" });
      await archive.publish();
      archive.faults.set(end, { fault, times: 1000 });
      await expectRefused(
        open().take(["program"]),
        DebianError,
        new RegExp(`responds with ${fault} \\w[^;]* for http:\\S+: run .*DEBIAN_MIRROR=URL$`),
      );
    },
  );

  test("a suite that the mirror lacks is named", async () => {
    const suites = { ...SUITES, base: "no-such-suite" };
    await expectRefused(
      open(suites).take(["program"]),
      DebianError,
      /the suite no-such-suite is missing at http:\S+: name a mirror that has it/,
    );
  });

  test("a mirror that cannot be reached is told from one that says no", async () => {
    const origin = { ...archive.origin, debian: "http://127.0.0.1:9/debian" };
    const closed = new DebianArchive("amd64", SUITES, origin);
    await expectRefused(
      closed.take(["program"]),
      DebianError,
      /cannot be reached .*DEBIAN_MIRROR=URL/,
    );
  });

  test("a missing key ring is named with the package that has it", async () => {
    const origin = { ...archive.origin, keyring: "/nowhere/keys.gpg" };
    const closed = new DebianArchive("amd64", SUITES, origin);
    await expectRefused(
      closed.take(["program"]),
      DebianError,
      /failed to find Debian's keys at \/nowhere\/keys.gpg: install/,
    );
  });
});

test("two builds at the same time take the same packages and do not disturb each other", async () => {
  await archive.add("testing", { name: "library", version: "1:2.0", architecture: "amd64" });
  await archive.publish();
  const taken = await Promise.all([open(), open(), open()].map((one) => one.take(["program"])));
  for (const packages of taken) {
    expect(versions(packages)).toEqual(["library 1:2.0", "program 1.0-1"]);
  }
  const fetched = archive.requests.filter((path) => path.includes("library_2.0"));
  expect(fetched.length).toBe(1);
});

async function expectRefused(
  work: Promise<unknown>,
  kind: abstract new (...parts: never[]) => Error,
  message: RegExp,
): Promise<void> {
  const error = await work.catch((fault: unknown) => fault);
  expect(error).toBeInstanceOf(kind);
  const text = (error as Error).message;
  expect(text).toMatch(message);
  expect(text).toMatch(/^failed to /);
  expect(text).not.toContain("\n");
}
