/**
 * AWS_LAMBDA_RUNTIME_API: a host and a port, and nothing else.
 *
 * @module
 */

import type { HttpAddress } from "./http-connection.ts";

const PORT_MAX = 65_535;
const DIGITS = "0123456789";
/** What no host holds: it would be a URL, or several words. */
const FOREIGN = "/@?# \t\r\n\0";

/**
 * Reads the address of the Runtime API.
 * @throws {Error} When it is none, with what it must be.
 */
export function runtimeApiAddress(text: string): HttpAddress {
  if (text === "") {
    throw new Error("AWS_LAMBDA_RUNTIME_API is not set: a host must say where its Runtime API is");
  }
  const colon = text.lastIndexOf(":");
  const port = text.slice(colon + 1);
  const name = text.slice(0, Math.max(0, colon));
  const isBracketed = name.startsWith("[") && name.endsWith("]");
  const host = isBracketed ? name.slice(1, -1) : name;
  if (isHost(host, isBracketed) && isPort(port)) return { host, port, text };
  throw new Error(
    `AWS_LAMBDA_RUNTIME_API is ${JSON.stringify(text)}: it must be HOST:PORT, as in 127.0.0.1:9001 ` +
      "or [::1]:9001",
  );
}

/** Colons belong to addresses of IPv6, which stand in brackets. */
function isHost(host: string, isBracketed: boolean): boolean {
  if (host === "" || host.includes(":") !== isBracketed) return false;
  for (const character of FOREIGN) if (host.includes(character)) return false;
  return !host.includes("[") && !host.includes("]");
}

function isPort(text: string): boolean {
  for (const character of text) if (!DIGITS.includes(character)) return false;
  const port = Number(text);
  return port > 0 && port <= PORT_MAX;
}
