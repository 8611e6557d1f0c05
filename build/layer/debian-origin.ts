/**
 * Where Debian's archive is, and how it is reached: what the user names, else what this machine's apt has.
 *
 * @module
 */

import { CommandError, run } from "./command.ts";
import { DebianError } from "./debian-faults.ts";
import { SOURCES } from "./sources.ts";

/** Time before a mirror that is out of step is asked again, in ms. */
const RETRY_MS = 10_000;

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

/**
 * Settings of this machine's apt that count here too: its way out to the network, its limits of
 * time, and whether it takes the index of a mirror that lags behind.
 */
const MACHINE_SETTINGS =
  /^Acquire::(?:https?::(?:Proxy|Timeout|CaInfo|CaPath|Verify-Peer|Verify-Host)|Retries|Check-Valid-Until|Check-Date|Max-FutureTime)\b/i;

let machine: Promise<readonly string[]> | undefined;

/**
 * Lines of apt.conf that this machine has for how files are fetched.
 * @throws {DebianError} When apt is missing.
 */
export async function machineSettings(): Promise<readonly string[]> {
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
