/**
 * The functions of one host, by the names that callers use.
 *
 * @module
 */

import { functionArn } from "../invocation/settings.ts";
import type { FunctionHost } from "./function-pool.ts";

/** Lambda's own pattern of a function's name, ARN or partial ARN. */
const FUNCTION_NAME =
  /^(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?([a-zA-Z0-9-_.]+)(:(\$LATEST(\.PUBLISHED)?|[a-zA-Z0-9-_]+))?$/;

/** The text of {@link FUNCTION_NAME} in Lambda's message. */
const FUNCTION_NAME_PATTERN =
  "(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\\d{1}:)?" +
  "(\\d{12}:)?(function:)?([a-zA-Z0-9-_\\.]+)(:(\\$LATEST(\\.PUBLISHED)?|[a-zA-Z0-9-_]+))?";

/** What a name leads to. */
export type FunctionLookup =
  | { readonly kind: "found"; readonly host: FunctionHost; readonly qualifier: string | undefined }
  | { readonly kind: "invalid-name"; readonly message: string }
  | { readonly kind: "qualifier-mismatch"; readonly message: string }
  | {
      readonly kind: "unknown";
      readonly name: string;
      readonly qualifier: string | undefined;
    };

/** All functions that one server runs. */
export class FunctionRegistry {
  readonly #all: readonly FunctionHost[];
  readonly #hosts: ReadonlyMap<string, FunctionHost>;

  /** @param hosts Each with a name of its own, or callers reach only one of a name. */
  constructor(hosts: readonly FunctionHost[]) {
    this.#all = hosts;
    this.#hosts = new Map(hosts.map((host) => [host.settings.name, host]));
  }

  /** In the order of their names, so that the first of a listing is always the same. */
  get hosts(): readonly FunctionHost[] {
    return this.#all.toSorted((a, b) => (a.settings.name < b.settings.name ? -1 : 1));
  }

  /** The function that plain requests go to: the first that was named. */
  get defaultHost(): FunctionHost | undefined {
    return this.#all[0];
  }

  /**
   * Finds a function by name, partial ARN or ARN. `function`, as AWS's emulator has it, is the
   * default one.
   * @param qualifier Of the query; it must agree with one in the name.
   */
  find(nameOrArn: string, qualifier: string | undefined): FunctionLookup {
    const match = FUNCTION_NAME.exec(nameOrArn);
    const name = match?.[11];
    if (name === undefined) {
      const message =
        `1 validation error detected: Value '${nameOrArn}' at 'functionName' failed to satisfy ` +
        `constraint: Member must satisfy regular expression pattern: ${FUNCTION_NAME_PATTERN}`;
      return { kind: "invalid-name", message };
    }
    const named = match?.[13];
    if (named !== undefined && qualifier !== undefined && named !== qualifier) {
      const message =
        "The derived qualifier from the function name does not match the specified qualifier.";
      return { kind: "qualifier-mismatch", message };
    }
    const wanted = named ?? qualifier;
    const host = this.#hosts.get(name) ?? (name === "function" ? this.defaultHost : undefined);
    return host === undefined
      ? { kind: "unknown", name, qualifier: wanted }
      : { kind: "found", host, qualifier: wanted };
  }

  /** The ARN that Lambda would name in "Function not found". */
  unknownArn(name: string, qualifier: string | undefined): string {
    const host = this.defaultHost;
    if (host === undefined) return name;
    return functionArn({ ...host.settings, name }, qualifier);
  }
}
