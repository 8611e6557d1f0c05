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

import { run } from "./command.ts";
import {
  ATTEMPTS,
  DebianError,
  explained,
  OutOfStepError,
  UnsolvableError,
} from "./debian-faults.ts";
import { type DebianOrigin, debianOrigin, machineSettings } from "./debian-origin.ts";
import { DOWNLOADS, isKept, sha256OfFile } from "./download.ts";
import { exclusively } from "./exclusive.ts";
import { CACHE } from "./paths.ts";
import { step, watchBytes } from "./progress.ts";
import { type DebianSuites, SOURCES } from "./sources.ts";
import { workFolder } from "./work-folder.ts";

/** apt's program for single files; it knows apt's proxies and checks hashes. */
const APT_HELPER = "/usr/lib/apt/apt-helper";

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
export function compactDate(date: Date): string {
  return date.toISOString().replace(/[-:]|\.\d+/g, "");
}

function field(record: string, name: string): string {
  const value = new RegExp(`^${name}: (.*)$`, "m").exec(record)?.[1];
  if (value === undefined) throw new DebianError(`failed to read ${name} of a record of apt`);
  return value.trim();
}
