/**
 * The handler as Lambda would find it: by the runtime's own resolver, with the files and programs that
 * are there.
 *
 * @module
 */

import { existsSync } from "node:fs";
import { join, relative } from "node:path";

import { pathWord } from "../commands/cli/suggest.ts";
import { shellScripts } from "../commands/function/files.ts";
import { functionHandler, otherSh } from "../commands/function/handler.ts";
import { OS_ONLY_RUNTIMES } from "../commands/function/runtimes.ts";
import { fileBytes } from "../file-facts.ts";
import { type Handler, resolveHandler, type Shell } from "../handler/resolve.ts";
import {
  baseName,
  definedFunctions,
  isShell,
  shebangWords,
  sourcesOthers,
} from "../handler/script.ts";
import { readElf } from "../program.ts";
import { type CheckTarget, error, type Finding, hint, warning } from "./finding.ts";
import { isPresent, lambdaFiles } from "./lambda-system.ts";
import { handlerPlace, setHandler } from "./missing-handler.ts";
import { MAYBE_BASH, readScript } from "./script-reading.ts";
import {
  checkScripts,
  lateInterpreter,
  type LoadedScript,
  loadScripts,
  missingLayer,
  notInZip,
  otherShHint,
} from "./scripts.ts";

/**
 * What is wrong with the handler and the scripts that it loads.
 * @param leftOut Whether `package` leaves a path out.
 */
export async function checkHandler(
  target: CheckTarget,
  leftOut: (path: string) => boolean,
): Promise<readonly Finding[]> {
  const { directory, handler, layers, template } = target;
  // What a layer has is only known where it is named.
  if (handler.startsWith("/opt/") && layers.length === 0) return [];
  const resolved = resolveHandler(handler, directory, lambdaFiles(directory, layers));
  const findings = [...checkResolved(target, resolved), ...missingInZip(target, resolved, leftOut)];
  const script = shellScript(directory, resolved);
  if (script === undefined) return findings;
  const shell = "shell" in resolved ? resolved.shell : BASH;
  const file = relative(directory, script);
  const hasUnknownLayers = layers.length === 0 && (template?.described.layers ?? 0) > 0;
  const isInLayer = (program: string) =>
    layers.some((layer) => existsSync(join(layer, "bin", program)));
  const isBrought = (program: string) => hasUnknownLayers || isInLayer(program);
  const loaded = await loadScripts(directory, file, shell, leftOut, isBrought);
  const { scripts } = loaded;
  const isExecuted = resolved.kind === "file" && resolved.command.length === 1;
  const text = isExecuted ? undefined : fileBytes(script)?.toString("utf8");
  const late = text === undefined ? undefined : lateInterpreter(file, text);
  if (late !== undefined) findings.push(warning(...late));
  const handlerFunction = resolved.kind === "function" ? resolved.functionName : undefined;
  findings.push(
    ...loaded.findings,
    ...checkScripts(directory, scripts, handlerFunction, leftOut, isBrought),
  );
  const level = lacksLayer(target);
  if (level !== undefined) findings.push(...missingLayer(scripts, level, isInLayer));
  if (resolved.kind === "function") findings.push(...missingFunction(resolved, scripts));
  const [own] = scripts;
  const uncalled =
    resolved.kind === "file" && own !== undefined ? uncalledFunctions(own) : undefined;
  if (uncalled !== undefined) findings.push(warning(...uncalled));
  const sh = baseName(shell.path) === "sh" ? otherSh() : undefined;
  const other = sh === undefined ? undefined : otherShHint(scripts, sh);
  return other === undefined ? findings : [...findings, other];
}

/** How sure it is that the function is without our layer; nothing where it may well have it. */
function lacksLayer({ template, withBootstrap }: CheckTarget): "warning" | "hint" | undefined {
  const { layers, runtime, packageType } = template?.described ?? {};
  if (withBootstrap === true) return (layers ?? 0) > 0 ? "hint" : "warning";
  const isWithout = layers === 0 && runtime !== undefined && OS_ONLY_RUNTIMES.includes(runtime);
  return isWithout && packageType !== "Image" ? "warning" : undefined;
}

/**
 * What a function handler needs that this computer's `sh` does not have and Lambda's has, for those who
 * run it here. Nothing where its shell is the same in both places.
 */
export async function shellDifference(
  directory: string,
  handler: string,
): Promise<string | undefined> {
  const sh = otherSh();
  const resolved = functionHandler(directory, handler);
  if (sh === undefined || resolved.kind !== "function") return undefined;
  if (baseName(resolved.shell.path) !== "sh") return undefined;
  const text = fileBytes(resolved.script)?.toString("utf8") ?? "";
  const late = lateInterpreter(relative(directory, resolved.script), text);
  if (late !== undefined) return late.join("\n  ");
  if (!MAYBE_BASH.test(text) && !sourcesOthers(text)) return undefined;
  const file = relative(directory, resolved.script);
  const { scripts } = await loadScripts(
    directory,
    file,
    resolved.shell,
    () => false,
    () => false,
  );
  return otherShHint(scripts, sh)?.message;
}

/** What can be done with a function handler's file that defines no function; nothing where it may define one. */
export function withoutFunctions(directory: string, handler: string): string | undefined {
  const resolved = functionHandler(directory, handler);
  if (resolved.kind !== "function") return undefined;
  const text = fileBytes(resolved.script)?.toString("utf8") ?? "";
  if (definedFunctions(text).length > 0 || sourcesOthers(text) || /\beval\b/.test(text)) {
    return undefined;
  }
  const file = relative(directory, resolved.script);
  return `define ${resolved.functionName}() { … } in ${file}\n  ${wholeFile(file)}`;
}

/**
 * What is wrong with a file handler that is meant as a function's, for those who run it here: nothing where it
 * does something.
 */
export async function definitionsOnly(
  directory: string,
  handler: string,
): Promise<string | undefined> {
  const resolved = functionHandler(directory, handler);
  const script = resolved.kind === "file" ? shellScript(directory, resolved) : undefined;
  const text = script === undefined ? "" : (fileBytes(script)?.toString("utf8") ?? "");
  // Most scripts end with a command; only the others need be taken apart.
  if (script === undefined || !ENDS_WITH_DEFINITION.test(text)) return undefined;
  if (definedFunctions(text).length === 0) return undefined;
  const reading = await readScript(text);
  return uncalledFunctions({ file: relative(directory, script), reading })?.join("\n  ");
}

const ENDS_WITH_DEFINITION = /[})][ \t]*(?:\n[ \t]*(?:#.*)?)*$/;

/** What is said of a file handler that defines functions, calls none of them and does nothing else. */
function uncalledFunctions({
  file,
  reading,
}: Pick<LoadedScript, "file" | "reading">): readonly string[] | undefined {
  const { definesOnly, functions } = reading;
  if (!definesOnly) return undefined;
  const [first = ""] = functions;
  const wanted = functions.has("handler") ? "handler" : first;
  return [
    `${file} only defines functions: run as a file handler it calls none of them, and every response is empty`,
    file.endsWith(".sh")
      ? `fix: ${setHandler(file, wanted)}`
      : `fix: call one of them in its last line, as in: ${wanted}`,
  ];
}

/** The shell that a script is read for when none loads it. */
const BASH: Shell = { path: "/bin/bash", options: [] };

/** What is wrong with the handler itself. */
function checkResolved(target: CheckTarget, resolved: Handler): readonly Finding[] {
  switch (resolved.kind) {
    case "rejected":
      return rejected(target, resolved);
    case "file":
      return checkFile(target, resolved);
    case "function": {
      const file = relative(target.directory, resolved.script);
      return [...missingInterpreter(file, resolved, target)];
    }
  }
}

/** The handler's own file, which a zip must have. */
function missingInZip(
  { directory }: CheckTarget,
  resolved: Handler,
  leftOut: (path: string) => boolean,
): readonly Finding[] {
  // A bootstrap of its own may mean anything by its handler.
  if (resolved.kind === "rejected" || existsSync(join(directory, "bootstrap"))) return [];
  const file = relative(directory, resolved.script);
  return leftOut(file) ? [error(...notInZip(file, file, "Runtime.NoSuchHandler"))] : [];
}

/** The handler's script where it is a shell's; of a handler that leads nowhere the only one that there is. */
function shellScript(directory: string, resolved: Handler): string | undefined {
  const { script } = resolved;
  if (script === undefined) {
    const [only, another] = shellScripts(directory);
    return only !== undefined && another === undefined ? join(directory, only) : undefined;
  }
  const bytes = fileBytes(script);
  if (bytes === undefined || readElf(bytes) !== undefined) return undefined;
  const [interpreter = "sh", ...words] = shebangWords(bytes.toString("utf8").replace("\r", ""));
  const program =
    baseName(interpreter) === "env" ? (words.find((word) => word !== "-S") ?? "") : interpreter;
  const name = baseName(program);
  return isShell(name, words[0]) || /sh$/.test(name) ? script : undefined;
}

function rejected(
  { directory, handler }: CheckTarget,
  { errorType, errorMessage, script = "" }: Handler & { kind: "rejected" },
): readonly Finding[] {
  // A folder with a bootstrap of its own may mean anything by its handler.
  const isMalformed = errorType === "Runtime.MalformedHandlerName";
  // Said with its place when the script is read.
  if (errorType === "Runtime.UserCodeSyntaxError") return [];
  if (!isMalformed && existsSync(join(directory, "bootstrap"))) return [];
  const message = errorMessage.replaceAll(`${directory}/`, "");
  return [error(message, `on AWS this fails with: ${errorType}`, ...fixes())];

  function fixes(): readonly string[] {
    if (errorType === "Runtime.NoSuchHandler") {
      const fix = handlerPlace(directory, handler);
      return [
        `fix: ${fix ?? "add the file, or set Handler to FILE.FUNCTION of one that is there"}`,
      ];
    }
    if (message.includes("not executable: give it mode")) {
      return [`fix: chmod +x ${pathWord(relative(directory, script))}`];
    }
    if (!message.includes("interpreter")) return [];
    return [
      "provided.al2023 has bash, as /bin/sh too, and awk; a layer brings others to /opt/bin",
      "fix: #!/bin/sh or #!/bin/bash as first line",
    ];
  }
}

/** A file handler: a program, or a script that is run for each event. */
function checkFile(
  target: CheckTarget,
  { script, command }: Handler & { kind: "file" },
): readonly Finding[] {
  const { directory } = target;
  const file = relative(directory, script);
  const bytes = fileBytes(script);
  if (bytes === undefined) return [];
  const isExecuted = command.length === 1;
  if (readElf(bytes) !== undefined || !isExecuted) return [];
  const words = shebangWords(bytes.toString("utf8"));
  if (words.length === 0) {
    return [
      error(
        `${file} is executable and has no #! line (exec format error)`,
        "on AWS this fails with: Function.ExitError (status 126)",
        "fix: begin it with #!/bin/sh",
      ),
    ];
  }
  const [interpreter = "", program = "", ...options] = words;
  if (baseName(interpreter) !== "env") return [];
  if (program !== "-S" && options.length > 0) {
    const line = `#!${words.join(" ")}`;
    return [
      error(
        `${file}: ${line}: the kernel hands all words after env to it as one`,
        "on AWS this fails with: No such file or directory (status 127)",
        `fix: #!${interpreter} -S ${[program, ...options].join(" ")}`,
      ),
    ];
  }
  return absentInterpreter(file, program === "-S" ? (options[0] ?? "") : program, target);
}

/** The shell of a function handler, where only a layer can bring it. */
function missingInterpreter(
  file: string,
  { shell }: Handler & { kind: "function" },
  target: CheckTarget,
): readonly Finding[] {
  return shell.path.startsWith("/opt/")
    ? absentInterpreter(file, baseName(shell.path), target)
    : [];
}

function absentInterpreter(
  file: string,
  program: string,
  { layers, template }: CheckTarget,
): readonly Finding[] {
  if (program.includes("/") || isPresent(program) || layers.length > 0) return [];
  if ((template?.described.layers ?? 0) > 0) return [];
  return [
    hint(
      `${file} runs ${program}, which provided.al2023 does not have: a layer must bring it`,
      `as bin/${program}, so that it is /opt/bin/${program}`,
    ),
  ];
}

/** The handler must be a function of its script or of what that loads, as far as it can be seen. */
function missingFunction(
  { functionName }: Handler & { kind: "function" },
  scripts: readonly LoadedScript[],
): readonly Finding[] {
  const [script] = scripts;
  const readings = scripts.map(({ reading }) => reading);
  if (script === undefined || readings.some(({ functions }) => functions.has(functionName)))
    return [];
  // That is said already, and may be why it is not found.
  if (scripts.some(({ isBroken, defined }) => isBroken || defined.includes(functionName)))
    return [];
  if (readings.some(({ isRead }) => !isRead)) return [];
  const functions = readings.flatMap(({ functions: names }) => [...names]);
  const message = handlerNotFound(script.file, functionName, functions);
  const isUncertain =
    readings.some(({ loadsUnknown }) => loadsUnknown) ||
    readings.flatMap(({ sources }) => sources).length > scripts.length - 1;
  return [isUncertain ? warning(...message) : error(...message)];
}

/** What a script without functions can be as it is. */
function wholeFile(file: string): string {
  return `or, to have the whole file run for each event: set --handler ${file}, in a template Handler: ${file}`;
}

function handlerNotFound(
  file: string,
  functionName: string,
  functions: readonly string[],
): readonly string[] {
  const [first] = functions;
  const lines = [`handler "${functionName}" not found in ${file}`];
  if (first === undefined) {
    const define = `define: ${functionName}() { … }`;
    return [...lines, "functions defined: none", define, wholeFile(file)];
  }
  lines.push(`functions defined: ${functions.join(", ")}`);
  lines.push(`set --handler ${file.replace(/\.sh$/, "")}.${first} or rename the function`);
  return lines;
}
