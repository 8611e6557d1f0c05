/**
 * The source `upstream`, whole, against a local server with an installer of the same shape and a
 * signature by a key made for the test: AWS's own host cannot be part of a test.
 */

import { afterAll, beforeAll, beforeEach, expect, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join, relative } from "node:path";

import { temporaryFolder } from "../../src/testing/temporary-folder.ts";
import { zip, type ZipEntry } from "../../src/zip.ts";
import { architecture } from "../architectures.ts";
import type { UpstreamAwsCli } from "./aws-cli-upstream.ts";
import { stageAwsCli } from "./aws-cli.ts";
import { run } from "./command.ts";
import { DOWNLOADS, UnreachableError } from "./download.ts";
import { shrinkModels } from "./models.ts";
import { CACHE, ROOT } from "./paths.ts";
import { SignatureError } from "./pgp-signature.ts";

const AMD64 = architecture("amd64");
const MODEL = `{
  "metadata": {"max": 9223372036854775807},
  "documentation": "<p>long \\" text</p>",
  "shapes": {"documentation": {"type": "string"}}
}
`;

const folder = temporaryFolder("upstream");
const files = new Map<string, Uint8Array>();
let server: Server;
let breaksAfter: number[] = [];
let pinned: UpstreamAwsCli;
let upstream: UpstreamAwsCli;
let installer: Uint8Array<ArrayBuffer>;
let goodSignature: Uint8Array;
let strangersSignature: Uint8Array;
let number = 0;

beforeAll(async () => {
  const fingerprint = await makeKey("signer");
  await makeKey("stranger");
  installer = zip(installerEntries());
  const path = join(folder, "installer.zip");
  writeFileSync(path, installer);
  goodSignature = await sign("signer", path);
  strangersSignature = await sign("stranger", path);
  server = createServer((request, response) => {
    const content = files.get(request.url ?? "");
    if (content === undefined) {
      response.writeHead(404).end();
      return;
    }
    const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
    const status = start > 0 ? 206 : 200;
    response.writeHead(status, { etag: '"1"', "content-length": content.length - start });
    const breakAfter = breaksAfter.shift();
    if (breakAfter === undefined) response.end(content.subarray(start));
    else
      response.write(content.subarray(start, start + breakAfter), () =>
        setTimeout(() => response.destroy(), 150),
      );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  pinned = {
    version: "",
    url: `${base}/awscli-exe-linux-{machine}-{version}.zip`,
    signatureUrl: `${base}/awscli-exe-linux-{machine}-{version}.zip.sig`,
    key: relative(ROOT, join(folder, "signer.asc")),
    fingerprint,
  };
});

beforeEach(() => {
  // Each test has a version of its own, so that no test finds another's download.
  number += 1;
  upstream = { ...pinned, version: `2.${process.pid}.${number}` };
  files.clear();
  breaksAfter = [];
  serve(installer, goodSignature);
});

afterAll(() => {
  server.close();
  for (const path of new Bun.Glob(`{downloads,locks}/*-2.${process.pid}.*`).scanSync(CACHE)) {
    rmSync(join(CACHE, path));
  }
});

test("upstream: an installer with a good signature is laid out as by its own script", async () => {
  const tree = temporaryFolder("tree");
  const staged = await stageAwsCli(tree, AMD64, { choice: "upstream", upstream });
  expect(staged.kind).toBe("upstream");
  expect(staged.version).toBe("2.38.1");
  expect(staged.parts[0]?.source).toContain(`-${upstream.version}.zip`);
  expect(readlinkSync(join(tree, "bin/aws"))).toBe("../aws-cli/v2/current/bin/aws");
  expect(readlinkSync(join(tree, "aws-cli/v2/current"))).toBe("2.38.1");
  expect(lstatSync(join(tree, "aws-cli/v2/2.38.1/dist/aws")).mode & 0o777).toBe(0o755);
  expect(await run([join(tree, "bin/aws"), "--version"])).toBe("aws-cli/2.38.1 of the test\n");
  expect(staged.parts[0]?.licenses.map(({ fileName }) => fileName)).toContain("awscli.txt");
});

test("upstream: models lose white space and documentation, and keep every digit", async () => {
  const tree = temporaryFolder("tree");
  await stageAwsCli(tree, AMD64, { choice: "upstream", upstream });
  const saving = await shrinkModels(tree);
  const model = join(
    tree,
    "aws-cli/v2/2.38.1/dist/awscli/botocore/data/s3/2006-03-01/service-2.json",
  );
  expect(readFileSync(model, "utf8")).toBe(
    '{"metadata":{"max":9223372036854775807},"shapes":{"documentation":{"type":"string"}}}',
  );
  expect(saving).toMatchObject({ files: 1, bytes: MODEL.length - 85 });
});

test.each(["upstream", "auto"])(
  "upstream: a bad signature stops the build with AWS_CLI=%s",
  async (choice) => {
    const other = zip([{ kind: "file", path: "aws/dist/aws", bytes: text("evil"), mode: 0o755 }]);
    serve(other, goodSignature);
    await expectRefused(choice, "failed to verify the signature");
  },
);

test("upstream: a signature by another key stops the build", async () => {
  serve(installer, strangersSignature);
  await expectRefused("auto", "failed to verify the signature");
});

test("upstream: another key under the same file name stops the build", async () => {
  upstream = { ...upstream, fingerprint: "0".repeat(40) };
  await expectRefused("auto", "not by 0000");
});

test("upstream: a missing signature stops the build, and is not a reason to take Debian's", async () => {
  files.delete([...files.keys()].find((path) => path.endsWith(".sig")) ?? "");
  await expectRefused("auto", "failed to fetch the signature");
});

test("upstream: an installer that is not there stops the build", async () => {
  files.clear();
  await expectRefused("auto", "HTTP status 404");
});

test("upstream: a truncated installer is refused, whatever its announced length", async () => {
  serve(installer.subarray(0, installer.length - 10), goodSignature);
  await expectRefused("auto", "failed to verify the signature");
});

test("upstream: an interrupted download is resumed by the next build", async () => {
  breaksAfter = [100, 100, 100];
  await expectRefused("auto", "failed to download");
  const tree = temporaryFolder("tree");
  const staged = await stageAwsCli(tree, AMD64, { choice: "upstream", upstream });
  expect(staged.version).toBe("2.38.1");
});

test("upstream: a host that cannot be reached is an error of its own kind", async () => {
  const nobody = { ...upstream, url: "http://127.0.0.1:9/{version}.zip" };
  await expect(
    stageAwsCli(temporaryFolder("tree"), AMD64, { choice: "upstream", upstream: nobody }),
  ).rejects.toThrow(UnreachableError);
});

test("a zip of one's own is taken as it is", async () => {
  const path = join(folder, "mine.zip");
  writeFileSync(path, installer);
  const staged = await stageAwsCli(temporaryFolder("tree"), AMD64, { choice: path });
  expect(staged).toMatchObject({ kind: "upstream", version: "2.38.1" });
  await expect(
    stageAwsCli(temporaryFolder("tree"), AMD64, { choice: "/nowhere.zip" }),
  ).rejects.toThrow("AWS_CLI must be auto, upstream, debian or a zip's path");
});

async function expectRefused(choice: string, message: string): Promise<void> {
  const tree = temporaryFolder("tree");
  const error = await stageAwsCli(tree, AMD64, { choice, upstream }).catch(
    (fault: unknown) => fault,
  );
  expect(error).toBeInstanceOf(Error);
  expect(error).not.toBeInstanceOf(UnreachableError);
  expect(String(error)).toContain(message);
  if (message.includes("signature")) expect(error).toBeInstanceOf(SignatureError);
  expect(existsSync(join(tree, "aws-cli"))).toBe(false);
  // What was not proven good is not kept for the next run.
  const name = `awscli-exe-linux-x86_64-${upstream.version}.zip`;
  expect(existsSync(join(DOWNLOADS, name))).toBe(message.includes("fetch the signature"));
}

function serve(zipBytes: Uint8Array, signature: Uint8Array): void {
  const path = `/awscli-exe-linux-x86_64-${upstream.version}.zip`;
  files.set(path, zipBytes);
  files.set(`${path}.sig`, signature);
}

/** An archive of the shape of AWS's: `aws/install`, `aws/dist/`, `aws/THIRD_PARTY_LICENSES`. */
function installerEntries(): ZipEntry[] {
  const program = "#!/bin/sh\nprintf 'aws-cli/2.38.1 of the test\\n'\n";
  const contents: readonly (readonly [string, string, number])[] = [
    ["aws/install", "#!/bin/sh\nexit 1\n", 0o755],
    ["aws/README.md", "readme\n", 0o644],
    ["aws/THIRD_PARTY_LICENSES", "licences\n", 0o644],
    ["aws/dist/aws", program, 0o755],
    ["aws/dist/aws_completer", program, 0o755],
    ["aws/dist/awscli-2.38.1.dist-info/METADATA", "Version: 2.38.1\n", 0o644],
    ["aws/dist/awscli/data/ac.index", "index", 0o644],
    ["aws/dist/awscli/examples/s3/cp.rst", "example", 0o644],
    ["aws/dist/awscli/botocore/data/s3/2006-03-01/service-2.json", MODEL, 0o644],
  ];
  return contents.map(([path, content, mode]) => ({
    kind: "file",
    path,
    bytes: text(content),
    mode,
  }));
}

function gpg(name: string): string[] {
  return ["gpg", "--homedir", join(folder, name), "--batch", "--quiet", "--no-tty"];
}

async function makeKey(name: string): Promise<string> {
  mkdirSync(join(folder, name));
  chmodSync(join(folder, name), 0o700);
  const passphrase = ["--pinentry-mode", "loopback", "--passphrase", ""];
  await run([...gpg(name), ...passphrase, "--quick-gen-key", `${name}@example.org`, "ed25519"]);
  await run([...gpg(name), "--armor", "--output", join(folder, `${name}.asc`), "--export"]);
  const listing = await run([...gpg(name), "--with-colons", "--list-keys"]);
  return /^fpr:+([0-9A-F]{40}):/m.exec(listing)?.[1] ?? "";
}

async function sign(name: string, path: string): Promise<Uint8Array> {
  const output = join(folder, `${name}.sig`);
  await run([...gpg(name), "--yes", "--output", output, "--detach-sign", path]);
  return new Uint8Array(readFileSync(output));
}

function text(content: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(content);
}
