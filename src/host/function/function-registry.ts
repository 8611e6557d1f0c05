/**
 * The functions of one host, by the names that callers use.
 *
 * @module
 */

import { functionArn } from "../invocation/settings.ts";
import type { FunctionPool } from "./function-pool.ts";

/** Lambda's own pattern of a function's name, ARN or partial ARN. */
const FUNCTION_NAME =
  /^(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?([a-zA-Z0-9-_.]+)(:(\$LATEST(\.PUBLISHED)?|[a-zA-Z0-9-_]+))?$/;

/** The text of {@link FUNCTION_NAME} in Lambda's message. */
const FUNCTION_NAME_PATTERN =
  "(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\\d{1}:)?" +
  "(\\d{12}:)?(function:)?([a-zA-Z0-9-_\\.]+)(:(\\$LATEST(\\.PUBLISHED)?|[a-zA-Z0-9-_]+))?";

/** A version, an alias, or `$LATEST` with what is published of it. */
const QUALIFIER = /^(?:\$LATEST(?:\.PUBLISHED)?|[a-zA-Z0-9-_]{1,128})$/;

/** The text of {@link QUALIFIER} in Lambda's message. */
const QUALIFIER_PATTERN = "\\$(LATEST(\\.PUBLISHED)?)|[a-zA-Z0-9$_-]+";

/** What a name leads to. */
export type FunctionLookup =
  | { readonly kind: "found"; readonly pool: FunctionPool; readonly qualifier: string | undefined }
  | { readonly kind: "invalid-name"; readonly message: string }
  | { readonly kind: "invalid-qualifier"; readonly message: string }
  | {
      readonly kind: "unknown";
      readonly name: string;
      readonly qualifier: string | undefined;
    };

/** All functions that one server runs. */
export class FunctionRegistry {
  readonly #all: readonly FunctionPool[];
  readonly #pools: ReadonlyMap<string, FunctionPool>;

  /** @param pools Each with a name of its own, or callers reach only one of a name. */
  constructor(pools: readonly FunctionPool[]) {
    this.#all = pools;
    this.#pools = new Map(pools.map((pool) => [pool.settings.name, pool]));
  }

  /** In the order of their names, so that the first of a listing is always the same. */
  get pools(): readonly FunctionPool[] {
    return this.#all.toSorted((a, b) => (a.settings.name < b.settings.name ? -1 : 1));
  }

  /** The function that plain requests go to: the first that was named. */
  get defaultPool(): FunctionPool | undefined {
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
      return { kind: "invalid-qualifier", message };
    }
    if (qualifier !== undefined && !QUALIFIER.test(qualifier)) {
      const message =
        `1 validation error detected: Value '${qualifier}' at 'qualifier' failed to satisfy ` +
        `constraint: Member must satisfy regular expression pattern: ${QUALIFIER_PATTERN}`;
      return { kind: "invalid-qualifier", message };
    }
    const wanted = named ?? qualifier;
    const pool = this.#pools.get(name) ?? (name === "function" ? this.defaultPool : undefined);
    return pool === undefined
      ? { kind: "unknown", name, qualifier: wanted }
      : { kind: "found", pool, qualifier: wanted };
  }

  /** The ARN that Lambda would name in "Function not found". */
  unknownArn(name: string, qualifier: string | undefined): string {
    const pool = this.defaultPool;
    if (pool === undefined) return name;
    return functionArn({ ...pool.settings, name }, qualifier);
  }
}
