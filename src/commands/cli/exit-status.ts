/**
 * Exit statuses of every command.
 *
 * @module
 */

/** What a command's exit status tells; one that a signal has ended has 128 and the signal's number. */
export const EXIT = {
  ok: 0,
  functionError: 1,
  usage: 2,
  timedOut: 3,
  crashed: 4,
  unreachable: 5,
  throttled: 6,
  /** A server has failed, redirects, or responds with what is not a function's result. */
  serverError: 7,
  /** Nobody reads standard output any more; a shell's number for SIGPIPE. */
  outputClosed: 141,
} as const;

/** A failure with its words for the user and its exit status; nothing else is printed of it. */
export class CommandError extends Error {
  readonly exitStatus: number;

  /**
   * @param message What, where and why; further lines are details and the fix, indented by two.
   * @param exitStatus One of {@link EXIT}.
   */
  constructor(message: string, exitStatus: number = EXIT.usage) {
    super(message);
    this.name = "CommandError";
    this.exitStatus = exitStatus;
  }
}

/** The exit status for an outcome, by its origin or kind; see `outcome.ts`. */
export function outcomeStatus(name: string): number {
  switch (name) {
    case "response":
    case "stream":
    case "success":
      return EXIT.ok;
    case "timeout":
      return EXIT.timedOut;
    case "exit":
    case "init":
      return EXIT.crashed;
    case "queue-full":
    case "rejected":
      return EXIT.throttled;
    // Whatever else a function error is, it is the function's.
    default:
      return EXIT.functionError;
  }
}
