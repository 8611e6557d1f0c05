/**
 * Renders the templates of the Serverless Application Repository with the version and the names.
 *
 *     bun build/deployments/release/render-sar.ts    # layer/sar/ to dist/sar/
 *
 * The names come from the environment, so that a development copy lives beside the real one:
 * ENV=dev, LSR_SAR_APP_BASE, LSR_SAR_APP_NAME_{ARM64,AMD64,WRAPPER}, LSR_LAYER_NAME_{ARM64,AMD64},
 * LSR_AWS_REGION, AWS_ACCOUNT_ID, AWS_PARTITION, HOME_PAGE. LAYER_DIST is the folder with the zips;
 * ZIPS, where they have been put: s3://BUCKET/PREFIX.
 *
 * @module
 */

import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";

import { reportErrors } from "../../plain-errors.ts";
import { VERSION } from "../version.ts";

const ROOT = join(import.meta.dir, "../../..");
const SOURCE = join(ROOT, "layer/sar");

/** Where the templates are not published from an account, this stands for it. */
const EXAMPLE_ACCOUNT_ID = "123456789012";

/** The version of every development copy: one that no release has. */
const DEVELOPMENT_VERSION = "0.0.0";

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The value of every placeholder, `@NAME@`, of the templates.
 * @throws {Error} When a variable is set to nothing: that is a mistake, and no name.
 */
export function placeholders(environment: Environment): ReadonlyMap<string, string> {
  const development = environment["ENV"] === "dev";
  const named = (variable: string, otherwise: string) => {
    const value = environment[variable] ?? otherwise;
    if (value === "") {
      throw new Error(`failed to render the templates: ${variable} is empty; unset it or say what`);
    }
    return value;
  };
  const base = named("LSR_SAR_APP_BASE", "lambda-shell-runtime");
  const name = development ? `${base}-dev` : base;
  const zips = environment["LAYER_DIST"];
  return new Map([
    ["APPLICATION", named("LSR_SAR_APP_NAME_WRAPPER", name)],
    ["APPLICATION_ARM64", named("LSR_SAR_APP_NAME_ARM64", `${name}-arm64`)],
    ["APPLICATION_AMD64", named("LSR_SAR_APP_NAME_AMD64", `${name}-amd64`)],
    ["LAYER_ARM64", named("LSR_LAYER_NAME_ARM64", `${name}-arm64`)],
    ["LAYER_AMD64", named("LSR_LAYER_NAME_AMD64", `${name}-amd64`)],
    ["REGION", named("LSR_AWS_REGION", "us-east-1")],
    ["ACCOUNT", named("AWS_ACCOUNT_ID", EXAMPLE_ACCOUNT_ID)],
    ["PARTITION", named("AWS_PARTITION", "aws")],
    ["HOME_PAGE", named("HOME_PAGE", "https://example.com/lambda-shell-runtime")],
    // From the template's own folder, dist/sar, or from anywhere.
    ["ZIPS", environment["ZIPS"] ?? (zips === undefined ? ".." : resolve(ROOT, zips))],
    // The zips have the version of the release, also under a development copy's own.
    ["RELEASE", VERSION],
    ["VERSION", development ? named("LSR_SAR_VERSION_DEV", DEVELOPMENT_VERSION) : VERSION],
  ]);
}

/**
 * Fills in the placeholders of one template.
 * @throws {Error} When the template has a placeholder that nothing is known for.
 */
export function render(template: string, values: ReadonlyMap<string, string>): string {
  return template.replace(/@([A-Z][A-Z0-9_]*)@/g, (_, name: string) => {
    const value = values.get(name);
    if (value === undefined) throw new Error(`failed to render @${name}@: it has no value`);
    return value;
  });
}

/** Renders every template into a folder, with the files that their metadata names. */
export function renderAll(output: string, environment: Environment): void {
  const values = placeholders(environment);
  mkdirSync(output, { recursive: true });
  for (const file of readdirSync(SOURCE).filter((name) => name.endsWith(".yaml"))) {
    const text = render(readFileSync(join(SOURCE, file), "utf8"), values);
    writeFileSync(join(output, file), text);
  }
  copyFileSync(join(SOURCE, "README.md"), join(output, "README.md"));
  copyFileSync(join(ROOT, "LICENSE"), join(output, "LICENSE"));
}

if (import.meta.main) {
  reportErrors();
  const output = join(ROOT, "dist/sar");
  renderAll(output, process.env);
  console.log(`dist/sar: ${readdirSync(output).sort().join(" ")}`);
}
