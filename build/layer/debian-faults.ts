/**
 * What is wrong when Debian's archive does not give what it should: the words of apt as one line that says
 * what failed, why, and what to do.
 *
 * @module
 */

import { CommandError } from "./command.ts";

/** Times that apt reads an index that does not fit together: a mirror is being brought up to date. */
export const ATTEMPTS = 3;

/** What the archive cannot give; its message says in one line why, and what to do. */
export class DebianError extends Error {
  override readonly name: string = "DebianError";
}

/** No set of the archive's packages fits together; another suite's may. */
export class UnsolvableError extends DebianError {
  override readonly name = "UnsolvableError";
  /** What apt says does not fit, or "". */
  readonly detail: string;

  constructor(message: string, detail: string, options: ErrorOptions) {
    super(message, options);
    this.detail = detail;
  }
}

/** Index and files of the mirror do not belong together, as while it is being brought up to date. */
export class OutOfStepError extends DebianError {
  override readonly name = "OutOfStepError";
}

/** What apt says when index and files do not belong together, for a while or for good. */
const OUT_OF_STEP =
  /Hash Sum mismatch|Mirror sync in progress|unexpected size|Clearsigned file isn't valid/i;

/** What apt says of a file that its index names and the mirror does not have. */
const NOT_FOUND = /(\S+)\s+404\s+(?:Not Found|File not found)?/i;

/** What apt says where a mirror, or a proxy in front of it, refuses a file or breaks off. */
const REFUSED =
  /Failed to fetch (\S+)\s+((?:(?!404)[45]\d\d\s|Error reading from server|Redirection loop)[^[\n]*)/;

/** What may be right in some minutes. */
const outOfStep: ReadonlySet<RegExp> = new Set([OUT_OF_STEP, NOT_FOUND]);

/** What apt says, and what it means. The first that fits counts. */
const REASONS: readonly (readonly [RegExp, (match: RegExpExecArray) => string])[] = [
  [
    /Release file for (\S+) is expired \(invalid since ([^)]*)\)/,
    ([, url, since]) =>
      `the mirror has not been brought up to date (${url} expired ${since} ago): take another ` +
      'one with DEBIAN_MIRROR=URL; if apt.conf has Acquire::Check-Valid-Until "false", it counts here too',
  ],
  [
    /The repository '(\S+) (\S+) Release' does not have a Release file/,
    ([, url, suite]) =>
      `the suite ${suite} is missing at ${url}: name a mirror that has it with DEBIAN_MIRROR=URL ` +
      "(for security updates, DEBIAN_SECURITY_MIRROR=URL)",
  ],
  [
    /Release file for (\S+) is not valid yet \(invalid for another ([^)]*)\)/,
    ([, url, time]) => `this machine's clock is ${time} behind that of ${url}: set it right`,
  ],
  [
    REFUSED,
    ([, url, status]) =>
      `the mirror responds with ${status?.trim().replace(/\s+/g, " ")} for ${url}: run the command again in some minutes, ` +
      "or name another mirror with DEBIAN_MIRROR=URL",
  ],
  [
    /(?:BADSIG|NO_PUBKEY|EXPKEYSIG|REVKEYSIG|is (?:not|no longer) signed|invalid signature|couldn't be verified|could not be verified|not valid|No good signature|Missing key).*/i,
    ([text]) =>
      `the archive's signature is not good (${text.trim()}): the mirror is not Debian's, or ` +
      "DEBIAN_KEYRING is not its key ring; a newer debian-archive-keyring may be needed",
  ],
  [
    /Unable to locate package (\S+)/,
    ([, name]) => `the archive has no package ${name}: name another suite in layer/sources.json`,
  ],
  [
    /Package '?(\S+?)'? has no installation candidate/,
    ([, name]) => `the archive has no package ${name}: name another suite in layer/sources.json`,
  ],
  [
    /No packages found/,
    () => "the archive has no such package: name another suite in layer/sources.json",
  ],
  [
    NOT_FOUND,
    ([, url]) =>
      `the mirror responds with 404 for ${url}: it is out of step with its index, or lacks the suite; ` +
      "run the command again in some minutes, or name another mirror with DEBIAN_MIRROR=URL",
  ],
  [
    OUT_OF_STEP,
    ([text]) =>
      `the mirror's files are not those of its signed index (${text}), ${ATTEMPTS} times: run the ` +
      "command again in some minutes, or name another mirror with DEBIAN_MIRROR=URL",
  ],
  [
    /(Could not (?:connect|resolve)|Connection (?:failed|refused|timed out)|Temporary failure resolving|Unable to connect)[^\n]*/i,
    ([text]) =>
      `the mirror cannot be reached (${text.trim()}): check the network, or name another mirror ` +
      "with DEBIAN_MIRROR=URL; INPUTS=dist/inputs.json builds from the cache",
  ],
  [
    /No space left on device|Read-only file system|Permission denied/i,
    ([text]) => `${text}: CACHE=FOLDER names another folder for the cache`,
  ],
];

/** The first line of apt about packages that do not fit together. */
const UNSOLVABLE =
  /unmet dependencies|unable to correct problems|held broken packages|Unsatisfied dependencies/i;

/**
 * Makes one line of what apt printed: what failed, why, what to do.
 * @param what What was being done, as in "failed to WHAT".
 * @returns A {@link DebianError}, or the error as it is where no program failed.
 */
export function explained(error: unknown, what: string): unknown {
  if (!(error instanceof CommandError)) return error;
  const output = error.output.replaceAll("\n   ", " ");
  if (UNSOLVABLE.test(output)) {
    const [, found = ""] = /^ (\S+ : (?:Pre)?Depends: .*)$/m.exec(output) ?? [];
    // The first reason of many.
    const [detail = ""] = found.replace(/\s+/g, " ").split(/(?<!:) (?=(?:Pre)?Depends: )/);
    return new UnsolvableError(
      `failed to ${what}: its packages do not fit together today (${detail}); try again tomorrow, ` +
        "or build what was built before with INPUTS=inputs.json",
      detail,
      { cause: error },
    );
  }
  for (const [pattern, reason] of REASONS) {
    const match = pattern.exec(output);
    if (match === null) continue;
    const kind = outOfStep.has(pattern) ? OutOfStepError : DebianError;
    return new kind(`failed to ${what}: ${reason(match)}`, { cause: error });
  }
  return new DebianError(`failed to ${what}: ${error.message}`, { cause: error });
}
