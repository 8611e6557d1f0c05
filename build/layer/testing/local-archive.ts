/**
 * A Debian archive of one's own, for tests: packages made with dpkg-deb, an index made with
 * apt-ftparchive, signed by a key of the test, served on this machine. It can grow older and newer, and
 * be broken in the ways in which mirrors are.
 *
 * @module
 */

import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";

import { temporaryFolder } from "../../../src/testing/temporary-folder.ts";
import { run } from "../command.ts";
import type { DebianOrigin } from "../debian-origin.ts";
import type { ArchiveName } from "../debian.ts";
import { sha256OfFile } from "../download.ts";

/** A package to make. */
export interface MadePackage {
  readonly name: string;
  readonly version: string;
  readonly depends?: string;
  readonly architecture?: "all" | "amd64" | "arm64";
  /** `allowed` for a program that packages of any architecture may depend on (`python3:any`). */
  readonly multiArch?: string;
}

/** What the server does with a request instead of serving the file. */
export type Fault = "403" | "404" | "429" | "500" | "503" | "truncated" | "other bytes";

/** A served archive, and its archive of security updates. */
export class LocalArchive {
  /** Faults by the end of a request's path, with the number of requests that still meet them. */
  readonly faults = new Map<string, { readonly fault: Fault; times: number }>();
  /** Paths that were asked for. */
  readonly requests: string[] = [];
  /** SHA-256 of every package that it ever had. */
  readonly hashes = new Set<string>();
  readonly #folder: string;
  readonly #home: string;
  readonly #server: Bun.Server<undefined>;
  readonly #keyring: string;
  /** Packages by suite. */
  readonly #suites = new Map<string, Map<string, string>>();

  private constructor(folder: string) {
    this.#folder = folder;
    this.#home = join(folder, "gnupg");
    this.#keyring = join(folder, "keyring.gpg");
    this.#server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: (request) => this.#respond(new URL(request.url).pathname),
    });
  }

  /** Makes an archive without packages, with the given suites. */
  static async start(suites: readonly string[]): Promise<LocalArchive> {
    const archive = new LocalArchive(temporaryFolder("debian"));
    await archive.#makeKey();
    for (const suite of suites) archive.#suites.set(suite, new Map());
    await archive.publish();
    return archive;
  }

  /** Where the archive is and whose signature it has, as a build is told. */
  get origin(): DebianOrigin {
    const url = this.#server.url.href.replace(/\/$/, "");
    return {
      debian: `${url}/debian`,
      security: `${url}/debian-security`,
      keyring: this.#keyring,
      retryMs: 10,
      settings: ['Acquire::Retries "1";'],
    };
  }

  /** The address below which `debian/DATE/` and `debian-security/DATE/` stand, as with snapshots. */
  get snapshots(): string {
    return `${this.#server.url.href}snapshots`;
  }

  /** The same as variables of a build. */
  get environment(): Record<string, string> {
    const { debian, security, keyring } = this.origin;
    return {
      DEBIAN_MIRROR: debian,
      DEBIAN_SECURITY_MIRROR: security,
      DEBIAN_KEYRING: keyring,
      DEBIAN_SNAPSHOTS: this.snapshots,
    };
  }

  /** Makes a package and puts it into a suite; a package of that name there is replaced. */
  async add(suite: string, made: MadePackage): Promise<void> {
    const { name, version, depends, multiArch, architecture = "all" } = made;
    const tree = join(this.#folder, "package");
    rmSync(tree, { recursive: true, force: true });
    mkdirSync(join(tree, "DEBIAN"), { recursive: true });
    mkdirSync(join(tree, "usr/share/doc", name), { recursive: true });
    writeFileSync(join(tree, "usr/share/doc", name, "copyright"), `copyright of ${name}\n`);
    writeFileSync(
      join(tree, "DEBIAN/control"),
      [
        `Package: ${name}`,
        `Version: ${version}`,
        `Architecture: ${architecture}`,
        "Maintainer: Test <test@example.org>",
        ...(depends === undefined ? [] : [`Depends: ${depends}`]),
        ...(multiArch === undefined ? [] : [`Multi-Arch: ${multiArch}`]),
        // No two packages have the same bytes, so that none is found in the cache.
        `Description: made by a test (${crypto.randomUUID()})`,
        "",
      ].join("\n"),
    );
    await run(["chmod", "-R", "u=rwX,go=rX", tree]);
    const deb = join(this.#folder, `${name}_${version.replace(/^\d+:/, "")}_${architecture}.deb`);
    await run(["dpkg-deb", "--build", "--root-owner-group", tree, deb]);
    await this.addFile(suite, deb);
  }

  /** Puts a package that exists into a suite; a package of that name there is replaced. */
  async addFile(suite: string, deb: string): Promise<void> {
    this.hashes.add(await sha256OfFile(deb));
    const name = await run(["dpkg-deb", "--field", deb, "Package"]);
    const architecture = (await run(["dpkg-deb", "--field", deb, "Architecture"])).trim();
    this.#packagesOf(suite).set(`${name.trim()}:${architecture}`, deb);
  }

  /** Takes a package out of a suite. */
  remove(suite: string, name: string): void {
    for (const key of [...this.#packagesOf(suite).keys()]) {
      if (key.startsWith(`${name}:`)) this.#packagesOf(suite).delete(key);
    }
  }

  /**
   * Writes the index of every suite, signed, with the files that are in it, and no others.
   * @param options.validFor Time until the index expires, in ms; negative for one that has expired.
   * @param options.signer "nobody" for an index without a signature.
   */
  async publish(
    options: { readonly validFor?: number; readonly signer?: string } = {},
  ): Promise<void> {
    for (const archive of ["debian", "debian-security"]) {
      rmSync(join(this.#folder, "srv", archive), { recursive: true, force: true });
    }
    for (const suite of this.#suites.keys()) await this.#publishSuite(suite, options);
  }

  /** Keeps every file of now as the snapshots of any date. */
  keepSnapshot(): void {
    for (const archive of ["debian", "debian-security"]) {
      const from = join(this.#folder, "srv", archive);
      if (existsSync(from)) {
        cpSync(from, join(this.#folder, "srv/snapshots", archive), { recursive: true });
      }
    }
  }

  async stop(): Promise<void> {
    await this.#server.stop(true);
  }

  #packagesOf(suite: string): Map<string, string> {
    const packages = this.#suites.get(suite);
    if (packages === undefined) throw new Error(`failed to find the suite ${suite}`);
    return packages;
  }

  async #publishSuite(
    suite: string,
    options: { readonly validFor?: number; readonly signer?: string },
  ): Promise<void> {
    const archive: ArchiveName = suite.endsWith("-security") ? "debian-security" : "debian";
    const root = join(this.#folder, "srv", archive);
    const pool = archive === "debian" ? `pool/main/${suite}` : `pool/updates/main/${suite}`;
    const dists = join(root, "dists", suite);
    mkdirSync(join(root, pool), { recursive: true });
    for (const deb of this.#packagesOf(suite).values()) {
      cpSync(deb, join(root, pool, basename(deb)));
    }
    for (const architecture of ["amd64", "arm64"]) {
      const folder = join(dists, `main/binary-${architecture}`);
      mkdirSync(folder, { recursive: true });
      const index = await run(["apt-ftparchive", "--arch", architecture, "packages", pool], {
        cwd: root,
      });
      writeFileSync(join(folder, "Packages"), index);
    }
    const setting = (name: string, value: string) => [
      "-o",
      `APT::FTPArchive::Release::${name}=${value}`,
    ];
    const release = await run([
      "apt-ftparchive",
      ...setting("Origin", "Debian"),
      ...setting("Label", archive === "debian" ? "Debian" : "Debian-Security"),
      ...setting("Suite", suite),
      ...setting("Codename", suite),
      ...setting("Architectures", "amd64 arm64"),
      ...setting("Components", "main"),
      ...(options.validFor === undefined
        ? []
        : setting("ValidTime", String(Math.round(options.validFor / 1000)))),
      ...["release", dists],
    ]);
    const path = join(dists, "Release");
    writeFileSync(path, expired(release, options.validFor));
    if (options.signer === "nobody") return;
    const signer = options.signer ?? "archive";
    await run([
      ...this.#gpg(),
      ...["--yes", "--local-user", `${signer}@example.org`, "--clearsign"],
      ...["--output", join(dists, "InRelease"), path],
    ]);
  }

  #gpg(): string[] {
    return ["gpg", "--homedir", this.#home, "--batch", "--quiet", "--no-tty"];
  }

  async #makeKey(): Promise<void> {
    mkdirSync(this.#home);
    chmodSync(this.#home, 0o700);
    const passphrase = ["--pinentry-mode", "loopback", "--passphrase", ""];
    for (const name of ["archive", "stranger"]) {
      const key = `${name}@example.org`;
      await run([...this.#gpg(), ...passphrase, "--quick-gen-key", key, "rsa2048", "sign"]);
    }
    await run([...this.#gpg(), "--output", this.#keyring, "--export", "archive@example.org"]);
  }

  #respond(pathname: string): Response {
    const path = decodeURIComponent(pathname);
    this.requests.push(path);
    // Snapshots have a date in their addresses, and here the same files for every date.
    const file = join(
      this.#folder,
      "srv",
      path.replace(/^(\/snapshots\/[^/]+)\/\d{8}T\d{6}Z/, "$1"),
    );
    const met = [...this.faults].find(([end, { times }]) => path.endsWith(end) && times > 0)?.[1];
    if (met !== undefined) met.times -= 1;
    const status = /^\d+$/.test(met?.fault ?? "") ? Number(met?.fault) : 404;
    if (status !== 404 || met?.fault === "404" || !existsSync(file)) {
      return new Response("no", { status });
    }
    const bytes = new Uint8Array(readFileSync(file));
    if (met?.fault === "truncated") return new Response(bytes.slice(0, bytes.length / 2));
    if (met?.fault === "other bytes") return new Response(bytes.map((byte) => byte ^ 1));
    return new Response(bytes);
  }
}

/** apt-ftparchive writes no date of the past. */
function expired(release: string, validFor: number | undefined): string {
  if (validFor === undefined || validFor > 0) return release;
  const past = new Date(Date.now() + validFor).toUTCString();
  return release.replace(/^Valid-Until: .*$/m, `Valid-Until: ${past}`);
}
