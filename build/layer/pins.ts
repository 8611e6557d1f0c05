/**
 * Says which pins of layer/sources.json are old, each with the command that renews it.
 *
 *     bun build/layer/pins.ts                # or: make pins
 *     bun build/layer/pins.ts update         # writes newer ones; look at the difference, build and test
 *
 * Old pins are not errors: a release that was made from them can still be made. What cannot be asked
 * here is said too.
 *
 * @module
 */

import { existsSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { ARCHITECTURES, HOST_ARCHITECTURE } from "../architectures.ts";
import { reportErrors } from "../plain-errors.ts";
import { run } from "./command.ts";
import { cached, DebianArchive } from "./debian.ts";
import { sha256OfFile } from "./download.ts";
import { LAYER, ROOT } from "./paths.ts";
import { downloadWithPip, newestOnPyPI } from "./pip.ts";
import { SOURCES, type Sources } from "./sources.ts";
import { isNewer } from "./version-order.ts";
import { workFolder } from "./work-folder.ts";
import { WHEEL_PLATFORMS } from "./zig.ts";

const FILE = join(LAYER, "sources.json");

const UPDATE = "node_modules/.bin/bun build/layer/pins.ts update";

/** An AWS CLI that is older lacks services that are a few months old. */
const AGE_MAX_DAYS = 183;

/** Time before the end of a key at which a new one is asked for. */
const KEY_WARNING_DAYS = 90;

const DAY_MS = 86_400_000;

/** Part of sources.json as text: its lines keep their form. */
type Edit = (text: string) => string;

/** A pin that is old: what is said, and how it is renewed, if a program can do that. */
interface OldPin {
  readonly warning: string;
  readonly renew?: () => Promise<Edit>;
}

/** Looks at every pin. */
async function oldPins(sources: Sources): Promise<OldPin[]> {
  const checks = [checkAwsCli, checkJq, checkZig, checkKey];
  const found = await Promise.all(
    checks.map((check) =>
      check(sources).catch((error: unknown): OldPin[] => [
        { warning: `not asked: ${error instanceof Error ? error.message : String(error)}` },
      ]),
    ),
  );
  return found.flat();
}

async function checkAwsCli({ awsCli, debian }: Sources): Promise<OldPin[]> {
  const archive = new DebianArchive(HOST_ARCHITECTURE?.name ?? "amd64");
  const [cli] = await archive.newest([awsCli.debian.package]);
  if (cli === undefined) return [];
  const old: OldPin[] = [];
  const version = cli.version.replace(/^\d+:|-.*$/g, "");
  const pinned = awsCli.upstream.version;
  if (isNewer(version, pinned)) {
    old.push({
      warning: `the AWS CLI is pinned to ${pinned} for AWS_CLI=upstream, and there is ${version}`,
      renew: async () => (text) =>
        text.replace(`"version": "${pinned}"`, `"version": "${version}"`),
    });
  }
  await archive.fetch([cli]);
  const days = Math.floor((Date.now() - (await packageDate(cached(cli.sha256)))) / DAY_MS);
  if (days > AGE_MAX_DAYS) {
    const suites = [debian.suites.base, debian.suites.newer?.suite].filter(Boolean).join(" and ");
    old.push({
      warning: `the AWS CLI ${version} of Debian ${suites} is ${days} days old: name newer suites in layer/sources.json`,
    });
  }
  return old;
}

async function checkJq({ jq }: Sources): Promise<OldPin[]> {
  const { package: name, packageVersion } = jq.source;
  const newest = await newestOnPyPI(name);
  if (!isNewer(newest, packageVersion)) return [];
  const folder = workFolder("jq-pin");
  const path = await downloadWithPip({ name, version: newest, kind: "source" }, folder);
  const listing = await run(["tar", "-tzf", path]);
  const [member, version = ""] = /^\S+\/deps\/jq-(\S+)\.tar\.gz$/m.exec(listing) ?? [];
  if (member === undefined || !isNewer(version, jq.version)) return [];
  return [
    {
      warning: `jq is pinned to ${jq.version}, and there is ${version}`,
      renew: async () => {
        await run(["tar", "-xzf", path, "-C", folder, member]);
        const sums = await releaseSums(jq.upstream.url, version);
        const replaced: readonly (readonly [string, string])[] = [
          [`"version": "${jq.version}"`, `"version": "${version}"`],
          [packageVersion, newest],
          [jq.source.packageSha256, await sha256OfFile(path)],
          [jq.source.sha256, await sha256OfFile(join(folder, member))],
          ...ARCHITECTURES.map(
            ({ name: key }) => [jq.upstream.sha256[key], sums[`jq-linux-${key}`] ?? ""] as const,
          ),
        ];
        return (text) => replaced.reduce((done, [from, to]) => done.replace(from, to), text);
      },
    },
  ];
}

async function checkZig({ zig }: Sources): Promise<OldPin[]> {
  const newest = await newestOnPyPI("ziglang");
  if (!isNewer(newest, zig.version)) return [];
  return [
    {
      warning: `zig, which compiles jq, is pinned to ${zig.version}, and there is ${newest}`,
      renew: async () => {
        const replaced: (readonly [string, string])[] = [[zig.version, newest]];
        for (const { name } of ARCHITECTURES) {
          const kind = { wheel: WHEEL_PLATFORMS[name] };
          const wanted = { name: "ziglang", version: newest, kind };
          const path = await downloadWithPip(wanted, workFolder("zig-pin"));
          replaced.push([zig.sha256[name], await sha256OfFile(path)]);
        }
        return (text) => replaced.reduce((done, [from, to]) => done.replace(from, to), text);
      },
    },
  ];
}

/** AWS renews the end of its key once a year. */
async function checkKey({ awsCli }: Sources): Promise<OldPin[]> {
  const key = join(ROOT, awsCli.upstream.key);
  const home = workFolder("gnupg");
  const listing = await run([
    "gpg",
    "--homedir",
    home,
    "--batch",
    "--with-colons",
    "--show-keys",
    key,
  ]);
  const ends = Number(
    listing
      .split("\n")
      .find((line) => line.startsWith("pub:"))
      ?.split(":")[6],
  );
  const days = Math.floor((ends * 1000 - Date.now()) / DAY_MS);
  if (!(days < KEY_WARNING_DAYS)) return [];
  return [
    {
      warning:
        `AWS's key ${days < 0 ? `ended ${-days} days ago` : `ends in ${days} days`}: put the new one of the ` +
        `AWS CLI User Guide into ${awsCli.upstream.key}`,
    },
  ];
}

/** The sums that a release of jq publishes, by file name. */
async function releaseSums(url: string, version: string): Promise<Record<string, string>> {
  const address = url.replaceAll("{version}", version).replace(/[^/]*$/, "sha256sum.txt");
  const response = await fetch(address);
  if (!response.ok) throw new Error(`failed to fetch ${address}: HTTP status ${response.status}`);
  const lines = (await response.text()).trim().split("\n");
  return Object.fromEntries(lines.map((line) => line.split(/\s+/).reverse()));
}

/** When a package was made, in ms: the date of the files in it. */
async function packageDate(deb: string): Promise<number> {
  const folder = workFolder("package-date");
  await run(["dpkg-deb", "--extract", deb, folder]);
  const [path = ""] = [...new Bun.Glob("**/awscli/__init__.py").scanSync({ cwd: folder })];
  const date = existsSync(join(folder, path)) ? statSync(join(folder, path)).mtimeMs : Date.now();
  rmSync(folder, { recursive: true });
  return date;
}

if (import.meta.main) {
  reportErrors("CACHE=FOLDER names another folder for the cache");
  const update = process.argv[2] === "update";
  const found = await oldPins(SOURCES);
  for (const { warning, renew } of found) {
    const how = renew === undefined ? "" : `; renew it: ${UPDATE}`;
    // Where a runner of GitHub reads along, it shows the line beside the change.
    const mark = process.env["GITHUB_ACTIONS"] === "true" ? "::warning::" : "warning: ";
    console.log(`${mark}${warning}${how}`);
  }
  if (found.length === 0) console.log("no pin of layer/sources.json is old");
  if (update) {
    let text = readFileSync(FILE, "utf8");
    for (const { renew } of found) if (renew !== undefined) text = (await renew())(text);
    writeFileSync(`${FILE}.unfinished`, text);
    renameSync(`${FILE}.unfinished`, FILE);
    console.log(`wrote ${FILE}: look at the difference, then make dist test-layer test-aws-cli`);
  }
}
