/**
 * The handler's script and what it loads: what Lambda's shell would say of them, and what works here
 * and not there.
 *
 * @module
 */

import { existsSync } from "node:fs";
import { dirname, join, normalize, relative } from "node:path";

import { pathWord } from "../commands/cli/suggest.ts";
import { LEFT_OUT } from "../commands/function/files.ts";
import { syntaxError } from "../commands/function/handler.ts";
import { fileBytes, leadsOut } from "../file-facts.ts";
import type { Shell } from "../handler/resolve.ts";
import { BYTE_ORDER_MARK, definedFunctions, isUtf16 } from "../handler/script.ts";
import type { Finding } from "./finding.ts";
import { error, hint, warning } from "./finding.ts";
import { isAbsent, isPresent, modeOf } from "./lambda-system.ts";
import { readScript, type ScriptCommand, type ScriptReading, TASK_ROOT } from "./script-reading.ts";
import type { Slip } from "./slips.ts";
import { writtenBy } from "./written-files.ts";

/** A script that has been read, its path relative to the function's folder. */
export interface LoadedScript {
  readonly file: string;
  readonly reading: ScriptReading;
  /** Functions that it seems to define, where its grammar is not understood too. */
  readonly defined: readonly string[];
  /** The shell cannot read it, and what has been read of it may be wrong. */
  readonly isBroken: boolean;
}

/** The handler's script with all that it loads, and what is wrong with the loading. */
interface LoadedScripts {
  readonly scripts: readonly LoadedScript[];
  readonly findings: readonly Finding[];
}

/**
 * Reads a script and those that it takes in, each once.
 * @param shell The shell that loads them all.
 * @param leftOut Whether `package` leaves a path out.
 * @param isBrought Whether a layer brings a program, as far as that is known.
 */
export async function loadScripts(
  directory: string,
  file: string,
  shell: Shell,
  leftOut: (path: string) => boolean,
  isBrought: (program: string) => boolean,
): Promise<LoadedScripts> {
  const scripts: LoadedScript[] = [];
  const findings: Finding[] = [];
  const waiting = [file];
  const seen = new Set(waiting);
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    const path = join(directory, next);
    const text = fileBytes(path)?.toString("utf8");
    if (text === undefined) {
      findings.push(unread(next, "it may not be read"));
      continue;
    }
    const damage = checkText(next, text);
    // A carriage return at every line is not a helpful syntax error.
    const syntax = damage.length > 0 ? undefined : syntaxError(path, shell);
    findings.push(...damage, ...syntaxFinding(next, syntax?.replaceAll(`${directory}/`, "")));
    // What is wrong besides is said at once too.
    const folder = normalize(join(TASK_ROOT, dirname(next)));
    const reading = await readScript(
      text.replace(/^(?:\ufeff|\ufffd\ufffd)/, "").replaceAll(/[\0\r]/g, ""),
      folder,
    );
    if (!reading.isRead && damage.length === 0 && syntax === undefined)
      findings.push(unread(next, "that would take too long"));
    scripts.push({
      file: next,
      reading,
      isBroken: syntax !== undefined,
      defined: definedFunctions(text),
    });
    if (isPosix(shell)) findings.push(...functionNames(next, reading));
    const isInPath = (name: string) =>
      scripts.some((each) => each.reading.setsPath) ||
      (isBrought(name) && !existsSync(join(directory, name)));
    for (const { line, text: source } of reading.sources) {
      const { path: found, finding } = sourced(
        { directory, file: next, line, shell, leftOut, isInPath },
        source,
      );
      if (finding !== undefined && !isOptional(source, reading)) findings.push(finding);
      if (found === undefined || seen.has(found)) continue;
      seen.add(found);
      waiting.push(found);
    }
  }
  return { scripts, findings };
}

function unread(file: string, reason: string): Finding {
  return hint(
    `${file} is not looked through: ${reason}`,
    "the programs that it runs and the files that it loads and writes are not checked",
  );
}

/** Whether a file that a script takes in may be missing, or may be one of another folder. */
function isOptional(source: string, { tested, commands }: ScriptReading): boolean {
  const moves = commands.some(({ name }) => name === "cd" || name === "pushd");
  return tested.has(source) || (moves && !source.startsWith("/"));
}

function syntaxFinding(file: string, complaint: string | undefined): readonly Finding[] {
  if (complaint === undefined) return [];
  return [
    error(
      `syntax error in ${file}`,
      ...complaint.split("\n"),
      "on AWS this fails with: Runtime.UserCodeSyntaxError",
    ),
  ];
}

/** Whether a shell is bash's POSIX mode on Lambda. */
function isPosix({ path, options }: Shell): boolean {
  return path.endsWith("/sh") || options.includes("--posix");
}

/** Builtins that no function can stand in for in POSIX mode. */
const SPECIAL_BUILTINS =
  /^(?:break|:|\.|continue|eval|exec|exit|export|readonly|return|set|shift|source|times|trap|unset)$/;

/** Definitions that end bash in POSIX mode, which finds them only when it comes to them. */
function functionNames(file: string, { definitions }: ScriptReading): readonly Finding[] {
  return definitions
    .filter(({ text }) => !/^[A-Za-z_]\w*$/.test(text) || SPECIAL_BUILTINS.test(text))
    .map(({ line, text }) =>
      error(
        `${file}:${line}: ${text} is not a name that sh takes for a function`,
        `on AWS the script does not load: \`${text}': ${
          SPECIAL_BUILTINS.test(text) ? "is a special builtin" : "not a valid identifier"
        }`,
        "fix: a name of letters, digits and _, or #!/bin/bash as first line",
      ),
    );
}

/** Byte-order mark, UTF-16 and line ends, which no shell says plainly. */
export function checkText(file: string, text: string): readonly Finding[] {
  if (text.startsWith(BYTE_ORDER_MARK)) {
    return [
      error(
        `${file} begins with a byte-order mark`,
        "on AWS this fails with: Runtime.UserCodeSyntaxError",
        `fix: sed -i '1s/^\\xEF\\xBB\\xBF//' ${pathWord(file)}`,
      ),
    ];
  }
  if (isUtf16(text)) {
    return [
      error(
        `${file} is UTF-16, as Windows PowerShell writes it`,
        "on AWS this fails with: Runtime.UserCodeSyntaxError",
        `fix: save it as UTF-8 without BOM, or convert it: iconv -f UTF-16 -t UTF-8 ${pathWord(file)}`,
      ),
    ];
  }
  const line = text.split("\n").findIndex((each) => each.endsWith("\r"));
  return line === -1 ? [] : [lineEnds(file, line + 1)];
}

/** A `#!` line that stands too low, or has a blank in it, and one that is not `#!/bin/sh` where it counts. */
const LATE_INTERPRETER =
  /^(?:[ \t]*(?:#.*)?\n){0,9}?[ \t]*(#[ \t]*!)[ \t]*(\/\S*\/(?:env[ \t]+)?(?!sh[ \t]*$)\w\S*.*)$/m;

/**
 * A handler's `#!` line that no shell sees, since a file does not begin with it: it is run by `sh` then.
 * @returns What is wrong, and the fix.
 */
export function lateInterpreter(file: string, text: string): readonly string[] | undefined {
  if (text.startsWith("#!")) return undefined;
  const found = LATE_INTERPRETER.exec(text);
  if (found?.index !== 0) return undefined;
  const [whole, mark = "", rest = ""] = found;
  const line = whole.split("\n").length;
  return [
    `${file}:${line}: ${mark}${rest} is a comment here: the file is run by /bin/sh`,
    line === 1 || mark !== "#!"
      ? `fix: #!${rest.trimEnd()} as first line, from its first byte on`
      : "fix: remove what stands before it",
  ];
}

/** Line ends of another system. */
export function lineEnds(file: string, line: number): Finding {
  return error(
    `${file} has CRLF line ends (first in line ${line})`,
    "on AWS this fails with: Runtime.UserCodeSyntaxError",
    `fix: sed -i 's/\\r$//' ${pathWord(file)}`,
  );
}

/** Where a file is taken in. */
interface SourcePlace {
  readonly directory: string;
  readonly file: string;
  readonly line: number;
  readonly shell: Shell;
  readonly leftOut: (path: string) => boolean;
  /** Whether a file without a folder may be found in PATH. */
  readonly isInPath: (name: string) => boolean;
}

/** The file of the function that is taken in, or why there is none on Lambda. */
function sourced(
  { directory, file, line, shell, leftOut, isInPath }: SourcePlace,
  source: string,
): { readonly path?: string; readonly finding?: Finding } {
  const place = `${file}:${line}`;
  if (!source.includes("/") && isInPath(source)) return {};
  if (!source.includes("/") && isPosix(shell)) {
    return {
      finding: error(
        `${place}: . ${source} is looked for in PATH only: sh does not look into the current folder`,
        "on AWS this fails with: file not found",
        `fix: . ./${source}, or #!/bin/bash as first line`,
      ),
    };
  }
  const absolute = source.startsWith("/") ? source : join(TASK_ROOT, source);
  const path = relative(TASK_ROOT, normalize(absolute));
  if (absolute.startsWith("/opt/") || absolute.startsWith("/tmp/")) return {};
  if (leadsOut(path)) {
    if (/^\/(?:etc|usr|proc|dev)\//.test(absolute)) return {};
    return {
      finding: error(
        `${place}: ${source} is not a part of the function's folder`,
        "on AWS this fails with: No such file or directory",
        "fix: copy it into the folder, or bring it in a layer below /opt",
      ),
    };
  }
  if (!existsSync(join(directory, path))) {
    return {
      finding: error(
        `${place}: ${source}: no such file in the function's folder`,
        "on AWS this fails with: No such file or directory",
        "fix: add the file, or correct its name",
      ),
    };
  }
  if (modeOf(join(directory, path)) === undefined) {
    return {
      finding: error(
        `${place}: ${source} is a folder, not a file`,
        "on AWS this fails with: Is a directory",
        "fix: name a file in it",
      ),
    };
  }
  if (leftOut(path)) {
    return {
      finding: error(...notInZip(`${place}: ${source}`, path, "No such file or directory")),
    };
  }
  return { path };
}

/**
 * What is said of a file that `package` leaves out, and without which the function fails.
 * @param needed The file as the message names it, with the place that needs it.
 */
export function notInZip(needed: string, path: string, failure: string): readonly string[] {
  const isAlways = path.split("/").some((part) => LEFT_OUT.some((name) => name === part));
  return [
    `${needed} is not in the zip: package leaves it out`,
    `on AWS this fails with: ${failure}`,
    isAlways
      ? "fix: set the variables in the function's configuration, or rename the file"
      : "fix: remove the --exclude that names it",
  ];
}

/**
 * What works on this computer and not on Lambda, or nowhere, each kind once for each thing.
 * @param handler The handler's function, where it is one.
 * @param leftOut Whether `package` leaves a path out.
 * @param isBrought Whether a layer brings a program, as far as that is known.
 */
export function checkScripts(
  directory: string,
  scripts: readonly LoadedScript[],
  handler: string | undefined,
  leftOut: (path: string) => boolean,
  isBrought: (program: string) => boolean,
): readonly Finding[] {
  const functions = new Set(scripts.flatMap(({ reading }) => [...reading.functions]));
  const probed = new Set(scripts.flatMap(({ reading }) => reading.commands.flatMap(probedBy)));
  const told = new Set<string>();
  const findings: Finding[] = [];
  const tell = (key: string, finding: Finding) => {
    if (told.has(key)) return;
    told.add(key);
    findings.push(finding);
  };
  for (const { file, reading, isBroken } of scripts) {
    const moves = reading.commands.some(({ name }) => name === "cd" || name === "pushd");
    for (const command of reading.commands) {
      const { name } = command;
      const place = `${file}:${command.line}`;
      if (functions.has(name)) continue;
      const reader = readsInput(command);
      if (reader !== undefined) tell(`input ${name}`, eatenInput(place, name, reader));
      if (isAbsent(name) && !isBrought(name) && !probed.has(name)) {
        tell(`absent ${name}`, absentProgram(place, name));
      }
      const broken = brokenProgram(directory, command, moves, leftOut);
      if (broken !== undefined) tell(`program ${name}`, warning(`${place}: ${broken}`));
    }
    const outputs = [
      ...reading.outputs,
      ...reading.commands.flatMap((command) =>
        functions.has(command.name)
          ? []
          : writtenBy(command).map((text) => ({ line: command.line, text })),
      ),
    ];
    for (const { line, text } of outputs) {
      const folder = unwritable(text, moves);
      if (folder !== undefined) tell(`output ${text}`, readOnly(`${file}:${line}`, text, folder));
    }
    // Of what a shell cannot read the parts are not what they seem.
    if (isBroken) continue;
    for (const slip of reading.slips) {
      const { program = "", line } = slip;
      if (functions.has(program) || isPresent(program)) continue;
      if (slip.handler !== undefined && slip.handler !== handler) continue;
      tell(`slip ${file}:${line}`, slipFinding(`${file}:${line}`, slip));
    }
    for (const { line, text } of reading.loading) {
      if (text === handler) tell("loading", calledHandler(`${file}:${line}`, handler));
    }
  }
  return findings;
}

function slipFinding(place: string, { message, failure, fix }: Slip): Finding {
  const fails = failure === undefined ? [] : [`on AWS this fails with: ${failure}`];
  return warning(`${place}: ${message}`, ...fails, `fix: ${fix}`);
}

/** Scripts that are run by hand call their functions themselves. */
function calledHandler(place: string, handler: string): Finding {
  return warning(
    `${place}: ${handler} is called while the file is loaded, before any event and without one`,
    "the runtime calls it for each event",
    "fix: remove the line",
  );
}

/** Programs that a command asks for before they are run. */
function probedBy({ name, words }: ScriptCommand): readonly string[] {
  const isProbe =
    (name === "command" && /^-[vV]/.test(words[0] ?? "")) || /^(?:type|which|hash)$/.test(name);
  return isProbe ? words.filter((word) => word !== undefined) : [];
}

/** Programs that read standard input though nobody has asked them to, and what keeps them from it. */
const INPUT_READERS: ReadonlyMap<string, { readonly unless: RegExp; readonly fix: string }> =
  new Map([
    ["ssh", { unless: /^-(?:[A-Za-z]*[nfG]|[OQV])/, fix: "ssh -n" }],
    ["ffmpeg", { unless: /^-nostdin$|^pipe:0?$|^-$|^-version$|^-h/, fix: "ffmpeg -nostdin" }],
    ["avconv", { unless: /^-nostdin$|^pipe:0?$|^-$/, fix: "avconv -nostdin" }],
    [
      "mplayer",
      { unless: /^-(?:noconsolecontrols|slave)$|^-$/, fix: "mplayer -noconsolecontrols" },
    ],
    ["HandBrakeCLI", { unless: /^--(?:version|help)$/, fix: "HandBrakeCLI … < /dev/null" }],
    ["parallel", { unless: /^:::/, fix: "parallel … ::: ARGUMENTS" }],
    ["telnet", { unless: /^$/, fix: "telnet … < /dev/null" }],
  ]);

/** How to keep a program from the event; nothing when it is kept from it, or asked to read it. */
function readsInput({ name, words, hasInput }: ScriptCommand): string | undefined {
  const reader = INPUT_READERS.get(name);
  if (reader === undefined || hasInput) return undefined;
  return words.some((word) => word !== undefined && reader.unless.test(word))
    ? undefined
    : reader.fix;
}

function eatenInput(place: string, name: string, fix: string): Finding {
  return warning(
    `${place}: ${name} reads standard input, where the event is: it may wait for more input, or consume the event`,
    `fix: ${fix}${fix.includes("< /dev/null") ? "" : ", or < /dev/null after the command"}`,
  );
}

function absentProgram(place: string, name: string): Finding {
  return warning(
    `${place}: ${name} is not a part of provided.al2023`,
    "on AWS this fails with: command not found (status 127)",
    "fix: bring it in a layer (its bin/ is in PATH), or in the function's folder and call it by its path",
  );
}

/** Programs that our layer brings, and nothing else of Lambda's. */
const LAYER_PROGRAMS: readonly string[] = ["aws", "jq"];

/**
 * What a function without our layer, or with its runtime in its zip, lacks of it.
 * @param level How sure it is that the layer is missing.
 * @param isBrought Whether another layer brings a program.
 */
export function missingLayer(
  scripts: readonly LoadedScript[],
  level: "warning" | "hint",
  isBrought: (program: string) => boolean,
): readonly Finding[] {
  if (scripts.some(({ reading }) => reading.setsPath)) return [];
  const functions = new Set(scripts.flatMap(({ reading }) => [...reading.functions]));
  const probed = new Set(scripts.flatMap(({ reading }) => reading.commands.flatMap(probedBy)));
  const places = scripts.flatMap(({ file, reading }) =>
    reading.commands.map(({ line, name }) => ({ place: `${file}:${line}`, name })),
  );
  return LAYER_PROGRAMS.flatMap((program) => {
    if (functions.has(program) || probed.has(program) || isBrought(program)) return [];
    const used = places.find(({ name }) => name === program);
    if (used === undefined) return [];
    const make = level === "hint" ? hint : warning;
    return [
      make(
        `${used.place}: ${program} comes with the layer lambda-shell-runtime, not with the runtime alone`,
        "on AWS this fails without the layer with: command not found (status 127)",
        "fix: add the layer to the function, or bring the program in another one, or in the folder and call it by its path",
      ),
    ];
  });
}

/** What is wrong with a program of the function's own that is called by its path. */
function brokenProgram(
  directory: string,
  { name }: ScriptCommand,
  moves: boolean,
  leftOut: (path: string) => boolean,
): string | undefined {
  const isOwn = name.startsWith(`${TASK_ROOT}/`) || (!moves && /^\.{0,2}[^/]*\//.test(name));
  if (!isOwn || (name.startsWith("/") && !name.startsWith(`${TASK_ROOT}/`))) return undefined;
  const path = relative(TASK_ROOT, normalize(name.startsWith("/") ? name : join(TASK_ROOT, name)));
  if (leadsOut(path)) return undefined;
  const mode = modeOf(join(directory, path));
  if (mode === undefined) {
    return `${name}: no such file in the function's folder\n  fix: add it, or correct its name`;
  }
  if (leftOut(path)) {
    return notInZip(name, path, "No such file or directory (status 127)").join("\n  ");
  }
  if ((mode & 0o111) !== 0) return undefined;
  return (
    `${name} is not executable (mode 0${mode.toString(8)})\n` +
    `  on AWS this fails with: Permission denied (status 126)\n  fix: chmod +x ${pathWord(path)}`
  );
}

/** The folder that cannot be written on Lambda; nothing where a path can. A file system of the function's is below /mnt. */
function unwritable(path: string, moves: boolean): string | undefined {
  if (/^\/(?:tmp|dev|proc|mnt)\//.test(path) || path === "/tmp") return undefined;
  if (path.startsWith("/")) return dirname(path);
  return moves || path === "" ? undefined : TASK_ROOT;
}

function readOnly(place: string, path: string, folder: string): Finding {
  return warning(
    `${place}: writes ${path} into ${folder}, which is read-only on Lambda`,
    "on AWS this fails with: Read-only file system",
    `fix: write it to /tmp/${path.slice(path.lastIndexOf("/") + 1)}`,
  );
}

/**
 * What a script needs that this computer's `sh` does not have, though Lambda's has: there it is bash.
 * @param sh Name of this computer's shell.
 */
export function otherShHint(scripts: readonly LoadedScript[], sh: string): Finding | undefined {
  for (const { file, reading } of scripts) {
    const [first] = reading.bashOnly;
    if (first === undefined) continue;
    return hint(
      `${file}:${first.line}: ${first.text} is bash's: /bin/sh is bash on Lambda, and ${sh} on this computer`,
      "it works there and may fail here; to have the same shell everywhere: #!/bin/bash as first line",
    );
  }
  return undefined;
}
