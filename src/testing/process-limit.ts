/**
 * A limit of processes like that of Lambda.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
 * @module
 */

/**
 * The command before a program that may have so many processes and threads at most, its own
 * included. It runs as a user whom nobody else is, so that only its own processes count.
 * @throws {Error} When the tests do not run as root.
 */
export function processLimit(processes: number): string[] {
  if (process.getuid?.() !== 0) throw new Error("failed to limit processes: run the tests as root");
  const user = String(1_000_000 + Math.floor(Math.random() * 1_000_000_000));
  return [
    ...["prlimit", `--nproc=${processes}:${processes}`],
    ...["setpriv", "--reuid", user, "--regid", user, "--clear-groups"],
  ];
}
