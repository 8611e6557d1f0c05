/**
 * Listening on the port that was asked for, and no other.
 *
 * @module
 */

import { readdirSync, readFileSync, readlinkSync } from "node:fs";

import { hostAndPort } from "../../host/server.ts";
import { systemFault } from "../cli/ending.ts";
import { CommandError, EXIT } from "../cli/exit-status.ts";

/** A setting's text with the option or variable that it comes from; absent where nothing is said. */
type Written = readonly [origin: string, text: string | undefined];

/**
 * The port that was written down first.
 * @throws {CommandError} When it is not a port.
 */
export function portNumber(places: readonly Written[], fallback: number): number {
  const [origin, text] = places.find(([, each]) => each !== undefined) ?? [];
  if (origin === undefined || text === undefined) return fallback;
  const port = Number(text);
  if (/^\d+$/.test(text) && port <= PORT_MAX) return port;
  throw new CommandError(`${origin}: invalid port "${text}" (0-${PORT_MAX})`);
}

/** The largest port of TCP. */
export const PORT_MAX = 65_535;

/** Something that can listen. */
interface Listener {
  listen(host: string, port: number): Promise<number>;
}

/**
 * Listens, or says who has the port.
 * @throws {CommandError} When the port is taken or not allowed, or the address is empty: Node would take that for
 * all addresses, which a variable without a value must not be.
 */
export async function listenOrExplain(
  listener: Listener,
  host: string,
  port: number,
  option = "--port",
): Promise<number> {
  if (host === "") throw new CommandError(`--host: the address is empty\n${OTHER_ADDRESS}`);
  try {
    return await listener.listen(host, port);
  } catch (error) {
    throw new CommandError(listenFault(error, host, port, option), EXIT.unreachable);
  }
}

/** Why a server cannot listen, and what to do. */
export function listenFault(error: unknown, host: string, port: number, option: string): string {
  const fault = systemFault(error);
  const failed = `failed to listen on ${hostAndPort(host, port)}`;
  switch (fault?.code) {
    case "EADDRINUSE":
      return portTaken(host, port, portHolder(port), option);
    case "EACCES":
      return `${failed}: the port is for root alone\n  use ${option} 8080, or any other from 1024 on`;
    // Bun's error for a name that leads to no address may have no code.
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
    case undefined:
      return `${failed}: this computer does not have that address\n${OTHER_ADDRESS}`;
    default:
      return `${failed}: ${fault?.fact}`;
  }
}

const OTHER_ADDRESS = "  use --host 127.0.0.1, or 0.0.0.0 for all addresses";

/** Who has the port, and what to do. */
export function portTaken(
  host: string,
  port: number,
  holder = portHolder(port),
  option = "--port",
): string {
  const by = holder === undefined ? "" : ` by pid ${holder.pid} (${holder.command})`;
  const free = option === "--port" ? ", or --port 0 to pick a free one" : "";
  return `port ${port} on ${host} is in use${by}\n  use ${option} ${port + 1}${free}`;
}

/** A process that listens. */
interface PortHolder {
  readonly pid: number;
  readonly command: string;
}

/** TCP state LISTEN in /proc/net/tcp. */
const LISTENING = "0A";

/** Finds the process that listens on a port, where /proc tells. */
function portHolder(port: number): PortHolder | undefined {
  const hexPort = port.toString(16).toUpperCase().padStart(4, "0");
  const inodes = new Set<string>();
  for (const table of ["/proc/net/tcp", "/proc/net/tcp6"]) {
    for (const line of read(table).split("\n")) {
      const [, local = "", , state, , , , , , inode] = line.trim().split(/\s+/);
      if (local.endsWith(`:${hexPort}`) && state === LISTENING && inode !== undefined) {
        inodes.add(`socket:[${inode}]`);
      }
    }
  }
  if (inodes.size === 0) return undefined;
  for (const pid of list("/proc").filter((name) => /^\d+$/.test(name))) {
    const holds = list(`/proc/${pid}/fd`).some((fd) => inodes.has(link(`/proc/${pid}/fd/${fd}`)));
    if (holds) return { pid: Number(pid), command: read(`/proc/${pid}/comm`).trim() };
  }
  return undefined;
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

function list(path: string): readonly string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

function link(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}
