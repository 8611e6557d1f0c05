/**
 * What commands share in reading their arguments: a folder and a bootstrap, addresses, options that may
 * be given several times.
 *
 * @module
 */

import { type Command, Option } from "commander";

import { shownAddress } from "../../host/http/message.ts";
import { CommandError } from "./exit-status.ts";
import { pathWord, shellWord } from "./suggest.ts";

/** What stands before and after `--`. */
interface SplitCommand {
  readonly directory: string;
  /** The bootstrap with its arguments; empty when none is named. */
  readonly bootstrap: readonly string[];
}

/** Folders before `--`, `.` when there is none, and the bootstrap after it. */
export function splitFolders(command: Command): {
  readonly directories: readonly string[];
  readonly bootstrap: readonly string[];
} {
  // Commander drops `--`, so its place is found again in the raw arguments.
  const raw = rawArguments(command);
  const at = raw.indexOf("--");
  const bootstrap = at === -1 ? [] : raw.slice(at + 1);
  const directories = command.args.slice(0, command.args.length - bootstrap.length);
  return { directories: directories.length === 0 ? ["."] : directories, bootstrap };
}

/**
 * Splits the arguments of a command `[dir] [-- command…]`.
 * @throws {CommandError} When there is more than one folder.
 */
export function splitCommand(command: Command): SplitCommand {
  const { directories, bootstrap } = splitFolders(command);
  const [directory = ".", other] = directories;
  if (other === undefined) return { directory, bootstrap };
  throw new CommandError(
    `one folder at a time: ${directories.join(" ")}\n` +
      (isEventFile(other)
        ? eventFix(other, directory)
        : "  put the bootstrap command after --: -- CMD ARGS"),
  );
}

/** Whether a name that stands where a folder must is meant as an event's. */
export function isEventFile(name: string): boolean {
  return /\.jsonl?$/.test(name);
}

/** The line that says where an event is read from. */
export function eventFix(file: string, directory?: string): string {
  const folder = directory === undefined ? "" : ` ${pathWord(directory)}`;
  return `  an event is read from standard input: lambda-shell run${folder} < ${shellWord(file)}`;
}

function rawArguments(command: Command): readonly string[] {
  let root: Command = command;
  while (root.parent !== null) root = root.parent;
  return "rawArgs" in root && Array.isArray(root.rawArgs) ? root.rawArgs.map(String) : [];
}

/**
 * An address of http or https.
 * @param source Where it comes from, such as `--url`.
 * @throws {CommandError} When it is not one.
 */
export function requireHttpUrl(text: string, source: string, example: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url !== undefined && /^https?:$/.test(url.protocol)) return url;
  // Most forget how it begins; what has a password in it is not repeated.
  const isHost = /^(?:[\w-]+(?:\.[\w-]+)+|localhost|\[[\da-f:.]+\])(?::\d+)?(?:\/[\w./-]*)?$/i.test(
    text,
  );
  const written = isHost ? example.replace(/http:.*/, `http://${text}`) : example;
  throw new CommandError(
    `${source} ${shownAddress(text)}: not an http(s) URL\n  write: ${written}`,
  );
}

/** The address of a path below that of a server, which may have a path of its own, as behind a gateway. */
export function addressBelow(server: string, path: string, query = ""): URL {
  const address = new URL(server);
  address.pathname = address.pathname.replace(/\/$/, "") + path;
  address.search = query;
  return address;
}

/** Names and addresses by which a computer calls itself, as WHATWG's URL writes them. */
const LOOPBACK =
  /^(?:(?:.*\.)?localhost\.?|127\.\d+\.\d+\.\d+|0\.0\.0\.0|\[::1?\]|\[::ffff:7f.*\])$/;

/**
 * Keeps the proxies of the environment (`http_proxy`, `ALL_PROXY`, …) away from requests to this
 * computer: a proxy reaches another computer's server, or none. Effective for this process and the
 * programs that it starts.
 */
export function reachDirectly({ hostname }: URL): void {
  if (!LOOPBACK.test(hostname)) return;
  for (const name of ["NO_PROXY", "no_proxy"]) {
    const others = process.env[name];
    process.env[name] = others === undefined ? hostname : `${others},${hostname}`;
  }
}

/** An option that may be given several times. */
export function collected(flags: string, description: string): Option {
  return new Option(flags, `${description} (repeatable)`).argParser(
    (value: string, previous: readonly string[] | undefined) => [...(previous ?? []), value],
  );
}
