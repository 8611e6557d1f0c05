/**
 * Runs a program to its end and returns what it printed.
 *
 * @module
 */

/** Lines of a failed program's output that are kept for the report of an error. */
const KEPT_LINES = 40;

/** What programs say of a file system that takes no more; it says more than what else they say. */
export const FULL_DISK = /No space left on device|NoSpaceLeft|Disk quota exceeded/i;

/** Longest quotation of a failed program's output in a message, in characters. */
const QUOTED_CHARACTERS = 400;

/**
 * Variables of the user that would change what programs of the build do: another loader path, other
 * settings of Python or apt, other options of tar and gzip, of zig and the clang in it.
 */
const UNWANTED_VARIABLES =
  /^(LD_.*|PYTHON.*|APT_CONFIG|TAR_OPTIONS|GZIP|POSIXLY_CORRECT|POSIX_ME_HARDER|SOURCE_DATE_EPOCH|ZIG_.*|CCC_.*|COMPILER_PATH|C_INCLUDE_PATH|CPATH|LIBRARY_PATH|PATCH_.*|QUOTING_STYLE|UNZIP|UNZIPOPT|BASH_ENV|ENV|CDPATH|MAKEFLAGS|MFLAGS|MAKELEVEL)$/;

/** Where and how a program runs. */
export interface CommandOptions {
  readonly cwd?: string;
  /** Variables besides this process's own. */
  readonly env?: Readonly<Record<string, string>>;
}

/** A program that ended badly. Its message is one line. */
export class CommandError extends Error {
  override readonly name = "CommandError";
  /** Its exit status, or 127 when it was not found. */
  readonly status: number;
  /** The last lines that it printed on both outputs. */
  readonly output: string;

  constructor(message: string, status: number, output = "") {
    super(message);
    this.status = status;
    this.output = output;
  }
}

/** This process's variables without those that would change what the build's programs do. */
export function buildEnvironment(): Record<string, string> {
  const environment: Record<string, string> = {};
  for (const [name, value] of Object.entries(process.env)) {
    if (value !== undefined && !UNWANTED_VARIABLES.test(name)) environment[name] = value;
  }
  // Messages in one language, whatever the machine speaks: some of them are read.
  return { ...environment, LC_ALL: "C.UTF-8", LANGUAGE: "" };
}

/**
 * Runs a program and returns its standard output.
 * @throws {CommandError} When it cannot be found or ends with a status other than 0.
 */
export async function run(
  command: readonly string[],
  options: CommandOptions = {},
): Promise<string> {
  const [program = ""] = command;
  if (Bun.which(program) === null) {
    throw new CommandError(
      `failed to run ${program}: it is not installed (make system-packages installs what the build needs)`,
      127,
    );
  }
  const child = Bun.spawn([...command], {
    cwd: options.cwd ?? process.cwd(),
    env: { ...buildEnvironment(), ...options.env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const { output, errors, status } = await outcomeOf(child);
  if (status !== 0) {
    const words = (errors.trim() === "" ? output : errors).trim().split("\n");
    const kept = (text: string) => text.trim().split("\n").slice(-KEPT_LINES).join("\n");
    throw new CommandError(
      `failed to run ${shortened(command)}: status ${status}: ${tellingLine(words)}`,
      status,
      `${kept(output)}\n${kept(errors)}`.trim(),
    );
  }
  return output;
}

/** What a program has printed, and how it has ended. */
export interface Outcome {
  readonly output: string;
  readonly errors: string;
  readonly status: number;
}

/** Waits for the end of a program whose outputs are pipes, and reads both meanwhile: a full pipe would stop it. */
export async function outcomeOf(
  child: Bun.Subprocess<Bun.Spawn.Writable, "pipe", "pipe">,
): Promise<Outcome> {
  const [output, errors, status] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { output, errors, status };
}

/**
 * The line of a failed program's output that says most: one that speaks of a full disk, else the first that
 * speaks of an error.
 */
function tellingLine(lines: readonly string[]): string {
  const line =
    lines.find((candidate) => FULL_DISK.test(candidate)) ??
    lines.find((candidate) => /^E: |\b(error|fatal|failed)\b/i.test(candidate)) ??
    lines.findLast((candidate) => candidate.trim() !== "") ??
    "it printed nothing";
  return line.trim().slice(0, QUOTED_CHARACTERS);
}

/** A command without the long tail of its arguments. */
function shortened(command: readonly string[]): string {
  const words = command.join(" ");
  const limit = 160;
  return words.length <= limit ? words : `${words.slice(0, limit)}...`;
}
