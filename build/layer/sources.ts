/**
 * Reads layer/sources.json: what may go into a layer, and from where.
 *
 * @module
 */

import { readFileSync } from "node:fs";
import { join } from "node:path";

import { z } from "zod";

import type { Architecture } from "../architectures.ts";
import { LAYER } from "./paths.ts";

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const sha256ByArchitecture = z.strictObject({ amd64: sha256, arm64: sha256 });

/** Names of packages may be patterns (`gcc-*-base`): numbers in them change with time. */
const debianPackage = z.strictObject({ name: z.string(), license: z.string(), use: z.string() });
const leftOutPackage = z.strictObject({ name: z.string(), reason: z.string() });

const suitesSchema = z.strictObject({
  /** The suite that everything is taken from. */
  base: z.string(),
  /** Suites of the same archive, and of the archive of security updates, that are read too. */
  updates: z.array(z.string()).exactOptional(),
  security: z.array(z.string()).exactOptional(),
  /** A suite that some packages alone are taken from, where it has newer ones that fit. */
  newer: z.strictObject({ suite: z.string(), packages: z.array(z.string()) }).exactOptional(),
  /** Whether the index of source packages is read. */
  sources: z.boolean().exactOptional(),
});

const sourcesSchema = z.strictObject({
  awsCli: z.strictObject({
    upstream: z.strictObject({
      version: z.string(),
      url: z.string(),
      signatureUrl: z.string(),
      key: z.string(),
      fingerprint: z.string().regex(/^[0-9A-F]{40}$/),
    }),
    debian: z.strictObject({ package: z.string() }),
  }),
  jq: z.strictObject({
    version: z.string(),
    upstream: z.strictObject({ url: z.string(), sha256: sha256ByArchitecture }),
    source: z.strictObject({
      package: z.string(),
      packageVersion: z.string(),
      packageSha256: sha256,
      tarball: z.string(),
      sha256,
    }),
  }),
  zig: z.strictObject({ version: z.string(), sha256: sha256ByArchitecture }),
  debian: z.strictObject({
    suites: suitesSchema,
    snapshots: z.string(),
    keyring: z.string(),
    leftOut: z.array(leftOutPackage),
    packages: z.array(debianPackage),
  }),
});

/** What may go into a layer, and from where. */
export type Sources = z.infer<typeof sourcesSchema>;

/** Suites of Debian's archive that packages are taken from. */
export type DebianSuites = z.infer<typeof suitesSchema>;

/** The parsed layer/sources.json. */
export const SOURCES: Sources = parseFile(join(LAYER, "sources.json"), sourcesSchema);

/** Fills the {names} of a URL. */
export function fillUrl(url: string, version: string, target: Architecture): string {
  return url
    .replaceAll("{version}", version)
    .replaceAll("{machine}", target.machine)
    .replaceAll("{name}", target.name);
}

/**
 * Reads a JSON file that must have a given shape.
 * @throws {Error} When it is not there, not JSON or of another shape; the message says where.
 */
export function parseFile<T>(path: string, schema: z.ZodType<T>): T {
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`failed to read ${path}: ${reason}`, { cause: error });
  }
  const result = schema.safeParse(content);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const place = issue === undefined || issue.path.length === 0 ? "" : `${issue.path.join(".")}: `;
  throw new Error(`failed to read ${path}: ${place}${issue?.message}`);
}
