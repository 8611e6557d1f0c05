/**
 * Addresses of servers that users write.
 *
 * @module
 */

import { CommandError } from "./exit-status.ts";

/**
 * An address of http or https.
 * @param source Where it comes from, such as `--url`.
 * @throws {CommandError} When it is none.
 */
export function requireHttpUrl(text: string, source: string, example: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url !== undefined && /^https?:$/.test(url.protocol)) return url;
  throw new CommandError(`${source} ${text}: no address of http or https\n  write: ${example}`);
}
