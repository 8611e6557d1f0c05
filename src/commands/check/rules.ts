/**
 * What would fail on AWS, found in the folder, each with its fix.
 *
 * @module
 */

import { existsSync, readFileSync, statSync } from "node:fs";
import { dirname, join, normalize, relative } from "node:path";

import type { Handler } from "../../handler/resolve.ts";
import { BYTE_ORDER_MARK, definedFunctions, sourcesOthers } from "../../handler/script.ts";
import { UNZIPPED_BYTES_MAX, ZIP_UPLOAD_BYTES_MAX } from "../../runtime-api/contract.ts";
import {
  awsArchitecture,
  localArchitecture,
  TEMPLATE_FILE,
  templateArchitecture,
} from "../function/architecture.ts";
import { folderFiles } from "../function/files.ts";
import { functionHandler, syntaxError } from "../function/handler.ts";

/** One thing that is or may be wrong, with its fix. */
interface Finding {
  readonly level: "error" | "warning";
  readonly message: string;
}

/** What a folder is checked for. */
interface CheckTarget {
  readonly directory: string;
  readonly handler: string;
  /** Architecture that the function will run on. */
  readonly architecture: "amd64" | "arm64";
  /** The function's own variables. */
  readonly variables: Readonly<Record<string, string>>;
}

/** Bytes of names and values of all variables that Lambda allows. */
const VARIABLES_BYTES_MAX = 4096;

/** Everything that is wrong with a folder, errors first. */
export function checkFolder(target: CheckTarget): readonly Finding[] {
  const findings = [
    ...checkBootstrap(target),
    ...checkHandler(target),
    ...checkFiles(target),
    ...checkVariables(target),
    ...checkTemplate(target),
  ];
  return findings.sort((a, b) => Number(a.level === "warning") - Number(b.level === "warning"));
}

function error(...lines: readonly string[]): Finding {
  return { level: "error", message: lines.join("\n  ") };
}

function warning(...lines: readonly string[]): Finding {
  return { level: "warning", message: lines.join("\n  ") };
}

function checkBootstrap({ directory, architecture }: CheckTarget): readonly Finding[] {
  const path = join(directory, "bootstrap");
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return [];
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
  const bytes = readFileSync(path);
  const found = elfArchitecture(bytes);
  if (found !== undefined && found !== architecture) {
    findings.push(
      error(
        `bootstrap is an ${found} binary, ${targetName(architecture)} (exec format error)`,
        `fix: build for ${architecture === "amd64" ? "x64" : "arm64"}, ` +
          "or run with --template to pick the right artifact",
      ),
    );
  }
  if (found === undefined) findings.push(...checkShebang("bootstrap", bytes.toString("utf8")));
  return findings;
}

function targetName(architecture: "amd64" | "arm64"): string {
  const machine = architecture === "amd64" ? "x86_64" : "aarch64";
  const here = architecture === localArchitecture();
  return here ? `this computer is ${machine}` : `the function is for ${machine}`;
}

function checkShebang(file: string, text: string): readonly Finding[] {
  const [first = ""] = text.split("\n", 1);
  if (!first.startsWith("#!")) {
    return [
      error(
        `${file} has no #! line and is no ELF binary (exec format error)`,
        "on AWS this fails with: Runtime.InvalidEntrypoint",
        "fix: begin it with #!/bin/sh",
      ),
    ];
  }
  return first.endsWith("\r") ? [lineEnds(file, 1)] : [];
}

function lineEnds(file: string, line: number): Finding {
  return error(
    `${file} has CRLF line ends (first in line ${line})`,
    "on AWS this fails with: Runtime.UserCodeSyntaxError",
    `fix: sed -i 's/\\r$//' ${file}`,
  );
}

function checkHandler({ directory, handler }: CheckTarget): readonly Finding[] {
  const target = functionHandler(directory, handler);
  const { script } = target;
  const text = script === undefined ? [] : checkText(relative(directory, script), script);
  if (text.length > 0) return text;
  switch (target.kind) {
    case "file":
      return [];
    case "function":
      return checkFunction(directory, target);
    case "rejected": {
      // A folder with a bootstrap of its own may mean anything by its handler.
      const isMalformed = target.errorType === "Runtime.MalformedHandlerName";
      if (!isMalformed && existsSync(join(directory, "bootstrap"))) return [];
      const message = target.errorMessage.replaceAll(`${directory}/`, "");
      return [error(message, `on AWS this fails with: ${target.errorType}`)];
    }
  }
}

/** Byte-order mark and line ends, which no shell says plainly. */
function checkText(file: string, path: string): readonly Finding[] {
  const bytes = readOrNothing(path);
  if (bytes === undefined) return [];
  if (elfArchitecture(bytes) !== undefined) return [];
  const text = bytes.toString("utf8");
  if (text.startsWith(BYTE_ORDER_MARK)) {
    return [
      error(
        `${file} begins with a byte-order mark`,
        "on AWS this fails with: Runtime.UserCodeSyntaxError",
        `fix: sed -i '1s/^\\xEF\\xBB\\xBF//' ${file}`,
      ),
    ];
  }
  const line = text.split("\n").findIndex((each) => each.endsWith("\r"));
  return line === -1 ? [] : [lineEnds(file, line + 1)];
}

function checkFunction(
  directory: string,
  target: Handler & { kind: "function" },
): readonly Finding[] {
  const file = relative(directory, target.script);
  const syntax = syntaxError(target);
  if (syntax !== undefined) {
    return [
      error(
        `syntax error in ${file}`,
        ...syntax.split("\n"),
        "on AWS this fails with: Runtime.UserCodeSyntaxError",
      ),
    ];
  }
  const script = readFileSync(target.script, "utf8");
  const functions = definedFunctions(script);
  if (functions.includes(target.functionName)) return [];
  const message = handlerNotFound(file, target.functionName, functions);
  return sourcesOthers(script) ? [warning(...message)] : [error(...message)];
}

function handlerNotFound(
  file: string,
  functionName: string,
  functions: readonly string[],
): readonly string[] {
  const [first] = functions;
  const lines = [`handler "${functionName}" not found in ${file}`];
  if (first === undefined)
    return [...lines, "functions defined: none", `define: ${functionName}() { … }`];
  lines.push(`functions defined: ${functions.join(", ")}`);
  lines.push(`set --handler ${file.replace(/\.sh$/, "")}.${first} or rename the function`);
  return lines;
}

function checkFiles({ directory }: CheckTarget): readonly Finding[] {
  const findings: Finding[] = [];
  let byteLength = 0;
  for (const file of folderFiles(directory)) {
    if (file.kind === "symlink") {
      const target = normalize(join(dirname(file.path), file.target));
      if (file.target.startsWith("/") || target.startsWith("..")) {
        findings.push(
          warning(
            `${file.path} links outside the folder: ${file.target}`,
            "on AWS it leads nowhere",
          ),
        );
      }
      continue;
    }
    if (file.kind === "folder") continue;
    byteLength += file.byteLength;
    if ((file.mode & 0o004) === 0) {
      const mode = `0${file.mode.toString(8)}`;
      findings.push(
        warning(
          `${file.path} is not readable by others (mode ${mode})`,
          "a zip of these modes fails on AWS; lambda-shell package sets 0644",
          `fix: chmod a+r ${file.path}`,
        ),
      );
    }
  }
  if (byteLength > UNZIPPED_BYTES_MAX) {
    findings.push(
      error(
        `the folder has ${byteLength} bytes, a function with its layers at most ${UNZIPPED_BYTES_MAX}`,
        "on AWS the upload fails with: InvalidParameterValueException",
      ),
    );
  } else if (byteLength > ZIP_UPLOAD_BYTES_MAX * 2) {
    findings.push(
      warning(
        `the folder has ${byteLength} bytes; a direct upload takes zips of ${ZIP_UPLOAD_BYTES_MAX} bytes`,
        "larger ones go through S3",
      ),
    );
  }
  return findings;
}

/** What is packaged for one architecture cannot be deployed as another. */
function checkTemplate({ directory, architecture }: CheckTarget): readonly Finding[] {
  const templates = templateArchitecture(directory);
  if (templates === undefined || templates === architecture) return [];
  return [
    warning(
      `${TEMPLATE_FILE} has the architecture ${awsArchitecture(templates)}, ` +
        `this is a function for ${awsArchitecture(architecture)}`,
      "on AWS a bootstrap for the other one fails with: Runtime.InvalidEntrypoint",
      `fix: Architectures: [${awsArchitecture(architecture)}], or --arch ${templates}`,
    ),
  ];
}

function checkVariables({ variables }: CheckTarget): readonly Finding[] {
  const byteLength = Object.entries(variables).reduce(
    (sum, [name, value]) => sum + Buffer.byteLength(name) + Buffer.byteLength(value),
    0,
  );
  if (byteLength <= VARIABLES_BYTES_MAX) return [];
  return [
    error(
      `the variables have ${byteLength} bytes, Lambda takes ${VARIABLES_BYTES_MAX}`,
      "fix: put large values into a file, or into Parameter Store",
    ),
  ];
}

const MAGIC = Buffer.from("\x7fELF", "latin1");

/** Offset and size of `e_machine`, in bytes. */
const MACHINE_OFFSET = 18;

const EM_X86_64 = 62;
const EM_AARCH64 = 183;

/** The architecture of an executable; nothing when the bytes are no ELF of one we know. */
function elfArchitecture(bytes: Uint8Array): "amd64" | "arm64" | undefined {
  if (bytes.byteLength < MACHINE_OFFSET + 2) return undefined;
  if (!MAGIC.equals(bytes.subarray(0, MAGIC.length))) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const machine = view.getUint16(MACHINE_OFFSET, true);
  if (machine === EM_X86_64) return "amd64";
  return machine === EM_AARCH64 ? "arm64" : undefined;
}

function readOrNothing(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch {
    return undefined;
  }
}
