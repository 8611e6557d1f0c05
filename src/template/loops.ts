/**
 * The loops of a template: resources that `Fn::ForEach` makes.
 *
 * @see https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-foreach.html
 * @module
 */

import { z } from "zod";

import { CommandError } from "../commands/cli/exit-status.ts";
import { resolveIntrinsics, type TemplateScope } from "./intrinsic-functions.ts";

type Member = readonly [name: string, value: unknown];
type Members = Readonly<Record<string, unknown>>;

/** A loop over a collection that is known. */
interface Loop {
  readonly identifier: string;
  readonly items: readonly string[];
  readonly output: Members;
}

const LOOP = "Fn::ForEach::";
const loopSchema = z.tuple([z.string(), z.unknown(), z.record(z.string(), z.unknown())]);

/** Far more than a template needs, which may have 500 resources: loops within loops multiply. */
const ROUNDS_MAX = 10_000;

/**
 * Puts what loops make in their place, loops within loops too. One over a collection that only a deployment knows
 * stays as it is.
 * @param path Path of the template, for messages.
 * @throws {CommandError} When they make more than a template may have.
 */
export function withoutLoops(path: string, resources: Members, scope: TemplateScope): Members {
  let rounds = 0;
  function madeBy(member: Member): readonly Member[] {
    const loop = loopOf(member, scope);
    if (loop === undefined) return [member];
    return loop.items.flatMap((item) => {
      rounds += 1;
      if (rounds > ROUNDS_MAX) {
        throw new CommandError(`${path}: Fn::ForEach makes more than a template's 500 resources`);
      }
      return Object.entries(filledIn(loop.output, loop.identifier, item)).flatMap(madeBy);
    });
  }
  return Object.fromEntries(Object.entries(resources).flatMap(madeBy));
}

function loopOf([name, value]: Member, scope: TemplateScope): Loop | undefined {
  const parsed = name.startsWith(LOOP) ? loopSchema.safeParse(value).data : undefined;
  if (parsed === undefined) return undefined;
  const [identifier, collection, output] = parsed;
  const resolved = resolveIntrinsics(collection, scope);
  if (resolved.kind === "unknown" || !Array.isArray(resolved.value)) return undefined;
  return { identifier, items: resolved.value.map(String), output };
}

/** Replaces an identifier in names and values: `${NAME}`, `&{NAME}` without what no name may have, `Ref`. */
function filledIn(members: Members, identifier: string, item: string): Members {
  const text = (written: string) =>
    written
      .replaceAll(`\${${identifier}}`, () => item)
      .replaceAll(`&{${identifier}}`, () => item.replace(/[^A-Za-z0-9]/g, ""));
  const value = (written: unknown): unknown => {
    if (typeof written === "string") return text(written);
    if (Array.isArray(written)) return written.map(value);
    if (typeof written !== "object" || written === null) return written;
    const [[name, argument] = [], second] = Object.entries(written);
    if (name === "Ref" && argument === identifier && second === undefined) return item;
    return object(written);
  };
  const object = (written: object): Members =>
    Object.fromEntries(Object.entries(written).map(([name, each]) => [text(name), value(each)]));
  return object(members);
}
