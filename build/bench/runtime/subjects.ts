/**
 * What the bench compares: the runtime in its forms, the curl loop as the baseline, a Python function
 * with AWS's own client as the alternative, C as the floor.
 *
 * @module
 */

import {
  chmodSync,
  closeSync,
  copyFileSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";

import { forkServerText } from "../../../src/runtime/fork-server-text.macro.ts";
import { HOST_ARCHITECTURE } from "../../architectures.ts";

const ROOT = join(import.meta.dir, "../../..");

/** One thing that is measured. */
export interface Subject {
  readonly name: string;
  readonly command: readonly string[];
  readonly handler: string;
  readonly taskRoot: string;
  /** How many events it is given for every hundred of the fastest. */
  readonly share: number;
}

/** The names that ratios are made of. */
export const CURL_LOOP = "curl loop";
export const RUNTIME = { dash: "bootstrap, dash", bash: "bootstrap, bash as sh" } as const;
export const BASELINE = { dash: "baseline, dash", bash: "baseline, bash as sh" } as const;
/** A program that ends at its first line, compiled as the runtime is. */
export const EMPTY = "empty Bun program";
/** AWS's own runtime client for Python, with a handler that does the same. */
export const PYTHON = "Python, awslambdaric";
export const FLOOR = { dash: "C floor, dash", bash: "C floor, bash as sh" } as const;

const ECHO = `handler() { printf '%s' "$1"; }\n`;
/** Parses the event and writes it again, as every function of this client does. */
const PYTHON_HANDLER = "def handler(event, context):\n    return event\n";
/** Reads in blocks: a shell's own `read` takes a system call a byte, 30 ms for 64 KB. */
const FILE_HANDLER = "#!/bin/sh\nexec cat\n";

/**
 * Lays out the handlers in a folder and says what must be run with them.
 * @param baseline Another executable of the runtime to compare with, if any.
 * @throws {Error} When the runtime has not been compiled, or the baseline is not there.
 */
export async function makeSubjects(
  folder: string,
  baseline: string | undefined,
): Promise<Subject[]> {
  const compiled = join(ROOT, "dist", `bootstrap-${HOST_ARCHITECTURE?.name}`);
  if (!existsSync(compiled)) throw new Error(`failed to find ${compiled}: run make bootstrap`);
  if (baseline !== undefined && !existsSync(baseline)) {
    throw new Error(`failed to find ${baseline}: BASELINE is another executable of the runtime`);
  }
  const bootstrap = copyToStart(compiled, join(folder, "bootstrap"));
  const bashAsSh = join(folder, "sh");
  if (!existsSync(bashAsSh)) symlinkSync("/bin/bash", bashAsSh);
  const shells = { dash: "/bin/dash", bash: bashAsSh } as const;
  for (const [name, path] of Object.entries(shells)) {
    mkdirSync(join(folder, name), { recursive: true });
    writeFileSync(join(folder, name, "function.sh"), `#!${path}\n${ECHO}`);
  }
  writeFileSync(join(folder, "dash/file"), FILE_HANDLER);
  chmodSync(join(folder, "dash/file"), 0o755);
  const common = { handler: "function.handler", share: 100 };
  const taskRoot = { dash: join(folder, "dash"), bash: join(folder, "bash") };
  const subjects: Subject[] = [
    {
      name: CURL_LOOP,
      command: [join(import.meta.dir, "curl-loop.sh")],
      handler: "function.handler",
      taskRoot: taskRoot.dash,
      share: 4,
    },
    { ...common, name: RUNTIME.dash, command: [bootstrap], taskRoot: taskRoot.dash },
    { ...common, name: RUNTIME.bash, command: [bootstrap], taskRoot: taskRoot.bash },
    {
      ...common,
      name: "bootstrap, file handler",
      command: [bootstrap],
      handler: "file",
      taskRoot: taskRoot.dash,
    },
  ];
  // Where `make bench` has installed it.
  const python = join(ROOT, "cache/bench-python/bin/python");
  if (existsSync(python)) {
    const taskRoot = join(folder, "python");
    mkdirSync(taskRoot, { recursive: true });
    writeFileSync(join(taskRoot, "function.py"), PYTHON_HANDLER);
    const command = [python, "-m", "awslambdaric", common.handler];
    subjects.push({ ...common, name: PYTHON, command, taskRoot });
  }
  const other = baseline && copyToStart(baseline, join(folder, "baseline"));
  for (const shell of ["dash", "bash"] as const) {
    if (other === undefined) break;
    const command = [other];
    subjects.push({ ...common, name: BASELINE[shell], command, taskRoot: taskRoot[shell] });
  }
  const floor = await compileFloor(folder);
  if (floor === undefined) return subjects;
  for (const shell of ["dash", "bash"] as const) {
    const script = join(taskRoot[shell], "function.sh");
    const text = forkServerText(shell === "bash" ? "fork-server.bash" : "fork-server.sh");
    const command = [floor, text, script, "handler", shells[shell], shell];
    subjects.push({ ...common, name: FLOOR[shell], command, taskRoot: taskRoot[shell] });
  }
  return subjects;
}

/**
 * Copies an executable, so that all that are compared have come into the page cache in the same way: the same
 * file takes up to a tenth longer to start from small and scattered pages than from those of a fresh copy.
 */
function copyToStart(executable: string, copy: string): string {
  copyFileSync(executable, copy);
  // Written to the disk now, and not while something is measured.
  const descriptor = openSync(copy, "r");
  fsyncSync(descriptor);
  closeSync(descriptor);
  return copy;
}

/** The runtime under every kind of shell, for what only quoting an event costs. */
export function makeQuotingSubjects(folder: string): Subject[] {
  const shells = { dash: "/bin/dash", "bash as sh": join(folder, "sh"), bash: "/bin/bash" };
  return Object.entries(shells).map(([name, path]) => {
    const taskRoot = join(folder, "quoting", name);
    mkdirSync(taskRoot, { recursive: true });
    writeFileSync(join(taskRoot, "function.sh"), `#!${path}\n${ECHO}`);
    const command = [join(ROOT, "dist", `bootstrap-${HOST_ARCHITECTURE?.name}`)];
    return { name, command, handler: "function.handler", taskRoot, share: 100 };
  });
}

/** Compiles the floor, where there is a C compiler. */
async function compileFloor(folder: string): Promise<string | undefined> {
  return await compileC(join(import.meta.dir, "floor.c"), join(folder, "floor"));
}

/** Compiles a program of one file, statically; `undefined` where there is no C compiler. */
export async function compileC(source: string, output: string): Promise<string | undefined> {
  const compiler = Bun.which("gcc") ?? Bun.which("cc");
  if (compiler === null) return undefined;
  const child = Bun.spawn([compiler, "-O2", "-static", "-o", output, source], {
    stderr: "inherit",
  });
  return (await child.exited) === 0 ? output : undefined;
}
