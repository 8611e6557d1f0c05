import { afterAll, beforeAll, beforeEach, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { existsSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";

import {
  download,
  DOWNLOADS,
  HashMismatchError,
  takeReachable,
  UnreachableError,
} from "./download.ts";
import { CACHE } from "./paths.ts";

const CONTENT = randomBytes(300_000);
const SHA256 = new Bun.CryptoHasher("sha256").update(CONTENT).digest("hex");

/** Bytes after which the server breaks off, by number of request; none: it sends everything. */
let breaksAfter: number[] = [];
/** Whether it says nothing more instead. */
let isSilent = false;
let ranges: (string | undefined)[] = [];
let etag = '"one"';
let server: Server;
let url = "";
let name = "";

beforeAll(async () => {
  server = createServer((request, response) => {
    ranges.push(request.headers.range);
    const wanted = request.headers["if-range"] === etag ? request.headers.range : undefined;
    const start = Number(/^bytes=(\d+)-$/.exec(wanted ?? "")?.[1] ?? 0);
    if (start >= CONTENT.length) {
      response.writeHead(416).end();
      return;
    }
    response.writeHead(start > 0 ? 206 : 200, {
      etag,
      "content-length": CONTENT.length - start,
    });
    const breakAfter = breaksAfter.shift();
    if (breakAfter === undefined) {
      response.end(CONTENT.subarray(start));
      return;
    }
    response.write(CONTENT.subarray(start, start + breakAfter), () => {
      if (isSilent) return;
      // Time for the client to read it.
      setTimeout(() => response.destroy(), 150);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/file`;
});

beforeEach(() => {
  breaksAfter = [];
  isSilent = false;
  ranges = [];
  etag = '"one"';
  name = `test-${process.pid}-${Math.random()}`;
});

afterAll(() => {
  server.close();
  server.closeAllConnections();
  for (const path of new Bun.Glob(`{downloads,locks}/*test-${process.pid}-*`).scanSync(CACHE)) {
    rmSync(join(CACHE, path));
  }
});

test("download() fetches once and then takes the file from the cache", async () => {
  const path = await download(url, name, SHA256);
  expect(readFileSync(path).equals(CONTENT)).toBe(true);
  await download(url, name, SHA256);
  expect(ranges).toEqual([undefined]);
});

test("download() goes on where a transfer broke off", async () => {
  breaksAfter = [100_000, 50_000];
  const path = await download(url, name, SHA256);
  expect(readFileSync(path).equals(CONTENT)).toBe(true);
  expect(ranges).toEqual([undefined, "bytes=100000-", "bytes=150000-"]);
});

test("download() leaves a half file under another name, and a later run resumes it", async () => {
  breaksAfter = [1_000, 1_000, 1_000];
  await expect(download(url, name, SHA256)).rejects.toThrow("failed to download");
  expect(existsSync(join(DOWNLOADS, name))).toBe(false);
  const { size } = statSync(join(DOWNLOADS, `${name}.part`));
  expect(size).toBeGreaterThan(0);
  const path = await download(url, name, SHA256);
  expect(readFileSync(path).equals(CONTENT)).toBe(true);
  expect(ranges.at(-1)).toBe(`bytes=${size}-`);
});

test("download() starts again when the server has another file now", async () => {
  breaksAfter = [1_000, 1_000, 1_000];
  await download(url, name, SHA256).catch(() => {});
  etag = '"two"';
  const path = await download(url, name, SHA256);
  expect(readFileSync(path).equals(CONTENT)).toBe(true);
});

test.each([
  ["all bytes", CONTENT.length],
  ["more bytes than there are", CONTENT.length + 1],
])("download() starts again where a killed build has left %s unnamed", async (_, bytes) => {
  writeFileSync(join(DOWNLOADS, `${name}.part`), Buffer.alloc(bytes));
  writeFileSync(join(DOWNLOADS, `${name}.tag`), etag);
  const path = await download(url, name, SHA256);
  expect(readFileSync(path).equals(CONTENT)).toBe(true);
  expect(ranges).toEqual([`bytes=${bytes}-`, undefined]);
});

test("download() goes on where a server has fallen silent", async () => {
  isSilent = true;
  breaksAfter = [100_000];
  const path = await download(url, name, SHA256, 200);
  expect(readFileSync(path).equals(CONTENT)).toBe(true);
  expect(ranges).toEqual([undefined, "bytes=100000-"]);
});

test("download() of one file, several times at once, fetches it once", async () => {
  const program = `
    const { download } = await import(${JSON.stringify(join(import.meta.dir, "download.ts"))});
    await download(${JSON.stringify(url)}, ${JSON.stringify(name)}, ${JSON.stringify(SHA256)});`;
  const builds = [1, 2, 3].map(() =>
    Bun.spawn([process.execPath, "-e", program], { stdout: "ignore", stderr: "pipe" }),
  );
  for (const build of builds) {
    expect(await new Response(build.stderr).text()).toBe("");
    expect(await build.exited).toBe(0);
  }
  expect(ranges).toEqual([undefined]);
});

test("download() does not try again where it cannot write", async () => {
  symlinkSync("/dev/full", join(DOWNLOADS, `${name}.part`));
  await expect(download(url, name, SHA256)).rejects.toThrow("ENOSPC");
  expect(ranges).toEqual([undefined]);
});

test("download() refuses and deletes bytes with another hash", async () => {
  const wrong = "0".repeat(64);
  await expect(download(url, name, wrong)).rejects.toThrow(HashMismatchError);
  expect(existsSync(join(DOWNLOADS, name))).toBe(false);
});

test("download() tells a host that is not there from one that says no", async () => {
  const closed = createServer();
  await new Promise<void>((resolve) => closed.listen(0, "127.0.0.1", resolve));
  const { port } = closed.address() as AddressInfo;
  await new Promise((resolve) => closed.close(resolve));
  await expect(download(`http://127.0.0.1:${port}/x`, name)).rejects.toThrow(UnreachableError);

  const refusing = createServer((_, response) => response.writeHead(404).end());
  await new Promise<void>((resolve) => refusing.listen(0, "127.0.0.1", resolve));
  const refused = `http://127.0.0.1:${(refusing.address() as AddressInfo).port}/x`;
  const error = await download(refused, name).catch((fault: unknown) => fault);
  expect(error).not.toBeInstanceOf(UnreachableError);
  expect(String(error)).toContain("HTTP status 404");
  refusing.close();
});

test("takeReachable() takes another only where a host cannot be reached, not for what it says", async () => {
  const instead = { words: "taking another", take: async () => "another" };
  const taken = (fault?: Error) =>
    takeReachable(
      "it",
      async () => {
        if (fault !== undefined) throw fault;
        return "its own";
      },
      instead,
    );
  expect(await taken()).toBe("its own");
  expect(await taken(new UnreachableError("no route"))).toBe("another");
  for (const fault of [new HashMismatchError("other bytes"), new Error("HTTP status 404")]) {
    await expect(taken(fault)).rejects.toBe(fault);
  }
});
