/**
 * Asks Debian's archive what it has and fetches packages from it, with apt in private folders: no
 * root, nothing installed on this machine, any architecture.
 *
 * No version is named anywhere: an archive keeps only the newest one. apt verifies the archive's
 * signature and its index; the index's hashes then say which bytes are wanted, and what was taken is
 * recorded (inputs.ts), so that it can be taken again.
 *
 * @module
 */

import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { CommandError, run } from "./command.ts";
import { DOWNLOADS, isKept, sha256OfFile } from "./download.ts";
import { exclusively } from "./exclusive.ts";
import { CACHE } from "./paths.ts";
import { step, watchBytes } from "./progress.ts";
import { type DebianSuites, SOURCES } from "./sources.ts";
import { workFolder } from "./work-folder.ts";

/** apt's program for single files; it knows apt's proxies and checks hashes. */
const APT_HELPER = "/usr/lib/apt/apt-helper";

/** Times that apt reads an index that does not fit together: a mirror is being brought up to date. */
const ATTEMPTS = 3;

/** Time between two of them, in ms. */
const RETRY_MS = 10_000;

/** The two archives of Debian, as its snapshots name them. */
export type ArchiveName = "debian" | "debian-security";

/** One version of one binary package, as the archive's signed index describes it. */
export interface DebianPackage {
  readonly name: string;
  readonly version: string;
  /** Name of the source package that it is built from. */
  readonly source: string;
  /** Which archive it is in, and its path there. */
  readonly archive: ArchiveName;
  readonly path: string;
  readonly sha256: string;
  readonly bytes: number;
}

/** A source package of the archive. */
export interface DebianSource {
  readonly version: string;
  readonly files: readonly { readonly name: string; readonly path: string }[];
}

/** What the archive cannot give; its message says in one line why, and what to do. */
export class DebianError extends Error {
  override readonly name: string = "DebianError";
}

/** No set of the archive's packages fits together; another suite's may. */
export class UnsolvableError extends DebianError {
  override readonly name = "UnsolvableError";
  /** What apt says does not fit, or "". */
  readonly detail: string;

  constructor(message: string, detail: string, options: ErrorOptions) {
    super(message, options);
    this.detail = detail;
  }
}

/** Index and files of the mirror do not belong together, as while it is being brought up to date. */
export class OutOfStepError extends DebianError {
  override readonly name = "OutOfStepError";
}

/** Where the archive is, and whose signature it must have. */
export interface DebianOrigin {
  /** Address of the archive, without a slash at its end. */
  readonly debian: string;
  /** Address of the archive of security updates. */
  readonly security: string;
  /** File with the archive's keys. */
  readonly keyring: string;
  /** Time before a mirror that is out of step is asked again, in ms. */
  readonly retryMs: number;
  /** Lines of apt.conf: how files are fetched from there. */
  readonly settings: readonly string[];
}

/** One architecture's view of the archive, in private folders. */
export class DebianArchive {
  readonly #architecture: "amd64" | "arm64";
  readonly #suites: DebianSuites;
  readonly #origin: () => Promise<DebianOrigin>;
  #ready: Promise<Record<string, string>> | undefined;

  /**
   * @param suites What to read of the archive.
   * @param origin Which archive; by default the one that the user names or this machine uses.
   */
  constructor(
    architecture: "amd64" | "arm64",
    suites: DebianSuites = SOURCES.debian.suites,
    origin?: DebianOrigin,
  ) {
    this.#architecture = architecture;
    this.#suites = suites;
    this.#origin = origin === undefined ? debianOrigin : () => Promise.resolve(origin);
  }

  /**
   * Returns the newest packages that are needed to install the named ones, themselves included, in
   * the order of their names.
   * @throws {DebianError} When the archive does not have them, or does not respond as it should.
   */
  async closure(names: readonly string[]): Promise<DebianPackage[]> {
    return this.#locked(async () => {
      try {
        return await this.#closure(names);
      } catch (error) {
        const { newer } = this.#suites;
        if (!(error instanceof UnsolvableError) || newer === undefined) throw error;
        step(
          `${newer.packages.join(", ")} of Debian ${newer.suite} does not fit today ` +
            `(${error.detail}): taking that of ${this.#suites.base}`,
        );
        await this.#preferences("without");
        return await this.#closure(names);
      }
    });
  }

  /**
   * Chooses the packages that are needed to install the named ones, and fetches them. Reads the
   * index again where the mirror has changed in between.
   * @param wanted Which of them are wanted.
   * @throws {DebianError} When the archive does not have them, or does not respond as it should.
   */
  async take(
    names: readonly string[],
    wanted: (name: string) => boolean = () => true,
  ): Promise<DebianPackage[]> {
    for (let attempt = 1; ; attempt += 1) {
      const packages = (await this.closure(names)).filter(({ name }) => wanted(name));
      try {
        await this.fetch(packages);
        return packages;
      } catch (error) {
        if (!(error instanceof OutOfStepError) || attempt === ATTEMPTS) throw error;
        await this.#waitForMirror();
        this.#ready = undefined;
      }
    }
  }

  /** Returns the newest of each named package alone, without what it depends on. */
  async newest(names: readonly string[]): Promise<DebianPackage[]> {
    return this.#locked(() => this.#records(names));
  }

  /**
   * Fetches packages into the cache, where they stand under their hash, and returns their paths by
   * name.
   * @throws {DebianError} When a file is not what the index says, or not there.
   */
  async fetch(packages: readonly DebianPackage[]): Promise<Map<string, string>> {
    const what = `Debian packages for ${this.#architecture}`;
    // Another build may be fetching the same ones.
    await exclusively("debian-packages", async () => {
      const missing = await missingOf(packages);
      if (missing.length > 0) await this.#fetchFromMirror(missing, what);
    });
    return new Map(packages.map(({ name, sha256 }) => [name, cached(sha256)]));
  }

  /** Returns the newest source package of a name, or that of a given version, fetched. */
  async sourcePackage(name: string, version?: string): Promise<DebianSource> {
    return this.#locked(async (env) => {
      const words = version === undefined ? name : `${name}=${version}`;
      const folder = workFolder("debian-source");
      step(`fetch Debian's source package ${words}`);
      await run(["apt-get", "source", "--download-only", "-qq", words], { env, cwd: folder }).catch(
        (error: unknown) => {
          throw explained(error, `fetch Debian's source package ${words}`);
        },
      );
      const control = await run(["sh", "-c", "cat ./*.dsc"], { cwd: folder });
      const list = /^Checksums-Sha256:\n((?: .*\n?)+)/m.exec(control)?.[1] ?? "";
      const files = list
        .trim()
        .split("\n")
        .map((line) => line.trim().split(" ").at(-1) ?? "");
      return {
        version: field(control, "Version"),
        files: files.map((file) => ({ name: file, path: join(folder, file) })),
      };
    });
  }

  /** Runs a command of apt on the private folders, with an index that is up to date. */
  async apt(command: readonly string[], cwd?: string): Promise<string> {
    return this.#locked((env) => run(command, { env, ...(cwd === undefined ? {} : { cwd }) }));
  }

  /** When the suites were last changed, the newest of them, such as "20261030T080801Z". */
  async date(): Promise<string> {
    return this.#locked(async (env) => {
      const files = await run(["apt-get", "indextargets", "--format", "$(FILENAME)"], { env });
      const [lists = ""] = files.split("\n").map((path) => path.slice(0, path.lastIndexOf("/")));
      const dates = [...new Bun.Glob("*_InRelease").scanSync({ cwd: lists })].map((name) =>
        Date.parse(field(readFileSync(join(lists, name), "utf8"), "Date")),
      );
      return compactDate(new Date(Math.max(...dates)));
    });
  }

  /** Runs work on the private folders, alone, with an index that is up to date. */
  async #locked<T>(work: (env: Record<string, string>) => Promise<T>): Promise<T> {
    return exclusively(`apt-${await this.#name()}`, async () => work(await this.#environment()));
  }

  /** The environment in which apt works on the private folders, with an index that is up to date. */
  async #environment(): Promise<Record<string, string>> {
    this.#ready ??= this.#update();
    return this.#ready;
  }

  /** A name for what this archive is: others have other folders. */
  async #name(): Promise<string> {
    const what = JSON.stringify([this.#suites, await this.#origin()]);
    const hash = new Bun.CryptoHasher("sha256").update(what).digest("hex").slice(0, 8);
    return `${this.#suites.base}-${this.#architecture}-${hash}`;
  }

  async #closure(names: readonly string[]): Promise<DebianPackage[]> {
    const env = await this.#environment();
    const what = `choose ${names.join(", ")} from Debian ${this.#suites.base}`;
    const output = await run(
      ["apt-get", "install", "--no-install-recommends", "--print-uris", "-q", ...names],
      { env },
    ).catch((error: unknown) => {
      throw explained(error, `${what} for ${this.#architecture}`);
    });
    const files = [...output.matchAll(/^'\S+' (\S+?)_(\S+?)_\S+\.deb /gm)];
    return this.#records(
      files.map(([, name, version]) => `${name}=${decodeURIComponent(version ?? "")}`),
    );
  }

  /** Asks for the records of all packages at once: each call of apt reads its whole cache. */
  async #records(words: readonly string[]): Promise<DebianPackage[]> {
    const env = await this.#environment();
    const output = await run(["apt-cache", "show", "--no-all-versions", ...words], { env }).catch(
      (error: unknown) => {
        throw explained(error, `find ${words.join(", ")} in Debian ${this.#suites.base}`);
      },
    );
    const packages = output
      .trim()
      .split("\n\n")
      .map((record): DebianPackage => {
        const name = field(record, "Package");
        return {
          name,
          version: field(record, "Version"),
          source: /^Source: (\S+)/m.exec(record)?.[1] ?? name,
          archive: field(record, "Filename").startsWith("pool/updates/")
            ? "debian-security"
            : "debian",
          path: field(record, "Filename"),
          sha256: field(record, "SHA256"),
          bytes: Number(field(record, "Size")),
        };
      });
    return packages.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  async #fetchFromMirror(missing: readonly DebianPackage[], what: string): Promise<void> {
    const { debian, security } = await this.#origin();
    const urlOf = ({ archive, path }: DebianPackage) =>
      `${archive === "debian" ? debian : security}/${path}`;
    await fetchFiles(
      missing.map((wanted) => ({ ...wanted, url: urlOf(wanted) })),
      what,
    );
  }

  /** Writes apt's configuration, once, and brings its index up to date. */
  async #update(): Promise<Record<string, string>> {
    const env = { APT_CONFIG: await this.#configure() };
    const { base, updates = [], security, newer } = this.#suites;
    const names = [base, ...updates, ...(security ?? []), ...(newer ? [newer.suite] : [])];
    step(`read the index of Debian ${names.join(", ")} for ${this.#architecture}`);
    for (let attempt = 1; ; attempt += 1) {
      try {
        // apt removes from its folder what it does not know, so that an old half is not an obstacle.
        await run(["apt-get", "update", "-qq", "--error-on=any"], { env });
        return env;
      } catch (error) {
        const fault = explained(error, `read Debian's index for ${this.#architecture}`);
        if (!(fault instanceof OutOfStepError) || attempt === ATTEMPTS) throw fault;
        await this.#waitForMirror();
      }
    }
  }

  async #waitForMirror(): Promise<void> {
    const { retryMs } = await this.#origin();
    step(`the mirror's index and files do not fit together: try again in ${retryMs / 1000} s`);
    await Bun.sleep(retryMs);
  }

  async #configure(): Promise<string> {
    const { debian, security: securityUri, keyring, settings } = await this.#origin();
    const folder = join(CACHE, "apt", await this.#name());
    const folders = ["state/lists/partial", "cache/archives/partial", "etc/preferences.d"];
    for (const name of folders) mkdirSync(join(folder, name), { recursive: true });
    if (!existsSync(keyring)) {
      throw new DebianError(
        `failed to find Debian's keys at ${keyring}: install the package ` +
          "debian-archive-keyring, or say where they are with DEBIAN_KEYRING",
      );
    }
    const { base, updates = [], security = [], newer } = this.#suites;
    const main = [base, ...updates, ...(newer === undefined ? [] : [newer.suite])];
    const stanza = (uri: string, suites: readonly string[]) =>
      [
        `Types: deb${this.#suites.sources === true ? " deb-src" : ""}`,
        `URIs: ${uri}`,
        `Suites: ${suites.join(" ")}`,
        "Components: main",
        `Signed-By: ${keyring}`,
        "",
      ].join("\n");
    writeFileSync(
      join(folder, "etc/debian.sources"),
      [stanza(debian, main), ...(security.length > 0 ? [stanza(securityUri, security)] : [])].join(
        "\n",
      ),
    );
    await this.#preferences("with");
    writeFileSync(join(folder, "status"), "");
    const config = join(folder, "apt.conf");
    const lines = [
      `Dir::State "${folder}/state";`,
      `Dir::State::status "${folder}/status";`,
      `Dir::Cache "${folder}/cache";`,
      `Dir::Etc "${folder}/etc";`,
      `Dir::Etc::sourcelist "${folder}/etc/debian.sources";`,
      // The machine's own settings, hooks among them, do not count here.
      `Dir::Etc::parts "/dev/null";`,
      `Dir::Etc::main "/dev/null";`,
      `Dir::Etc::sourceparts "/dev/null";`,
      `APT::Architecture "${this.#architecture}";`,
      `APT::Architectures { "${this.#architecture}"; };`,
      `APT::Sandbox::User "root";`,
      `Acquire::Languages "none";`,
      ...settings,
    ];
    writeFileSync(config, `${lines.join("\n")}\n`);
    return config;
  }

  /** Says which packages may come from the newer suite: those that it is read for, and no others. */
  async #preferences(newerSuite: "with" | "without"): Promise<void> {
    const { newer } = this.#suites;
    const pins = (
      newer === undefined ? [] : [["*", 100], ...newer.packages.map((name) => [name, 500])]
    ).map(([name, priority]) => {
      const chosen = newerSuite === "with" ? priority : -1;
      return `Package: ${name}\nPin: release n=${newer?.suite}\nPin-Priority: ${chosen}\n`;
    });
    const folder = join(CACHE, "apt", await this.#name());
    writeFileSync(join(folder, "etc/preferences"), pins.join("\n"));
  }
}

/** One file to fetch. */
export interface WantedFile {
  readonly url: string;
  readonly sha256: string;
  readonly bytes: number;
}

/**
 * Fetches files with apt's own program into the cache of downloads, where they stand under their
 * hash. What came whole is kept, whatever became of the others.
 * @throws {DebianError} When one cannot be had.
 */
export async function fetchFiles(files: readonly WantedFile[], what: string): Promise<void> {
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  step(`fetch ${files.length} ${what} (${(bytes / 1e6).toFixed(1)} MB)`);
  mkdirSync(DOWNLOADS, { recursive: true });
  const folder = workFolder("debian-files");
  const config = join(folder, "apt.conf");
  writeFileSync(
    config,
    [
      'Dir::Etc::parts "/dev/null";',
      'Dir::Etc::main "/dev/null";',
      'APT::Sandbox::User "root";',
      ...(await machineSettings()),
      "",
    ].join("\n"),
  );
  const words = files.flatMap(({ url, sha256 }) => [url, join(folder, sha256), `SHA256:${sha256}`]);
  const stopWatching = watchBytes(what, folder, bytes);
  try {
    await run([APT_HELPER, "download-file", ...words], { env: { APT_CONFIG: config } });
  } catch (error) {
    throw explained(error, `fetch ${what}`);
  } finally {
    stopWatching();
    for (const { sha256 } of files) {
      const path = join(folder, sha256);
      if (existsSync(path) && (await sha256OfFile(path)) === sha256) {
        renameSync(path, cached(sha256));
      }
    }
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Those of some packages that are not in the cache. */
export async function missingOf(packages: readonly DebianPackage[]): Promise<DebianPackage[]> {
  const missing: DebianPackage[] = [];
  for (const each of packages) if (!(await isKept(each.sha256))) missing.push(each);
  return missing;
}

/** Where a verified file stands in the cache: under its hash. */
export function cached(sha256: string): string {
  return join(DOWNLOADS, sha256);
}

/** A date as Debian's snapshots have it: 20261030T080801Z. */
function compactDate(date: Date): string {
  return date.toISOString().replace(/[-:]|\.\d+/g, "");
}

/** What apt says when index and files do not belong together, for a while or for good. */
const OUT_OF_STEP =
  /Hash Sum mismatch|Mirror sync in progress|unexpected size|Clearsigned file isn't valid/i;

/** What apt says of a file that its index names and the mirror does not have. */
const NOT_FOUND = /(\S+)\s+404\s+(?:Not Found|File not found)?/i;

/** What apt says where a mirror, or a proxy in front of it, refuses a file or breaks off. */
const REFUSED =
  /Failed to fetch (\S+)\s+((?:(?!404)[45]\d\d\s|Error reading from server|Redirection loop)[^[\n]*)/;

/** What may be right in some minutes. */
const outOfStep: ReadonlySet<RegExp> = new Set([OUT_OF_STEP, NOT_FOUND]);

/** What apt says, and what it means. The first that fits counts. */
const REASONS: readonly (readonly [RegExp, (match: RegExpExecArray) => string])[] = [
  [
    /Release file for (\S+) is expired \(invalid since ([^)]*)\)/,
    ([, url, since]) =>
      `the mirror has not been brought up to date (${url} expired ${since} ago): take another ` +
      'one with DEBIAN_MIRROR=URL; if apt.conf has Acquire::Check-Valid-Until "false", it counts here too',
  ],
  [
    /The repository '(\S+) (\S+) Release' does not have a Release file/,
    ([, url, suite]) =>
      `there is no suite ${suite} at ${url}: name a mirror that has it with DEBIAN_MIRROR=URL ` +
      "(for security updates, DEBIAN_SECURITY_MIRROR=URL)",
  ],
  [
    /Release file for (\S+) is not valid yet \(invalid for another ([^)]*)\)/,
    ([, url, time]) => `this machine's clock is ${time} behind that of ${url}: set it right`,
  ],
  [
    REFUSED,
    ([, url, answer]) =>
      `the mirror responds with ${answer?.trim().replace(/\s+/g, " ")} for ${url}: run the command again in some minutes, ` +
      "or name another mirror with DEBIAN_MIRROR=URL",
  ],
  [
    /(?:BADSIG|NO_PUBKEY|EXPKEYSIG|REVKEYSIG|is (?:not|no longer) signed|invalid signature|couldn't be verified|could not be verified|not valid|No good signature|Missing key).*/i,
    ([text]) =>
      `the archive's signature is not good (${text.trim()}): the mirror is not Debian's, or ` +
      "DEBIAN_KEYRING is not its key ring; a newer debian-archive-keyring may be needed",
  ],
  [
    /Unable to locate package (\S+)/,
    ([, name]) => `the archive has no package ${name}: name another suite in layer/sources.json`,
  ],
  [
    /Package '?(\S+?)'? has no installation candidate/,
    ([, name]) => `the archive has no package ${name}: name another suite in layer/sources.json`,
  ],
  [
    /No packages found/,
    () => "the archive has no such package: name another suite in layer/sources.json",
  ],
  [
    NOT_FOUND,
    ([, url]) =>
      `the mirror responds with 404 for ${url}: it is out of step with its index, or lacks the suite; ` +
      "run the command again in some minutes, or name another mirror with DEBIAN_MIRROR=URL",
  ],
  [
    OUT_OF_STEP,
    ([text]) =>
      `the mirror's files are not those of its signed index (${text}), ${ATTEMPTS} times: run the ` +
      "command again in some minutes, or name another mirror with DEBIAN_MIRROR=URL",
  ],
  [
    /(Could not (?:connect|resolve)|Connection (?:failed|refused|timed out)|Temporary failure resolving|Unable to connect)[^\n]*/i,
    ([text]) =>
      `the mirror cannot be reached (${text.trim()}): check the network, or name another mirror ` +
      "with DEBIAN_MIRROR=URL; INPUTS=dist/inputs.json builds from the cache",
  ],
  [
    /No space left on device|Read-only file system|Permission denied/i,
    ([text]) => `${text}: CACHE=FOLDER names another folder for the cache`,
  ],
];

/** The first line of apt about packages that do not fit together. */
const UNSOLVABLE =
  /unmet dependencies|unable to correct problems|held broken packages|Unsatisfied dependencies/i;

/** Makes one line of what apt printed: what failed, why, what to do. */
function explained(error: unknown, what: string): unknown {
  if (!(error instanceof CommandError)) return error;
  const output = error.output.replaceAll("\n   ", " ");
  if (UNSOLVABLE.test(output)) {
    const [, found = ""] = /^ (\S+ : (?:Pre)?Depends: .*)$/m.exec(output) ?? [];
    // The first reason of many.
    const [detail = ""] = found.replace(/\s+/g, " ").split(/(?<!:) (?=(?:Pre)?Depends: )/);
    return new UnsolvableError(
      `failed to ${what}: its packages do not fit together today (${detail}); try again tomorrow, ` +
        "or build what was built before with INPUTS=inputs.json",
      detail,
      { cause: error },
    );
  }
  for (const [pattern, reason] of REASONS) {
    const match = pattern.exec(output);
    if (match === null) continue;
    const kind = outOfStep.has(pattern) ? OutOfStepError : DebianError;
    return new kind(`failed to ${what}: ${reason(match)}`, { cause: error });
  }
  return new DebianError(`failed to ${what}: ${error.message}`, { cause: error });
}

function field(record: string, name: string): string {
  const value = new RegExp(`^${name}: (.*)$`, "m").exec(record)?.[1];
  if (value === undefined) throw new DebianError(`failed to read ${name} of a record of apt`);
  return value.trim();
}

/**
 * Settings of this machine's apt that count here too: its way out to the network, its limits of
 * time, and whether it takes the index of a mirror that lags behind.
 */
const MACHINE_SETTINGS =
  /^Acquire::(?:https?::(?:Proxy|Timeout|CaInfo|CaPath|Verify-Peer|Verify-Host)|Retries|Check-Valid-Until|Check-Date|Max-FutureTime)\b/i;

let machine: Promise<readonly string[]> | undefined;

async function machineSettings(): Promise<readonly string[]> {
  machine ??= readMachineSettings();
  return machine;
}

async function readMachineSettings(): Promise<readonly string[]> {
  const dump = await run(["apt-config", "dump"]).catch((error: unknown) => {
    if (!(error instanceof CommandError) || error.status !== 127) throw error;
    throw new DebianError(
      "failed to find apt, which the source `debian` needs: on other systems take AWS_CLI=upstream",
      { cause: error },
    );
  });
  return [
    'Acquire::Retries "3";',
    ...dump.split("\n").filter((line) => MACHINE_SETTINGS.test(line)),
  ];
}

let known: Promise<DebianOrigin> | undefined;

/** The mirrors of Debian's two archives: the named ones, else those that this machine installs from. */
export async function debianOrigin(): Promise<DebianOrigin> {
  known ??= findOrigin();
  return known;
}

async function findOrigin(): Promise<DebianOrigin> {
  const named = process.env["DEBIAN_MIRROR"];
  const own = named ? {} : await machineMirrors();
  const debian = withoutSlash(named || own["Debian"]);
  if (debian === undefined) {
    throw new DebianError(
      "failed to find a mirror of Debian in this machine's apt settings: name one with DEBIAN_MIRROR=URL",
    );
  }
  const security = process.env["DEBIAN_SECURITY_MIRROR"] || own["Debian-Security"];
  for (const address of [debian, security]) {
    if (address !== undefined && !URL.canParse(address)) {
      throw new DebianError(
        `failed to use the mirror ${address}: DEBIAN_MIRROR and DEBIAN_SECURITY_MIRROR are URLs, ` +
          "such as http://HOST/debian",
      );
    }
  }
  return {
    debian,
    // Beside the archive, as everywhere.
    security: withoutSlash(security) ?? `${debian}-security`,
    keyring: process.env["DEBIAN_KEYRING"] || SOURCES.debian.keyring,
    retryMs: RETRY_MS,
    settings: await machineSettings(),
  };
}

/** The mirrors that this machine's apt installs from, by the label of their archive. */
async function machineMirrors(): Promise<Readonly<Record<string, string>>> {
  const format = "$(LABEL) $(REPO_URI)";
  const targets = await run([
    "apt-get",
    "indextargets",
    "--format",
    format,
    "Created-By: Packages",
  ]);
  const found: Record<string, string> = {};
  for (const [, label = "", uri = ""] of targets.matchAll(/^(Debian|Debian-Security) (\S+)$/gm)) {
    found[label] ??= uri;
  }
  return found;
}

function withoutSlash(url: string | undefined): string | undefined {
  return url?.replace(/\/+$/, "");
}
