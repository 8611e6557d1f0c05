/**
 * The events that AWS services send, one example of each, inside the tool.
 *
 * @module
 */

import { exampleEventTexts } from "../../../fixtures/events/examples.macro.ts" with { type: "macro" };
import { CommandError } from "../cli/exit-status.ts";
import { closest } from "../cli/suggest.ts";

const EXAMPLES: Readonly<Record<string, string>> = exampleEventTexts();

/** Names of all examples, sorted. */
export function exampleNames(): readonly string[] {
  return Object.keys(EXAMPLES);
}

/**
 * The JSON of an example, as it is written.
 * @throws {CommandError} When there is none of that name, with those that are like it.
 */
export function exampleEvent(name: string): string {
  if (Object.hasOwn(EXAMPLES, name)) return EXAMPLES[name] ?? "";
  const like = similarNames(name);
  throw new CommandError(
    `no example event "${name}"\n` +
      (like.length === 0 ? "" : `  did you mean: ${like.join(", ")}\n`) +
      "  list them with: lambda-shell events",
  );
}

/** Names that are shown instead of one that is wrong, at most. */
const SIMILAR_MAX = 5;

/** Names that contain what was written, else the one that is a slip of the finger away. */
function similarNames(name: string): readonly string[] {
  const names = exampleNames();
  const containing = names.filter((each) => each.includes(name.toLowerCase()));
  if (containing.length > 0) return containing.slice(0, SIMILAR_MAX);
  const meant = closest(name, names);
  return meant === undefined ? [] : [meant];
}
