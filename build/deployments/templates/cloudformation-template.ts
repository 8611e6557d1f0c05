/**
 * CloudFormation templates with their parameters filled in, as far as checks of properties need it.
 *
 * @module
 */

import { parse, type ScalarTag, type YAMLMap, type YAMLSeq } from "yaml";

/** A resource with its properties, in which nothing is left to resolve. */
export interface Resource {
  readonly Type: string;
  readonly DeletionPolicy?: string;
  readonly UpdateReplacePolicy?: string;
  readonly DependsOn?: string;
  readonly Properties: Readonly<Record<string, unknown>>;
}

type Values = ReadonlyMap<string, string>;

/** What CloudFormation itself knows, with the names of the documentation's examples. */
const PSEUDO_PARAMETERS: readonly (readonly [string, string])[] = [
  ["AWS::AccountId", "123456789012"],
  ["AWS::Partition", "aws"],
  ["AWS::Region", "us-east-1"],
  ["AWS::StackName", "stack"],
  ["AWS::URLSuffix", "amazonaws.com"],
];

/** Short forms of functions, `!Ref x`, become their long forms, `{Ref: x}`. */
const TAGS = [
  "Ref",
  "Sub",
  "GetAtt",
  "If",
  "Equals",
  "Not",
  "And",
  "Or",
  "Join",
  "Condition",
].flatMap((name) => {
  const key = name === "Ref" || name === "Condition" ? name : `Fn::${name}`;
  const scalar: ScalarTag = { tag: `!${name}`, resolve: (text) => ({ [key]: text }) };
  const list = {
    tag: `!${name}`,
    collection: "seq" as const,
    resolve: (items: YAMLMap | YAMLSeq) => ({ [key]: items.toJSON() }),
  };
  return [scalar, list];
});

/** Reads a template as the object that its JSON form would be. */
export function readTemplate(text: string): Template {
  return parse(text, { customTags: TAGS });
}

/** The parts of a template that are read here. */
export interface Template {
  readonly Parameters?: Readonly<Record<string, { readonly Default?: string | number }>>;
  readonly Conditions?: Readonly<Record<string, unknown>>;
  readonly Resources: Readonly<
    Record<string, Partial<Resource> & { readonly Type: string; readonly Condition?: string }>
  >;
}

/**
 * The resources of a template with these parameters, without those whose condition does not hold.
 * @throws {Error} When something cannot be resolved.
 */
export function resolveResources(
  template: Template,
  parameters: Readonly<Record<string, string>> = {},
): ReadonlyMap<string, Resource> {
  const values = new Map([
    ...PSEUDO_PARAMETERS,
    ...Object.entries(template.Parameters ?? {}).flatMap(([name, { Default }]) =>
      Default === undefined ? [] : [[name, String(Default)] as const],
    ),
    ...Object.entries(parameters),
  ]);
  const names = new Set(Object.keys(template.Resources));
  const resolved = new Map<string, Resource>();
  for (const [name, { Condition, Properties, ...resource }] of Object.entries(template.Resources)) {
    if (Condition !== undefined && !holds({ Condition }, template, values)) continue;
    const properties = resolve(Properties ?? {}, template, values, names);
    resolved.set(name, { ...resource, Properties: properties as Resource["Properties"] });
  }
  return resolved;
}

const NO_VALUE = Symbol("AWS::NoValue");

function resolve(value: unknown, template: Template, values: Values, names: Set<string>): unknown {
  const again = (inner: unknown) => resolve(inner, template, values, names);
  if (Array.isArray(value)) return value.map(again).filter((each) => each !== NO_VALUE);
  if (typeof value !== "object" || value === null) return value;
  const [[key = "", argument] = []] = Object.entries(value);
  switch (key) {
    case "Ref":
      if (argument === "AWS::NoValue") return NO_VALUE;
      return reference(String(argument), values, names);
    case "Fn::Sub": {
      const [text, own] = (Array.isArray(argument) ? argument : [argument, {}]) as [string, object];
      const known = new Map([...values, ...Object.entries(again(own) as Record<string, string>)]);
      return text.replace(/\$\{([^}]+)\}/g, (_, name: string) =>
        name.includes(".") ? `arn:aws:example:::${name}` : reference(name, known, names),
      );
    }
    case "Fn::GetAtt":
      return `arn:aws:example:::${Array.isArray(argument) ? argument.join(".") : argument}`;
    case "Fn::If": {
      const [condition, yes, no] = argument as [string, unknown, unknown];
      return again(holds({ Condition: condition }, template, values) ? yes : no);
    }
    default:
      return Object.fromEntries(
        Object.entries(value)
          .map(([name, inner]) => [name, again(inner)] as const)
          .filter(([, inner]) => inner !== NO_VALUE),
      );
  }
}

/** The value of a parameter, or a name that stands for what a resource gets. */
function reference(name: string, values: Values, names: ReadonlySet<string>): string {
  const value = values.get(name) ?? (names.has(name) ? `the-${name}` : undefined);
  if (value === undefined) throw new Error(`failed to resolve ${name}: give its parameter`);
  return value;
}

function holds(condition: unknown, template: Template, values: Values): boolean {
  const again = (inner: unknown) => holds(inner, template, values);
  const [[key = "", argument] = []] = Object.entries(condition as object);
  const list = argument as readonly unknown[];
  switch (key) {
    case "Condition":
      return again(template.Conditions?.[String(argument)]);
    case "Fn::Not":
      return !again(list[0]);
    case "Fn::And":
      return list.every(again);
    case "Fn::Or":
      return list.some(again);
    case "Fn::Equals": {
      const [a, b] = list.map((each) => resolve(each, template, values, new Set()));
      return a === b;
    }
    default:
      throw new Error(`failed to resolve a condition: ${key} is not known here`);
  }
}
