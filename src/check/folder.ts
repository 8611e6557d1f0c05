/**
 * Everything that would fail on Lambda, found in a function's folder without running it.
 *
 * @module
 */

import { existsSync, realpathSync } from "node:fs";
import { dirname, join, normalize } from "node:path";

import { pathWord } from "../commands/cli/suggest.ts";
import { folderContent, type FolderFile } from "../commands/function/files.ts";
import { startOfFile } from "../commands/function/handler.ts";
import { fileBytes, leadsOut, statOf } from "../file-facts.ts";
import { isUtf16Script, shebangWords } from "../handler/script.ts";
import { readElf } from "../program.ts";
import { UNZIPPED_BYTES_MAX, ZIP_UPLOAD_BYTES_MAX } from "../runtime-api/contract.ts";
import { checkConfiguration } from "./configuration.ts";
import { checkElf } from "./elf.ts";
import { type CheckTarget, error, type Finding, warning } from "./finding.ts";
import { checkHandler } from "./handler.ts";
import { lambdaFiles } from "./lambda-system.ts";
import { checkText, lineEnds } from "./scripts.ts";

const ORDER = { error: 0, warning: 1, hint: 2 } as const;

/**
 * Everything that is wrong with the functions of one folder, errors first.
 * @param excluded Patterns of what is left out of the zip besides what always is.
 */
export async function checkFolder(
  targets: readonly CheckTarget[],
  excluded: readonly string[] = [],
): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  for (const [at, target] of targets.entries()) {
    const { files, leftOut, closed } = folderContent(target.directory, excluded);
    const isLeftOut = (path: string) =>
      leftOut.some((each) => (each.endsWith("/") ? path.startsWith(each) : path === each));
    // What the folder has is the same for all of them.
    if (at === 0) findings.push(...checkBootstrap(target));
    findings.push(...(await checkHandler(target, isLeftOut)));
    if (at === 0) findings.push(...checkFiles(target, files), ...closed.map(closedFolder));
    findings.push(...checkConfiguration(target));
  }
  const seen = new Set<string>();
  return findings
    .filter(({ message }) => !seen.has(message) && seen.add(message))
    .sort((one, other) => ORDER[one.level] - ORDER[other.level]);
}

/** A folder that may not be read; `package` refuses it. */
function closedFolder(path: string): Finding {
  return warning(
    `${path} may not be read: what is in it is not checked`,
    "lambda-shell package fails with: permission denied",
    `fix: chmod -R u+rX ${pathWord(path)}`,
  );
}

function checkBootstrap({ directory }: CheckTarget): readonly Finding[] {
  const path = join(directory, "bootstrap");
  const stat = statOf(path);
  if (stat?.isFile() !== true) return [];
  const findings: Finding[] = [];
  if ((stat.mode & 0o111) === 0) {
    const mode = `0${(stat.mode & 0o777).toString(8)}`;
    findings.push(
      error(
        `bootstrap is not executable: ./bootstrap (mode ${mode})`,
        "on AWS this fails with: Runtime.ExitError … exit status 126",
        "fix: chmod +x bootstrap",
      ),
    );
  }
  const bytes = fileBytes(path);
  // A program's architecture is looked at with that of all others.
  if (bytes !== undefined && readElf(bytes) === undefined)
    findings.push(...checkShebang("bootstrap", bytes.toString("utf8")));
  return findings;
}

function checkShebang(file: string, text: string): readonly Finding[] {
  const [first = ""] = text.split("\n", 1);
  if (!first.startsWith("#!")) {
    return [
      error(
        `${file} has no #! line and is not an ELF binary (exec format error)`,
        "on AWS this fails with: Runtime.InvalidEntrypoint",
        "fix: begin it with #!/bin/sh",
      ),
    ];
  }
  return first.endsWith("\r") ? [lineEnds(file, 1)] : [];
}

function checkFiles(target: CheckTarget, files: readonly FolderFile[]): readonly Finding[] {
  const findings: Finding[] = [];
  let byteLength = 0;
  for (const file of files) {
    if (file.kind === "folder") continue;
    if (file.kind === "symlink") {
      findings.push(...checkLink(target.directory, file));
      continue;
    }
    byteLength += file.byteLength;
    if ((file.mode & 0o004) === 0) {
      const mode = `0${file.mode.toString(8)}`;
      findings.push(
        warning(
          `${file.path} is not readable by others (mode ${mode})`,
          "a zip of these modes fails on AWS; lambda-shell package sets 0644",
          `fix: chmod a+r ${pathWord(file.path)}`,
        ),
      );
    }
    findings.push(...checkContent(target, file));
  }
  if (byteLength > UNZIPPED_BYTES_MAX) {
    findings.push(
      error(
        `the folder has ${byteLength} bytes, Lambda takes at most ${UNZIPPED_BYTES_MAX}, layers included`,
        "on AWS the upload fails with: InvalidParameterValueException",
        "fix: leave out what the function does not need, or make it a container image",
      ),
    );
  } else if (byteLength > ZIP_UPLOAD_BYTES_MAX * 2) {
    findings.push(
      warning(
        `the folder has ${byteLength} bytes; a direct upload takes zips of at most ${ZIP_UPLOAD_BYTES_MAX} bytes`,
        "fix: upload a larger zip to S3 first, as sam deploy and aws cloudformation package do",
      ),
    );
  }
  return findings;
}

/** A link, which is packed as such. */
function checkLink(
  directory: string,
  { path, target }: FolderFile & { kind: "symlink" },
): readonly Finding[] {
  const leadsTo = normalize(join(dirname(path), target));
  if (target.startsWith("/opt/") || target.startsWith("/tmp/")) return [];
  if (target.startsWith("/") || leadsOut(leadsTo)) {
    const source = target.startsWith("/") ? target : leadsTo;
    return [
      warning(
        `${path} links outside the folder: ${target}`,
        "on AWS it leads nowhere",
        `fix: ${canBeCopied(directory, path) ? replaceLink(path, source) : `rm ${pathWord(path)}`}`,
      ),
    ];
  }
  // Also false for links that lead in a circle, of which statSync throws.
  if (existsSync(join(directory, path))) return [];
  return [warning(`${path} links to ${target}, which is not there`, `fix: rm ${pathWord(path)}`)];
}

/** Whether what a link leads to is there, and is not a folder that has the function's own in it. */
function canBeCopied(directory: string, path: string): boolean {
  const link = join(directory, path);
  return existsSync(link) && !`${realpathSync(directory)}/`.startsWith(`${realpathSync(link)}/`);
}

/** The command that puts a copy in place of a link: cp alone follows the link, and finds both to be the same. */
function replaceLink(path: string, source: string): string {
  const word = pathWord(path);
  return `replace it by a copy: rm ${word} && cp -rL ${pathWord(source)} ${word}`;
}

/** Packages of Node.js bring scripts for other systems, which nobody runs. */
const OTHERS_FILES = /(^|\/)node_modules\//;

/** What stands in a file: a program, or a script with its interpreter and its line ends. */
function checkContent(
  { directory, architecture, layers }: CheckTarget,
  { path, mode }: FolderFile & { kind: "file" },
): readonly Finding[] {
  const start = startOfFile(join(directory, path)) ?? "";
  if (start.startsWith("\x7fELF")) {
    const elf = readElf(fileBytes(join(directory, path)) ?? Buffer.alloc(0));
    return elf === undefined ? [] : checkElf(path, elf, architecture);
  }
  const isScript = start.startsWith("#!") || isUtf16Script(start) || path.endsWith(".sh");
  if (OTHERS_FILES.test(path) || !isScript) return [];
  const text = fileBytes(join(directory, path))?.toString("utf8");
  // That it may not be read is said already.
  if (text === undefined) return [];
  const damage = checkText(path, text);
  if (damage.length > 0 || (mode & 0o111) === 0) return damage;
  const [interpreter] = shebangWords(text);
  if (interpreter === undefined || lambdaFiles(directory, layers).mayExecute(interpreter))
    return [];
  return [
    warning(
      `${path} names ${interpreter}, which provided.al2023 does not have`,
      "on AWS it fails with: No such file or directory (status 127)",
      `fix: ${interpreterFix(interpreter)}`,
    ),
  ];
}

function interpreterFix(interpreter: string): string {
  const name = interpreter.slice(interpreter.lastIndexOf("/") + 1);
  if (/^(?:dash|ash|busybox)$/.test(name)) return "#!/bin/sh";
  if (/^(?:bash|sh|env)$/.test(name)) return `#!/usr/bin/${name}`;
  return `#!/usr/bin/env ${name}, and a layer with bin/${name}`;
}
