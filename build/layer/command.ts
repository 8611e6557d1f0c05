/**
 * Runs a program to its end and returns what it printed.
 *
 * @module
 */

/** Lines of a failed program's output that its error quotes. */
const QUOTED_LINES = 20;

/** Where and how a program runs. */
export interface CommandOptions {
  readonly cwd?: string;
  /** Variables besides this process's own. */
  readonly env?: Readonly<Record<string, string>>;
}

/** A program that ended badly. */
export class CommandError extends Error {
  /** Its exit status, or 127 when it was not found. */
  readonly status: number;

  constructor(message: string, status: number) {
    super(message);
    this.name = "CommandError";
    this.status = status;
  }
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
    throw new CommandError(`failed to run ${program}: it is not installed`, 127);
  }
  const child = Bun.spawn([...command], {
    cwd: options.cwd ?? process.cwd(),
    // Messages in one language, whatever the machine speaks: some of them are read.
    env: { ...process.env, LC_ALL: "C.UTF-8", ...options.env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [output, errors, status] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  if (status !== 0) {
    const words = (errors.trim() === "" ? output : errors).trim().split("\n");
    const quoted = words.slice(-QUOTED_LINES).join("\n");
    throw new CommandError(
      `failed to run ${command.join(" ")}: status ${status}\n${quoted}`,
      status,
    );
  }
  return output;
}
