/**
 * A function whose shell writes a trace, without a change to the function's files or to the runtime.
 *
 * The function runs in a folder of links to its files. Only its script is a copy there, with another
 * first line: that names a program which starts bash with the trace on. A function for `sh` is run by
 * bash under that name, as on Lambda, whose `/bin/sh` is bash.
 *
 * @module
 */

import { randomBytes } from "node:crypto";
import {
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, relative, sep } from "node:path";

import { leadsOut } from "../file-facts.ts";
import type { Handler } from "../handler/resolve.ts";
import { baseName, shebangWords } from "../handler/script.ts";
import { tracePrompt, TraceReader, type TraceRecord } from "./trace-reader.ts";
import tracedShell from "./traced-shell.bash" with { type: "text" };

/** The descriptor that the trace is written to: above all that scripts use by number. */
const DESCRIPTOR = 240;

/** The first bash that tells the time of a command. */
const BASH_VERSION_MIN = 5;

/** A folder to run a function in, and its trace. */
export interface TracedFunction {
  /** Stands for the function's folder. */
  readonly directory: string;
  /** The scripts that are traced, by their paths relative to the folder. */
  readonly scripts: readonly TracedScript[];
  /** Why other handlers are not. */
  readonly untraceable: readonly string[];
  /** The path of a file of the function, relative to its folder; nothing for other files. */
  readonly ownFile: (path: string) => string | undefined;
  /** Waits for the last record and removes the folder, once; the function must have ended. */
  readonly end: () => Promise<void>;
}

/** A script with its trace on. */
export interface TracedScript {
  readonly path: string;
  /** The shell that it is for: bash, or sh, which is bash here, too. */
  readonly shell: "bash" | "sh";
  /** Lines that stand before the script's own first line. */
  readonly addedLines: number;
}

/**
 * Makes the folder of a traced function; without a handler that can be traced it is its own folder.
 * @param directory The function's folder, absolute.
 * @param handlers All that will be run.
 * @param onRecord Gets each command that a shell of the function begins.
 */
export function traceFunction(
  directory: string,
  handlers: readonly Handler[],
  onRecord: (record: TraceRecord) => void,
): TracedFunction {
  const plans = handlers.map((handler) => planTrace(directory, handler));
  const untraceable = plans.flatMap((plan) => (typeof plan === "string" ? [plan] : []));
  const wanted = new Map(
    plans.flatMap((plan) => (typeof plan === "string" ? [] : [[plan.path, plan]])),
  );
  const bash = Bun.which("bash");
  const usable = bash !== null && bashVersion(bash) >= BASH_VERSION_MIN;
  if (wanted.size > 0 && !usable) {
    untraceable.push(`bash ${BASH_VERSION_MIN} or newer is missing on this computer`);
  }
  if (wanted.size === 0 || !usable) {
    return { directory, scripts: [], untraceable, ownFile: () => undefined, end: async () => {} };
  }
  // A path in a script's first line ends at a space.
  const temporary = /[\s'"\\]/.test(tmpdir()) ? "/tmp" : tmpdir();
  const root = realpathSync(mkdtempSync(join(temporary, "lambda-shell-trace-")));
  const remove = () => rmSync(root, { recursive: true, force: true });
  process.on("exit", remove);
  const pipe = join(root, "trace");
  Bun.spawnSync(["mkfifo", "-m", "600", pipe]);
  const token = randomBytes(8).toString("hex");
  const fixed = { BASH: bash, PIPE: pipe, PS4: tracePrompt(token), DESCRIPTOR: `${DESCRIPTOR}` };
  const copies = new Map<string, Buffer>();
  const scripts = [...wanted.values()].map(({ path, shell, options }) => {
    const program = join(root, shell);
    writeFileSync(program, filled({ ...fixed, NAME: shell }), { mode: 0o755 });
    const line = `#!${[program, ...options].join(" ")}\n`;
    const { bytes, addedLines } = withFirstLine(readFileSync(join(directory, path)), line);
    copies.set(path, bytes);
    return { path, shell, addedLines };
  });
  const folder = join(root, basename(directory) || "function");
  mirror(directory, folder, "", copies);
  const reading = readPipe(pipe, token, onRecord);
  const bases = [folder, directory, realpathSync(directory)];
  let ending: Promise<void> | undefined;
  const end = async () => {
    await reading.end();
    process.off("exit", remove);
    remove();
  };
  return {
    directory: folder,
    scripts,
    untraceable,
    ownFile: (path) => bases.map((base) => ownPath(base, path, directory)).find(isDefined),
    end: () => (ending ??= end()),
  };
}

const isDefined = <Value>(value: Value | undefined): value is Value => value !== undefined;

function ownPath(base: string, path: string, directory: string): string | undefined {
  const own = relative(base, path);
  const isBelow = own !== "" && !leadsOut(own);
  return isBelow && existsSync(join(directory, own)) ? own : undefined;
}

/** A script that can be traced, or why it cannot. */
function planTrace(
  directory: string,
  handler: Handler,
):
  | { readonly path: string; readonly shell: "bash" | "sh"; readonly options: readonly string[] }
  | string {
  if (handler.kind === "rejected") return handler.errorMessage;
  const path = relative(directory, handler.script);
  if (leadsOut(path)) return `${handler.script} is not in the function's folder`;
  const shell = shellOf(handler);
  if (shell === undefined) return `${path} is not a shell script`;
  const { name, options } = shell;
  if (name === "sh" || name === "bash") return { path, shell: name, options };
  return `${path} is for ${name}, whose trace cannot be told from its log`;
}

/** The shell of a script with its options; nothing for a file that is not a shell script. */
function shellOf(
  handler: Exclude<Handler, { kind: "rejected" }>,
): { readonly name: string; readonly options: readonly string[] } | undefined {
  if (handler.kind === "function") {
    return { name: baseName(handler.shell.path), options: handler.shell.options };
  }
  const words = shebangWords(readFileSync(handler.script, "latin1").slice(0, 4096));
  const isEnv = baseName(words[0] ?? "") === "env";
  const [interpreter = "", ...options] = isEnv ? words.slice(words[1] === "-S" ? 2 : 1) : words;
  const name = baseName(interpreter);
  return /^(sh|bash|dash|ash|ksh|mksh|busybox)$/.test(name) ? { name, options } : undefined;
}

function bashVersion(bash: string): number {
  const asked = Bun.spawnSync([bash, "-c", 'echo "${BASH_VERSINFO[0]}"'], { stderr: "ignore" });
  return Number(asked.stdout.toString());
}

function filled(words: Readonly<Record<string, string>>): string {
  return tracedShell.replace(/@([A-Z0-9]+)@/g, (_, name: string) => words[name] ?? "");
}

/** A script with another first line; one that begins with a command keeps it as its second. */
function withFirstLine(
  text: Buffer,
  line: string,
): { readonly bytes: Buffer; readonly addedLines: number } {
  const end = text.indexOf("\n") + 1;
  const first = text.toString("latin1", 0, end);
  const isComment = /^\s*(#.*)?\n$/.test(first);
  const rest = isComment ? text.subarray(end) : text;
  return { bytes: Buffer.concat([Buffer.from(line), rest]), addedLines: isComment ? 0 : 1 };
}

/** A folder of links to everything in another, but for some files, which are copies. */
function mirror(
  from: string,
  to: string,
  below: string,
  copies: ReadonlyMap<string, Buffer>,
): void {
  mkdirSync(to);
  for (const name of readdirSync(from)) {
    const path = join(below, name);
    const source = join(from, name);
    const copy = copies.get(path);
    const leads = [...copies.keys()].some((each) => each.startsWith(path + sep));
    if (copy !== undefined) {
      writeFileSync(join(to, name), copy, { mode: statSync(source).mode & 0o777 });
    } else if (leads) {
      mirror(source, join(to, name), path, copies);
    } else {
      symlinkSync(source, join(to, name));
    }
  }
}

/** Reads a pipe until {@link end} is called and all that was written before has been read. */
function readPipe(
  path: string,
  token: string,
  onRecord: (record: TraceRecord) => void,
): { readonly end: () => Promise<void> } {
  const parser = new TraceReader(token, onRecord);
  // Also open for writing, so that it does not end with the first shell.
  const descriptor = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  const stream = Bun.file(descriptor).stream().getReader();
  const last = Buffer.from(`\u001e${token}.`);
  let tail: Uint8Array = new Uint8Array(0);
  const read = async () => {
    for (;;) {
      const { done, value } = await stream.read();
      if (done) return;
      parser.add(value);
      const recent = Buffer.concat([tail, value]);
      if (recent.includes(last)) return;
      tail = recent.subarray(-last.byteLength);
    }
  };
  const reading = read();
  return {
    end: async () => {
      for (let written = false; !written;) written = await writeWhole(descriptor, last);
      await reading;
      parser.end();
      stream.releaseLock();
      closeSync(descriptor);
    },
  };
}

/** Writes a few bytes at once, or nothing while the pipe is full. */
async function writeWhole(descriptor: number, bytes: Buffer): Promise<boolean> {
  try {
    return writeSync(descriptor, bytes) > 0;
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EAGAIN")) throw error;
    await Bun.sleep(1);
    return false;
  }
}
