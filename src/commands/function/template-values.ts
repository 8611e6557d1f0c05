/**
 * A CloudFormation template as values, and what of its functions is known before a deployment.
 *
 * @see https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/intrinsic-function-reference.html
 * @module
 */

import { parseDocument, visit } from "yaml";
import { z } from "zod";

import { CommandError } from "../cli/exit-status.ts";
import { readInputFile } from "../cli/input.ts";

/** CloudFormation's short functions that stand before text. */
const SHORT_FUNCTIONS = ["GetAtt", "Sub", "ImportValue", "Base64", "GetAZs"];

/** Each short function as its long form says it. */
const CUSTOM_TAGS = [
  ...["Ref", "Condition"].map((name) => [name, name] as const),
  ...SHORT_FUNCTIONS.map((name) => [name, `Fn::${name}`] as const),
].map(([name, key]) => ({ tag: `!${name}`, resolve: (text: string) => ({ [key]: text }) }));

/**
 * Reads a template. Numbers are text as they are written, since that is what a variable gets;
 * `!Ref X` is `{"Ref": "X"}`.
 * @throws {CommandError} When the file cannot be read or is no YAML.
 */
export function readTemplate(path: string, option: string): unknown {
  const text = readInputFile(path, option).toString("utf8");
  const document = parseDocument(text, { customTags: CUSTOM_TAGS, logLevel: "error" });
  const [error] = document.errors;
  if (error !== undefined) throw new CommandError(`${path}: ${error.message.trim()}`);
  visit(document, {
    Scalar(_key, node) {
      if (typeof node.value === "number" && node.source !== undefined) node.value = node.source;
    },
  });
  return document.toJS();
}

const parameterSchema = z.looseObject({
  Type: z.string().optional(),
  Default: z.union([z.string(), z.boolean()]).transform(String),
});

/** Text that a parameter has unless the deployment says otherwise, by name. */
export type Defaults = ReadonlyMap<string, string>;

/** Reads the defaults from the section `Parameters`. */
export function parameterDefaults(parameters: unknown): Defaults {
  const defaults = new Map<string, string>();
  const section = z.record(z.string(), z.unknown()).safeParse(parameters).data ?? {};
  for (const [name, parameter] of Object.entries(section)) {
    const { Type = "String", Default } = parameterSchema.safeParse(parameter).data ?? {};
    // The default of these is the name under which Parameter Store has the value.
    if (Default === undefined || Type.startsWith("AWS::SSM::Parameter::Value<")) continue;
    defaults.set(name, Default);
  }
  return defaults;
}

/** A value with its `Ref` or `Fn::Sub` replaced where the defaults are enough, else as it is. */
export function resolved(value: unknown, defaults: Defaults): unknown {
  const [name, argument] = onlyMember(value);
  if (typeof argument !== "string") return value;
  if (name === "Ref") return defaults.get(argument) ?? value;
  if (name !== "Fn::Sub") return value;
  let complete = true;
  const text = argument.replace(/\$\{(!?)([^}]*)\}/g, (whole, literal: string, key: string) => {
    if (literal !== "") return `\${${key}}`;
    const found = defaults.get(key.trim());
    complete &&= found !== undefined;
    return found ?? whole;
  });
  return complete ? text : value;
}

/** Why a value is not known, with what the template may have written. */
export function unknownReason(value: unknown): string {
  if (value === null) return "it is empty";
  const [name, argument] = onlyMember(value);
  if (name === undefined) return "it is no text";
  const text = typeof argument === "string" ? ` ${argument}` : "";
  return `only a deployment knows !${name.replace(/^Fn::/, "")}${text}`;
}

function onlyMember(value: unknown): readonly [name?: string, argument?: unknown] {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return [];
  const [first, second] = Object.entries(value);
  return first !== undefined && second === undefined ? first : [];
}
