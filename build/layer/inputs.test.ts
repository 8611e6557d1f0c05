import { expect, test } from "bun:test";
import { symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import packageLock from "../../package-lock.json" with { type: "json" };
import { temporaryFolder } from "../../src/testing/temporary-folder.ts";
import { architecture } from "../architectures.ts";
import { stageAwsCli } from "./aws-cli.ts";
import { readInputs } from "./inputs.ts";
import { stageJq } from "./jq.ts";

const AMD64 = architecture("amd64");

const SHA256 = "0123456789abcdef".repeat(4);

const AWSCLI = {
  name: "awscli",
  version: "2.38.1-1",
  source: "awscli",
  archive: "debian",
  path: "pool/main/a/awscli/awscli_2.38.1-1_all.deb",
  sha256: SHA256,
  bytes: 1,
};

const PYTHON = {
  ...AWSCLI,
  name: "python3.14-minimal",
  path: "pool/main/p/python3.14/python3.14-minimal_3.14.8-1_amd64.deb",
};

const JQ = { kind: "source", version: "1.8.2", sha256: SHA256, zig: "0.15.2" } as const;

/** A record with one architecture. */
const record = (packages: readonly object[], awsCli: object = {}) => ({
  comment: "",
  bun: packageLock.packages["node_modules/bun"].version,
  amd64: { awsCli: { kind: "debian", date: "20261030T080801Z", packages, ...awsCli }, jq: JQ },
});

const GOOD = record([AWSCLI, PYTHON]);

function read(content: unknown) {
  const path = join(temporaryFolder("inputs"), "inputs.json");
  writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
  return readInputs(path);
}

test("readInputs() reads a record, and none where INPUTS is empty or not set", () => {
  expect(read(GOOD)).toEqual(GOOD as never);
  expect([readInputs(undefined), readInputs("")]).toEqual([undefined, undefined]);
});

test.each([
  ["nothing", "", "inputs.json: JSON Parse error"],
  ["half of it", JSON.stringify(GOOD).slice(0, 300), "inputs.json: JSON Parse error"],
  ["a page of HTML", "<html>", "inputs.json: JSON Parse error"],
  ["null", null, "inputs.json: Invalid input: expected object, received null"],
  ["a list", [GOOD], "inputs.json: Invalid input: expected object, received array"],
  ["another key", { ...GOOD, more: 1 }, 'inputs.json: Unrecognized key: "more"'],
  ["another Bun", { ...GOOD, bun: "1.0.0" }, "it was made with Bun 1.0.0, and package-lock.json"],
  ["no packages", record([]), "awsCli.packages: the AWS CLI is not among them"],
  ["no AWS CLI", record([PYTHON]), "awsCli.packages: the AWS CLI is not among them"],
  ["half a hash", record([{ ...AWSCLI, sha256: "0123" }]), "packages.0.sha256: "],
  ["a date that is not one", record([AWSCLI], { date: "today" }), "amd64.awsCli.date: "],
  ["a name that is a path", record([AWSCLI, { ...PYTHON, name: "../x" }]), "packages.1.name: "],
  ["a source that is a path", record([{ ...AWSCLI, source: "/etc" }]), "packages.0.source: "],
  ["a file elsewhere", record([{ ...AWSCLI, path: "pool/../../x_all.deb" }]), "packages.0.path: "],
  ["a file that is not a package", record([{ ...AWSCLI, path: "etc/passwd" }]), "packages.0.path"],
  [
    "packages for another architecture",
    record([AWSCLI, { ...PYTHON, path: PYTHON.path.replace("amd64", "arm64") }]),
    "amd64: pool/main/p/python3.14/python3.14-minimal_3.14.8-1_arm64.deb is for another architecture",
  ],
])("readInputs() says in one line what is wrong with %s", (_, content, message) => {
  let error: unknown;
  try {
    read(content);
  } catch (fault) {
    error = fault;
  }
  expect((error as Error).message).toContain(message);
  expect((error as Error).message).not.toContain("\n");
});

test.each(["auto", "upstream"])(
  "a recorded file must be named, which %s does not",
  async (choice) => {
    const recorded = { kind: "file", version: "1.2.3", sha256: SHA256 } as const;
    const tree = temporaryFolder("tree");
    await expect(stageAwsCli(tree, AMD64, { choice, recorded })).rejects.toThrow(
      "their AWS CLI 1.2.3 was a file: name it with AWS_CLI=/path/to/zip",
    );
    await expect(stageJq(tree, AMD64, { choice, recorded })).rejects.toThrow(
      "their jq 1.2.3 was a file: name it with JQ=/path/to/jq",
    );
  },
);

test("only an executable is taken as jq, and only a file as the AWS CLI", async () => {
  const folder = temporaryFolder("choices");
  writeFileSync(join(folder, "script"), "#!/bin/sh\necho jq-1.8.2\n", { mode: 0o755 });
  symlinkSync("nothing", join(folder, "dangling"));
  symlinkSync("loop", join(folder, "loop"));
  const tree = temporaryFolder("tree");
  const nowhere = [
    "/nowhere",
    join(folder, "script/x"),
    join(folder, "loop"),
    `/${"x".repeat(300)}`,
  ];
  for (const choice of [folder, join(folder, "dangling"), "Upstream", ...nowhere]) {
    await expect(stageJq(tree, AMD64, { choice })).rejects.toThrow(
      `failed to find jq at ${choice}: JQ must be auto, upstream, source or its path`,
    );
    await expect(stageAwsCli(tree, AMD64, { choice })).rejects.toThrow(
      `failed to find the AWS CLI at ${choice}: AWS_CLI must be auto, upstream, debian or a zip's path`,
    );
  }
  for (const choice of [join(folder, "script"), "/etc/passwd"]) {
    await expect(stageJq(tree, AMD64, { choice })).rejects.toThrow("is not an executable (ELF)");
  }
});
