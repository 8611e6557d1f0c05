/**
 * Downloads a file into cache/downloads, resumes what was interrupted, and believes only its hash.
 *
 * A finished file stands under its own name; an unfinished one under `NAME.part`, beside the
 * server's tag of it in `NAME.tag`, so that two halves of different files are never joined.
 *
 * @module
 */

import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";

import { exclusively } from "./exclusive.ts";
import { CACHE } from "./paths.ts";
import { progress, step } from "./progress.ts";

/** Times that a download is taken up again before it counts as failed. */
const ATTEMPTS = 3;

/** Longest silence of a server, before its response and within, in ms. */
const SILENCE_MS = 30_000;

/** "Range Not Satisfiable": there is nothing after what we have. */
const NOTHING_LEFT = 416;

/** The folder of finished and unfinished downloads. */
export const DOWNLOADS = join(CACHE, "downloads");

/** The host could not be reached at all; a host's refusal is not such an error. */
export class UnreachableError extends Error {
  override readonly name = "UnreachableError";
}

/**
 * Takes something from its own host, else, where that cannot be reached, from another place, and says so. A
 * missing file, a wrong hash or a bad signature is never a reason to take something else.
 */
export async function takeReachable<T>(
  what: string,
  take: () => Promise<T>,
  instead: { readonly words: string; readonly take: () => Promise<T> },
): Promise<T> {
  try {
    return await take();
  } catch (error) {
    if (!(error instanceof UnreachableError)) throw error;
    step(`${what}: ${error.message}; ${instead.words}`);
    return instead.take();
  }
}

/** The bytes are not those that were asked for. */
export class HashMismatchError extends Error {
  override readonly name = "HashMismatchError";
}

/**
 * Returns the path of a downloaded file, from the cache when it is there.
 * @param name File name in the cache; a pinned file's name holds its version.
 * @param sha256 What the bytes must hash to, in hex; undefined if a signature is checked instead.
 * @param silenceMs Longest silence of the server; tests have less patience.
 * @throws {UnreachableError} When the host does not respond.
 * @throws {HashMismatchError} When the bytes are others; they are deleted.
 */
export async function download(
  url: string,
  name: string,
  sha256?: string,
  silenceMs = SILENCE_MS,
): Promise<string> {
  mkdirSync(DOWNLOADS, { recursive: true });
  const path = join(DOWNLOADS, name);
  // Another build may be fetching the same file: both would write into one unfinished file.
  await exclusively(`download-${name}`, async () => {
    if (!existsSync(path)) await fetchWhole(url, path, silenceMs);
  });
  if (sha256 !== undefined) {
    const actual = await sha256OfFile(path);
    if (actual !== sha256) {
      rmSync(path, { force: true });
      throw new HashMismatchError(
        `failed to verify ${url}: expected SHA-256 ${sha256}, got ${actual}`,
      );
    }
  }
  return path;
}

/**
 * Whether a file is in the cache under its hash, whole. One that is not what its name says is removed:
 * a machine that went down, or a cache that was copied in part, leaves such files.
 */
export async function isKept(sha256: string): Promise<boolean> {
  const path = join(DOWNLOADS, sha256);
  if (!existsSync(path)) return false;
  if ((await sha256OfFile(path)) === sha256) return true;
  step(`${path} is damaged: fetch it again`);
  rmSync(path, { force: true });
  return false;
}

/** Computes a file's SHA-256, in hex. */
export async function sha256OfFile(path: string): Promise<string> {
  const hash = new Bun.CryptoHasher("sha256");
  for await (const chunk of Bun.file(path).stream()) hash.update(chunk);
  return hash.digest("hex");
}

async function fetchWhole(url: string, path: string, silenceMs: number): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await fetchRest(url, path, silenceMs);
      return;
    } catch (error) {
      // An interrupted transfer goes on where it stopped; a host's refusal does not change.
      if (!(error instanceof InterruptedError) || attempt === ATTEMPTS) throw error;
    }
  }
}

/** The transfer began and broke off. */
class InterruptedError extends Error {
  override readonly name = "InterruptedError";
}

/** Fetches what is missing of `PATH.part`, then renames it. */
async function fetchRest(url: string, path: string, silenceMs: number): Promise<void> {
  const part = `${path}.part`;
  const tagFile = `${path}.tag`;
  const tag = existsSync(tagFile) ? readFileSync(tagFile, "utf8") : "";
  const have = existsSync(part) && tag !== "" ? statSync(part).size : 0;
  const silence = new Silence(silenceMs);
  try {
    const range = have > 0 ? { range: `bytes=${have}-`, "if-range": tag } : {};
    const response = await request(url, range, silence);
    if (response.status === NOTHING_LEFT) {
      // A build was killed between the last byte and the new name.
      rmSync(tagFile);
      throw new InterruptedError(`failed to download ${url}: HTTP status ${response.status}`);
    }
    if (response.status !== 206) {
      writeFileSync(part, "");
      writeFileSync(tagFile, strongTag(response));
    }
    await receive(url, response, part, silence);
  } finally {
    silence.end();
  }
  rmSync(tagFile, { force: true });
  renameSync(part, path);
}

/** Appends the bytes of a response to a file. */
async function receive(
  url: string,
  response: Response,
  part: string,
  silence: Silence,
): Promise<void> {
  const expected = Number(response.headers.get("content-length") ?? Number.NaN);
  const show = progress(`download ${url.split("/").at(-1)}`, expected);
  let received = 0;
  let isWriting = false;
  try {
    for await (const chunk of response.body ?? []) {
      silence.broken();
      isWriting = true;
      appendFileSync(part, chunk);
      isWriting = false;
      received += chunk.length;
      show(received);
    }
  } catch (error) {
    // A full disk, for one: another try would not help.
    if (isWriting) throw error;
    throw new InterruptedError(
      `failed to download ${url}: broke off after ${received} bytes; run again to resume`,
      { cause: error },
    );
  }
  if (Number.isFinite(expected) && received !== expected) {
    throw new InterruptedError(
      `failed to download ${url}: got ${received} of ${expected} bytes; run again to resume`,
    );
  }
}

/** Aborts a request whose server is silent for too long. */
class Silence {
  readonly #controller = new AbortController();
  readonly #timer: Timer;

  constructor(ms: number) {
    this.#timer = setTimeout(() => this.#controller.abort(), ms);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** The server has sent something. */
  broken(): void {
    this.#timer.refresh();
  }

  end(): void {
    clearTimeout(this.#timer);
  }
}

async function request(
  url: string,
  range: Record<string, string>,
  silence: Silence,
): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url, {
      // Bun would unpack a compressed response, and its length would no longer be the file's.
      headers: { ...range, "accept-encoding": "identity" },
      signal: silence.signal,
    });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new UnreachableError(`failed to reach ${new URL(url).host}: ${reason}`, { cause: error });
  }
  silence.broken();
  const wanted = "range" in range ? [200, 206, NOTHING_LEFT] : [200];
  if (!wanted.includes(response.status)) {
    throw new Error(`failed to download ${url}: HTTP status ${response.status}`);
  }
  return response;
}

/** The tag of a response that promises equal bytes, or "" when there is none. */
function strongTag(response: Response): string {
  const tag = response.headers.get("etag") ?? "";
  return tag.startsWith('"') ? tag : "";
}
