/**
 * Fetches Debian packages with apt into private folders: no root, nothing installed on this
 * machine, any architecture. apt verifies the archive's signature and its index; the pins of
 * layer/debian-packages.json then say exactly which bytes are wanted.
 *
 * @module
 */

import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { CommandError, run } from "./command.ts";
import { DOWNLOADS, HashMismatchError, sha256OfFile } from "./download.ts";
import { CACHE } from "./paths.ts";
import { step } from "./progress.ts";
import { type DebianPin, debianPins, SOURCES } from "./sources.ts";

/** The command that writes the pins anew; errors about pins name it. */
export const PIN_COMMAND = "node_modules/.bin/bun build/layer/debian-pins.ts";

/** One architecture's view of the archive, in private folders. */
export class DebianArchive {
  readonly #architecture: "amd64" | "arm64";
  readonly #suite: string;
  readonly #folder: string;
  #updated = false;

  /** @param suite Release of Debian; pins exist for the layer's own only. */
  constructor(architecture: "amd64" | "arm64", suite: string = SOURCES.debian.suite) {
    this.#architecture = architecture;
    this.#suite = suite;
    this.#folder = join(CACHE, "apt", `${suite}-${architecture}`);
  }

  /**
   * Returns the paths of pinned packages, by name.
   * @throws {Error} When a pin has left the archive; the message names the version that is there.
   */
  async packages(names: readonly string[]): Promise<Map<string, FetchedPackage>> {
    const pins = names.map((name) => this.#pin(name));
    const missing = pins.filter((pin) => !existsSync(cached(pin.sha256)));
    if (missing.length > 0) {
      await this.update();
      for (const pin of missing) await this.#checkAvailable(pin);
      step(`fetch ${missing.length} Debian packages for ${this.#architecture}`);
      const folder = join(this.#folder, "packages");
      mkdirSync(folder, { recursive: true });
      await this.apt(
        ["apt-get", "download", ...missing.map(({ name, version }) => `${name}=${version}`)],
        folder,
      );
      for (const pin of missing) await keep(fileOf(pin, this.#architecture, folder), pin.sha256);
    }
    const fetched = pins.map((pin): [string, FetchedPackage] => [
      pin.name,
      { pin, path: cached(pin.sha256) },
    ]);
    return new Map(fetched);
  }

  /**
   * Returns the files of a pinned source package.
   * @throws {Error} When the pin has left the archive.
   */
  async sourcePackage(name: string): Promise<FetchedSource> {
    const pin = debianPins().sources.find((source) => source.name === name);
    if (pin === undefined) throw new Error(`failed to find a pin of ${name}: run ${PIN_COMMAND}`);
    if (pin.files.some(({ sha256 }) => !existsSync(cached(sha256)))) {
      await this.update();
      step(`fetch Debian's source of ${name} ${pin.version}`);
      const folder = join(this.#folder, "sources");
      rmSync(folder, { recursive: true, force: true });
      mkdirSync(folder, { recursive: true });
      try {
        await this.apt(["apt-get", "source", "--download-only", `${name}=${pin.version}`], folder);
      } catch (error) {
        const words = error instanceof Error ? error.message : String(error);
        throw new Error(
          `failed to fetch Debian's source ${name} ${pin.version}; has the pin left the archive? ` +
            `Update it: ${PIN_COMMAND}\n${words}`,
          { cause: error },
        );
      }
      for (const file of pin.files) await keep(join(folder, file.name), file.sha256);
    }
    const files = pin.files.map((file) => ({ name: file.name, path: cached(file.sha256) }));
    return { version: pin.version, files };
  }

  /** Fetches the archive's index, once. */
  async update(): Promise<void> {
    if (this.#updated) return;
    step(`read the index of Debian ${this.#suite} for ${this.#architecture}`);
    const config = await this.#writeConfig();
    // apt removes from its folder what it does not know, so that an old half is no obstacle.
    await run(["apt-get", "update", "--error-on=any"], { env: { APT_CONFIG: config } });
    this.#updated = true;
  }

  /** Runs a command of apt on the private folders and returns its output. */
  async apt(command: readonly string[], cwd?: string): Promise<string> {
    const config = await this.#writeConfig();
    return run(command, {
      env: { APT_CONFIG: config },
      ...(cwd === undefined ? {} : { cwd }),
    });
  }

  #pin(name: string): DebianPin {
    const pin = debianPins()[this.#architecture].find((candidate) => candidate.name === name);
    if (pin === undefined) throw new Error(`failed to find a pin of ${name}: run ${PIN_COMMAND}`);
    return pin;
  }

  async #checkAvailable({ name, version }: DebianPin): Promise<void> {
    const table = await this.apt(["apt-cache", "madison", name]);
    // It lists the versions of the source package too, older ones among them.
    const lines = table.split("\n").filter((line) => line.endsWith(" Packages"));
    const versions = lines.map((line) => line.split("|")[1]?.trim() ?? "");
    if (versions.includes(version)) return;
    const now = versions[0] ?? "no version";
    throw new Error(
      `failed to find Debian's ${name} ${version} for ${this.#architecture}: the archive has ` +
        `${now} now. Update the pins: ${PIN_COMMAND}`,
    );
  }

  async #writeConfig(): Promise<string> {
    const folder = this.#folder;
    const folders = ["state/lists/partial", "cache/archives/partial", "etc/preferences.d"];
    for (const name of folders) mkdirSync(join(folder, name), { recursive: true });
    const { keyring } = SOURCES.debian;
    const usedKeyring = process.env["DEBIAN_KEYRING"] ?? keyring;
    if (!existsSync(usedKeyring)) {
      throw new Error(
        `failed to find Debian's keys at ${usedKeyring}: install the package ` +
          `debian-archive-keyring or say where they are with DEBIAN_KEYRING`,
      );
    }
    writeFileSync(
      join(folder, "etc/debian.sources"),
      [
        "Types: deb deb-src",
        `URIs: ${process.env["DEBIAN_MIRROR"] || (await machineMirror())}`,
        `Suites: ${this.#suite}`,
        "Components: main",
        `Signed-By: ${usedKeyring}`,
        "",
      ].join("\n"),
    );
    writeFileSync(join(folder, "status"), "");
    const config = join(folder, "apt.conf");
    const lines = [
      `Dir::State "${folder}/state";`,
      `Dir::State::status "${folder}/status";`,
      `Dir::Cache "${folder}/cache";`,
      `Dir::Etc "${folder}/etc";`,
      `Dir::Etc::sourcelist "${folder}/etc/debian.sources";`,
      // The machine's own settings, hooks among them, are none of ours.
      `Dir::Etc::parts "/dev/null";`,
      `Dir::Etc::main "/dev/null";`,
      `Dir::Etc::sourceparts "/dev/null";`,
      `APT::Architecture "${this.#architecture}";`,
      `APT::Architectures { "${this.#architecture}"; };`,
      `APT::Sandbox::User "root";`,
      `Acquire::Languages "none";`,
      `Acquire::Retries "3";`,
      ...(await proxySettings()),
    ];
    writeFileSync(config, `${lines.join("\n")}\n`);
    return config;
  }
}

/** A package in the cache. */
export interface FetchedPackage {
  readonly pin: DebianPin;
  readonly path: string;
}

/** A source package in the cache. */
export interface FetchedSource {
  readonly version: string;
  readonly files: readonly { readonly name: string; readonly path: string }[];
}

/** Where a verified file stands in the cache: under its hash. */
function cached(sha256: string): string {
  return join(DOWNLOADS, sha256);
}

async function keep(path: string, sha256: string): Promise<void> {
  const actual = await sha256OfFile(path);
  if (actual !== sha256) {
    throw new HashMismatchError(`failed to verify ${path}: expected ${sha256}, got ${actual}`);
  }
  mkdirSync(DOWNLOADS, { recursive: true });
  renameSync(path, cached(sha256));
}

function fileOf(pin: DebianPin, architecture: string, folder: string): string {
  const name = (kind: string) =>
    join(folder, `${pin.name}_${pin.version.replaceAll(":", "%3a")}_${kind}.deb`);
  return existsSync(name("all")) ? name("all") : name(architecture);
}

/** The machine's way out to the network is the one setting of its apt that we need. */
async function proxySettings(): Promise<string[]> {
  let dump: string;
  try {
    dump = await run(["apt-config", "dump"], { env: { APT_CONFIG: "" } });
  } catch (error) {
    if (error instanceof CommandError && error.status === 127) {
      throw new Error(
        "failed to find apt: the source `debian` needs it; on other systems use the source " +
          "`upstream` (AWS_CLI=upstream JQ=upstream)",
        { cause: error },
      );
    }
    throw error;
  }
  return dump.split("\n").filter((line) => /^Acquire::https?::Proxy/i.test(line));
}

/**
 * The mirror of Debian that this machine installs from.
 * @throws {Error} When apt knows none.
 */
async function machineMirror(): Promise<string> {
  const format = "$(LABEL) $(REPO_URI)";
  const targets = await run([
    "apt-get",
    "indextargets",
    "--format",
    format,
    "Created-By: Packages",
  ]);
  const [, mirror] = /^Debian (\S+)$/m.exec(targets) ?? [];
  if (mirror === undefined) {
    throw new Error(
      "failed to find a mirror of Debian in this machine's apt settings: name one with DEBIAN_MIRROR=URL",
    );
  }
  return mirror;
}
