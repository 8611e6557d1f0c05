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

import { CACHE } from "./paths.ts";
import { progress } from "./progress.ts";

/** Times that a download is taken up again before it counts as failed. */
const ATTEMPTS = 3;

/** Longest silence of a server, in ms. */
const SILENCE_MS = 30_000;

/** The folder of finished and unfinished downloads. */
export const DOWNLOADS = join(CACHE, "downloads");

/** The host could not be reached at all; a host's refusal is not such an error. */
export class UnreachableError extends Error {
  override readonly name = "UnreachableError";
}

/** The bytes are not those that were asked for. */
export class HashMismatchError extends Error {
  override readonly name = "HashMismatchError";
}

/**
 * Returns the path of a downloaded file, from the cache when it is there.
 * @param name File name in the cache; a pinned file's name holds its version.
 * @param sha256 What the bytes must hash to, in hex; undefined if a signature is checked instead.
 * @throws {UnreachableError} When the host does not respond.
 * @throws {HashMismatchError} When the bytes are others; they are deleted.
 */
export async function download(url: string, name: string, sha256?: string): Promise<string> {
  mkdirSync(DOWNLOADS, { recursive: true });
  const path = join(DOWNLOADS, name);
  if (!existsSync(path)) await fetchWhole(url, path);
  if (sha256 !== undefined) {
    const actual = await sha256OfFile(path);
    if (actual !== sha256) {
      rmSync(path);
      throw new HashMismatchError(
        `failed to verify ${url}: expected SHA-256 ${sha256}, got ${actual}`,
      );
    }
  }
  return path;
}

/** Computes a file's SHA-256, in hex. */
export async function sha256OfFile(path: string): Promise<string> {
  const hash = new Bun.CryptoHasher("sha256");
  for await (const chunk of Bun.file(path).stream()) hash.update(chunk);
  return hash.digest("hex");
}

async function fetchWhole(url: string, path: string): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await fetchRest(url, path);
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
async function fetchRest(url: string, path: string): Promise<void> {
  const part = `${path}.part`;
  const tagFile = `${path}.tag`;
  const tag = existsSync(tagFile) ? readFileSync(tagFile, "utf8") : "";
  const have = existsSync(part) && tag !== "" ? statSync(part).size : 0;
  const response = await request(url, have > 0 ? { range: `bytes=${have}-`, "if-range": tag } : {});
  const resumed = response.status === 206;
  if (!resumed) {
    writeFileSync(part, "");
    writeFileSync(tagFile, strongTag(response));
  }
  const expected = Number(response.headers.get("content-length") ?? Number.NaN);
  const show = progress(`download ${url.split("/").at(-1)}`, expected);
  let received = 0;
  try {
    for await (const chunk of response.body ?? []) {
      appendFileSync(part, chunk);
      received += chunk.length;
      show(received);
    }
  } catch (error) {
    throw new InterruptedError(`failed to download ${url}: broke off after ${received} bytes`, {
      cause: error,
    });
  }
  if (Number.isFinite(expected) && received !== expected) {
    throw new InterruptedError(
      `failed to download ${url}: got ${received} of ${expected} bytes; run again to resume`,
    );
  }
  rmSync(tagFile, { force: true });
  renameSync(part, path);
}

async function request(url: string, headers: Record<string, string>): Promise<Response> {
  const silence = new AbortController();
  const timer = setTimeout(() => silence.abort(), SILENCE_MS);
  let response: Response;
  try {
    response = await fetch(url, {
      // Bun would unpack a compressed response, and its length would no longer be the file's.
      headers: { ...headers, "accept-encoding": "identity" },
      signal: silence.signal,
    });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new UnreachableError(`failed to reach ${new URL(url).host}: ${reason}`, { cause: error });
  } finally {
    clearTimeout(timer);
  }
  if (response.status !== 200 && response.status !== 206) {
    throw new Error(`failed to download ${url}: HTTP status ${response.status}`);
  }
  return response;
}

/** The tag of a response that promises equal bytes, or "" when there is none. */
function strongTag(response: Response): string {
  const tag = response.headers.get("etag") ?? "";
  return tag.startsWith('"') ? tag : "";
}
