/**
 * The state of a shell whose script has changed nothing.
 *
 * @module
 */

import type { ShellState } from "../runtime/event-script.ts";

/** A shell that is not bash, such as dash. */
export const PLAIN_SHELL: ShellState = {
  flags: "",
  isBash: false,
  isPosix: false,
  bashOptions: [],
  traps: [],
  mayHaveEventVariables: true,
  readonlyNames: [],
  functionNames: [],
  disabledBuiltins: [],
};
