/**
 * What a build took from elsewhere, written down as dist/inputs.json, and read again to build from
 * exactly that: `INPUTS=dist/inputs.json make dist`.
 *
 * @module
 */

import { existsSync } from "node:fs";
import { resolve } from "node:path";

import { z } from "zod";

import packageLock from "../../package-lock.json" with { type: "json" };
import type { Architecture } from "../architectures.ts";
import { writeWhole } from "./artifacts.ts";
import { DebianError, OutOfStepError } from "./debian-faults.ts";
import { type DebianOrigin, debianOrigin } from "./debian-origin.ts";
import { compactDate, fetchFiles, missingOf } from "./debian.ts";
import { ROOT } from "./paths.ts";
import { step } from "./progress.ts";
import { parseFile, SOURCES } from "./sources.ts";

/** Name of the record in dist/. */
export const INPUTS_NAME = "inputs.json";

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);

/** A package's name becomes a part of paths. */
const packageName = z.string().regex(/^[a-z0-9][a-z0-9+.-]*$/);

const debianPackageSchema = z.strictObject({
  name: packageName,
  version: z.string(),
  source: packageName,
  archive: z.enum(["debian", "debian-security"]),
  path: z.string().regex(/^pool\/(?:[^./][^/]*\/)+[^./][^/]*_(?:all|amd64|arm64)\.deb$/),
  sha256,
  bytes: z.int(),
});

function hasAwsCli(packages: readonly { readonly name: string }[]): boolean {
  return packages.some(({ name }) => name === SOURCES.awsCli.debian.package);
}

const fileSchema = z.strictObject({ version: z.string(), url: z.string(), sha256 });

const awsCliSchema = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("debian"),
    /** When the archive was last changed, as its snapshots name it: 20261030T080801Z. */
    date: z.string().regex(/^\d{8}T\d{6}Z$/),
    packages: z.array(debianPackageSchema).refine(hasAwsCli, "the AWS CLI is not among them"),
  }),
  z.strictObject({ kind: z.literal("upstream"), ...fileSchema.shape }),
  z.strictObject({ kind: z.literal("file"), version: z.string(), sha256 }),
]);

const jqSchema = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("source"), version: z.string(), sha256, zig: z.string() }),
  z.strictObject({ kind: z.literal("upstream"), ...fileSchema.shape }),
  z.strictObject({ kind: z.literal("file"), version: z.string(), sha256 }),
]);

const architectureSchema = z.strictObject({ awsCli: awsCliSchema, jq: jqSchema });

const inputsSchema = z.strictObject({
  comment: z.string(),
  bun: z.string(),
  amd64: architectureSchema.exactOptional(),
  arm64: architectureSchema.exactOptional(),
});

/** What one architecture's AWS CLI was taken from. */
export type AwsCliInput = z.infer<typeof awsCliSchema>;

/** The Debian packages among them, of one day. */
export type DebianInput = Extract<AwsCliInput, { kind: "debian" }>;

/** What one architecture's jq was taken from. */
export type JqInput = z.infer<typeof jqSchema>;

/** What one architecture's layers were made from. */
export type ArchitectureInputs = z.infer<typeof architectureSchema>;

/** What a whole build was made from. */
export type Inputs = z.infer<typeof inputsSchema>;

/** Writes dist/inputs.json. */
export function writeInputs(
  inputs: Readonly<Partial<Record<Architecture["name"], ArchitectureInputs>>>,
): void {
  const record: Inputs = {
    comment:
      "What this build took from elsewhere; INPUTS=inputs.json make dist builds from the same",
    bun: bunVersion(),
    ...inputs,
  };
  writeWhole(INPUTS_NAME, `${JSON.stringify(record, null, 2)}\n`);
}

/**
 * Reads what to build from: the file that the variable INPUTS names, or nothing if it is not set.
 * @throws {Error} When the file is not there, not a record, or of a build with other tools.
 */
export function readInputs(path: string | undefined): Inputs | undefined {
  if (!path) return undefined;
  const absolute = resolve(ROOT, path);
  if (!existsSync(absolute)) {
    throw new Error(
      `failed to find INPUTS=${path}: it is the dist/${INPUTS_NAME} of an earlier build, ` +
        "or that of a release",
    );
  }
  const inputs = parseFile(absolute, inputsSchema);
  if (inputs.bun !== bunVersion()) {
    throw new Error(
      `failed to build from ${path}: it was made with Bun ${inputs.bun}, and package-lock.json ` +
        `has ${bunVersion()}: check out the commit that it was made from`,
    );
  }
  for (const name of ["amd64", "arm64"] as const) checkArchitecture(path, name, inputs[name]);
  return inputs;
}

/** @throws {Error} When a package is for another architecture than it is recorded for. */
function checkArchitecture(
  path: string,
  name: Architecture["name"],
  inputs: ArchitectureInputs | undefined,
): void {
  if (inputs?.awsCli.kind !== "debian") return;
  const other = inputs.awsCli.packages.find((each) => !each.path.match(`_(all|${name}).deb$`));
  if (other === undefined) return;
  throw new Error(
    `failed to build from ${path}: ${name}: ${other.path} is for another architecture`,
  );
}

/**
 * Fetches recorded packages into the cache: from the mirror while it still has them, else from
 * Debian's snapshots, which keep everything.
 * @throws {DebianError} When some are in neither; the message names them.
 */
export async function fetchRecorded(
  input: DebianInput,
  target: Architecture,
  { origin, snapshots = process.env["DEBIAN_SNAPSHOTS"] || SOURCES.debian.snapshots }: Places = {},
): Promise<void> {
  let missing = await missingOf(input.packages);
  if (missing.length === 0) return;
  const { debian, security } =
    origin ?? (await debianOrigin().catch(() => ({ debian: "", security: "" })));
  const day = afterwards(input.date);
  const places = [
    ...(debian === "" ? [] : [{ debian, "debian-security": security }]),
    {
      debian: `${snapshots}/debian/${day}`,
      "debian-security": `${snapshots}/debian-security/${day}`,
    },
  ];
  let fault: DebianError | undefined;
  for (const place of places) {
    try {
      await fetchFiles(
        missing.map((wanted) => ({ ...wanted, url: `${place[wanted.archive]}/${wanted.path}` })),
        `recorded Debian packages for ${target.name}`,
      );
    } catch (error) {
      if (!(error instanceof DebianError)) throw error;
      fault = error;
    }
    missing = await missingOf(missing);
    if (missing.length === 0) return;
    // What it does not have needs no explanation.
    const reason = !fault || fault instanceof OutOfStepError ? "" : `: ${fault.message}`;
    step(`${place.debian} lacks ${missing.length} of the recorded packages${reason}`);
  }
  const names = missing.map(({ name, version }) => `${name} ${version}`).join(", ");
  throw new DebianError(
    `failed to build from the recorded inputs: gone from the cache, from the mirror and from ` +
      `${snapshots}, or not to be reached there: ${names}; DEBIAN_SNAPSHOTS=URL names another ` +
      "copy of the snapshots, and a build without INPUTS takes the newest packages",
    { cause: fault },
  );
}

/** Where recorded packages may be; by default where the user says. */
export interface Places {
  readonly origin?: Pick<DebianOrigin, "debian" | "security">;
  readonly snapshots?: string;
}

/**
 * A moment at which the snapshots surely have what the archive had at a date: the first snapshot
 * after it is made within six hours, and what is replaced stays for a day and a half.
 */
function afterwards(date: string): string {
  const [, year, month, day, hour, minute, second] =
    /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(date)?.map(Number) ?? [];
  const moment = new Date(
    Date.UTC(year ?? 0, (month ?? 1) - 1, day ?? 1, (hour ?? 0) + 12, minute ?? 0, second ?? 0),
  );
  return compactDate(moment);
}

function bunVersion(): string {
  return packageLock.packages["node_modules/bun"].version;
}
