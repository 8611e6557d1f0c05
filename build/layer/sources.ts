/**
 * Reads layer/sources.json and layer/debian-packages.json: what goes into a layer, pinned.
 *
 * @module
 */

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { z } from "zod";

import type { Architecture } from "../architectures.ts";
import { LAYER } from "./paths.ts";

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const sha256ByArchitecture = z.strictObject({ amd64: sha256, arm64: sha256 });

const debianPackage = z.strictObject({ name: z.string(), license: z.string(), use: z.string() });

const sourcesSchema = z.strictObject({
  awsCli: z.strictObject({
    upstream: z.strictObject({
      version: z.string(),
      url: z.string(),
      signatureUrl: z.string(),
      key: z.string(),
      fingerprint: z.string().regex(/^[0-9A-F]{40}$/),
    }),
    debian: z.strictObject({ package: z.string(), python: z.string() }),
  }),
  jq: z.strictObject({
    upstream: z.strictObject({
      version: z.string(),
      url: z.string(),
      sha256: sha256ByArchitecture,
    }),
    debian: z.strictObject({ jq: z.string(), oniguruma: z.string() }),
  }),
  zig: z.strictObject({ version: z.string(), sha256: sha256ByArchitecture }),
  debian: z.strictObject({
    suite: z.string(),
    keyring: z.string(),
    packages: z.array(debianPackage),
  }),
});

const pinSchema = z.strictObject({
  name: z.string(),
  version: z.string(),
  sha256,
  bytes: z.int(),
});

const pinsSchema = z.strictObject({
  comment: z.string(),
  amd64: z.array(pinSchema),
  arm64: z.array(pinSchema),
  sources: z.array(
    z.strictObject({
      name: z.string(),
      version: z.string(),
      files: z.array(z.strictObject({ name: z.string(), sha256, bytes: z.int() })),
    }),
  ),
});

/** What may go into a layer, and from where. */
export type Sources = z.infer<typeof sourcesSchema>;

/** One Debian package at one version, as its archive's signed index describes it. */
export type DebianPin = z.infer<typeof pinSchema>;

/** The exact Debian packages and source packages of a build. */
export type DebianPins = z.infer<typeof pinsSchema>;

/** The file of exact versions, written by `bun build/layer/debian-pins.ts`. */
export const PINS_FILE = join(LAYER, "debian-packages.json");

/** The parsed layer/sources.json. */
export const SOURCES: Sources = parse(join(LAYER, "sources.json"), sourcesSchema);

/** Reads the pinned Debian versions; empty before they were first written. */
export function debianPins(): DebianPins {
  if (!existsSync(PINS_FILE)) return { comment: "", amd64: [], arm64: [], sources: [] };
  return parse(PINS_FILE, pinsSchema);
}

/** Fills the {names} of a URL. */
export function fillUrl(url: string, version: string, target: Architecture): string {
  return url
    .replaceAll("{version}", version)
    .replaceAll("{machine}", target.machine)
    .replaceAll("{name}", target.name);
}

function parse<T>(path: string, schema: z.ZodType<T>): T {
  const result = schema.safeParse(JSON.parse(readFileSync(path, "utf8")));
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new Error(`failed to read ${path}: ${issue?.path.join(".")}: ${issue?.message}`);
}
