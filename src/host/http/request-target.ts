/**
 * What stands between method and version in a request line.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9112#section-3.2
 * @module
 */

/** A target in its parts, byte for byte. */
export interface RequestTarget {
  readonly rawPath: string;
  /** Without `?`; empty when there is none. */
  readonly rawQuery: string;
  /** Host and port of a target in absolute form, which stand in place of the header's. */
  readonly host?: string;
}

/** `http://host/path`, as clients send it to what they take for a proxy. */
const ABSOLUTE_FORM = /^https?:\/\/(?:[^/?@]*@)?([^/?]+)(.*)$/i;

/** Takes a target apart. */
export function parseTarget(target: string): RequestTarget {
  const [, host, rest = ""] = ABSOLUTE_FORM.exec(target) ?? [];
  const origin = host === undefined ? target : rest.replace(/^(?!\/)/, "/");
  const at = origin.indexOf("?");
  return {
    rawPath: at === -1 ? origin : origin.slice(0, at),
    rawQuery: at === -1 ? "" : origin.slice(at + 1),
    ...(host === undefined ? {} : { host }),
  };
}
