/**
 * `lambda-shell package`: a function's folder as a zip, the same bytes each time.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, join, relative, resolve } from "node:path";

import type { Command } from "commander";

import { checkFolder } from "../check/folder.ts";
import { fileBytes, leadsOut } from "../file-facts.ts";
import { awsArchitecture, type MachineArchitecture } from "../program.ts";
import { ZIP_UPLOAD_BYTES_MAX } from "../runtime-api/contract.ts";
import { type EmptyFolder, zip, type ZipEntry } from "../zip.ts";
import { checkTargets } from "./check.ts";
import { CommandError, EXIT } from "./cli/exit-status.ts";
import { requireFolder, unreadable, writtenBefore } from "./cli/input.ts";
import { collected } from "./cli/options.ts";
import { pathWord } from "./cli/suggest.ts";
import { say } from "./cli/terminal.ts";
import {
  archOption,
  bootstrapFix,
  carriedBootstraps,
  functionArchitecture,
} from "./function/architecture.ts";
import { folderContent, type FolderFile, LEFT_OUT } from "./function/files.ts";
import { insteadOfFolder } from "./function/options.ts";

interface PackageOptions {
  readonly output?: string;
  readonly handler?: string;
  readonly arch?: MachineArchitecture;
  readonly template?: string;
  readonly withBootstrap?: boolean;
  readonly exclude?: readonly string[];
  readonly check: boolean;
}

/** Adds the command to the program. */
export function addPackageCommand(program: Command): void {
  program
    .command("package")
    .summary("a reproducible function zip")
    .description(
      "Write a function's folder as a zip for Lambda: sorted, dated 1980, modes 0755 and 0644. " +
        "Prints the path; size, hash and what was left out go to standard error.\n\n" +
        `Left out are ${LEFT_OUT.join(", ")}, ` +
        "the zip itself and NAME.zip of an earlier run, and what --exclude names.",
    )
    .argument("[dir]", "folder of the function", ".")
    .option("-o, --output <file>", "zip to write (default: NAME.zip)")
    .option(
      "--with-bootstrap",
      "put this tool's bootstrap inside: no layer is needed, unless for aws and jq",
    )
    .addOption(archOption())
    .option("--handler <name>", "handler that is checked (default: function.handler)")
    .option("--template <file>", "SAM template that is checked (default: DIR/template.yaml)")
    .addOption(collected("--exclude <glob>", "leave files out"))
    .option("--no-check", "package in spite of errors")
    .action(async (directory: string, options: PackageOptions) => {
      process.exitCode = await packageFolder(directory, options);
    });
}

async function packageFolder(directory: string, options: PackageOptions): Promise<number> {
  const root = resolve(directory);
  requireFolder(root, directory, insteadOfFolder(directory));
  const output = resolve(options.output ?? `${basename(root)}.zip`);
  if (options.output === "-") {
    throw new CommandError("--output -: a zip is written to a file, as in --output function.zip");
  }
  const before = writtenBefore(options.output ?? output, "--output", "zip", /^PK/);
  const architecture = functionArchitecture(root, options.arch);
  const excluded = [...ownOutputs(root, output), ...(options.exclude ?? [])];
  if (options.check) {
    const findings = await checkFolder(checkTargets(root, options), excluded);
    for (const { level, message } of findings) say(level, message);
    if (findings.some(({ level }) => level === "error")) return EXIT.functionError;
  }
  const { files, leftOut, closed, unmatched } = folderContent(root, excluded);
  if (closed[0] !== undefined) throw closedFolder(closed[0]);
  const bytes = archived(entries(root, files, architecture, options));
  try {
    writeFileSync(output, bytes);
  } catch (error) {
    restore(output, before);
    throw unreadable(`--output ${options.output ?? output}`, error);
  }
  const hash = createHash("sha256").update(bytes).digest("base64");
  process.stdout.write(`${output}\n`);
  say("info", `${bytes.byteLength} bytes, CodeSha256 ${hash}`);
  if (leftOut.length > 0) say("info", `left out: ${listed(leftOut)}`);
  for (const pattern of options.exclude ?? []) {
    if (!unmatched.includes(pattern)) continue;
    say("warning", `--exclude ${pattern}: it leaves nothing out\n  ${PATTERN_FORMS}`);
  }
  if (bytes.byteLength > ZIP_UPLOAD_BYTES_MAX) {
    say("warning", `more than ${ZIP_UPLOAD_BYTES_MAX} bytes must be uploaded through S3`);
  }
  return EXIT.ok;
}

/** What is thrown of a folder that may not be read: a zip without it would lack what the function may need. */
function closedFolder(path: string): CommandError {
  return new CommandError(
    `failed to read the folder ${path}: permission denied\n` +
      `  chmod -R u+rX ${pathWord(path)}, or leave it out: --exclude ${pathWord(path)}`,
  );
}

/** Leaves what was there before a write that has failed: a part of a zip is of no use. */
function restore(output: string, before: Uint8Array | undefined): void {
  try {
    // On a full disk there is room for what was there; a device must stay.
    if (before !== undefined) writeFileSync(output, before);
    else if (statSync(output).isFile()) rmSync(output);
  } catch {
    // It could not be written at all, and is as it was.
  }
}

/**
 * The zip of some entries.
 * @throws {CommandError} When they are more, or larger, than a zip for Lambda can be.
 */
function archived(all: readonly (ZipEntry | EmptyFolder)[]): Uint8Array {
  try {
    return zip(all);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new CommandError(`${error.message}\n  leave files out: --exclude PATTERN`);
  }
}

/** What `--exclude` takes. */
const PATTERN_FORMS =
  "name a file or folder, wherever it stands, or its path in the folder: *.log, data/*.csv";

/** Names that a message shows before it only counts. */
const SHOWN_MAX = 20;

function listed(paths: readonly string[]): string {
  const more = paths.length - SHOWN_MAX;
  return `${paths.slice(0, SHOWN_MAX).join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}

/** This zip and that of an earlier run, where they lie in the folder, as patterns of their paths. */
function ownOutputs(root: string, output: string): readonly string[] {
  return [output, join(root, `${basename(root)}.zip`)]
    .map((path) => relative(root, path))
    .filter((path) => !leadsOut(path))
    .map((path) => path.replace(/[\\*?[\]{}!]/g, "\\$&"));
}

function entries(
  root: string,
  files: readonly FolderFile[],
  architecture: MachineArchitecture,
  options: PackageOptions,
): readonly (ZipEntry | EmptyFolder)[] {
  const all: (ZipEntry | EmptyFolder)[] = files.map((file) => {
    if (file.kind !== "file") return file;
    const { path } = file;
    const executable = (file.mode & 0o111) !== 0 || path === "bootstrap";
    const bytes = new Uint8Array(readFileSync(join(root, path)));
    return { kind: "file", path, bytes, mode: executable ? 0o755 : 0o644 };
  });
  if (options.withBootstrap !== true) return all;
  if (all.some(({ path }) => path === "bootstrap")) {
    throw new CommandError("--with-bootstrap: the folder has a bootstrap of its own");
  }
  const places = carriedBootstraps(architecture);
  const found = places.map(fileBytes).find((each) => each !== undefined);
  if (found === undefined) {
    throw new CommandError(
      `no bootstrap for ${awsArchitecture(architecture)}\n  looked for: ${places.join(", ")}\n` +
        `  ${bootstrapFix(architecture)}`,
    );
  }
  const bytes = new Uint8Array(found);
  return [...all, { kind: "file", path: "bootstrap", bytes, mode: 0o755 }];
}
