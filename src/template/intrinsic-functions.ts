/**
 * CloudFormation's functions in a template, as far as their values can be known before a deployment.
 *
 * @see https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/intrinsic-function-reference.html
 * @see https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/pseudo-parameter-reference.html
 * @module
 */

import { Scalar, YAMLMap, type YAMLSeq } from "yaml";

import { memberOf, membersOf } from "../json-object.ts";

/** A value without functions, or the words of the one that only a deployment knows. */
export type Resolved =
  | { readonly kind: "known"; readonly value: unknown }
  | { readonly kind: "unknown"; readonly by: string };

/** What the functions of a template may refer to. */
export interface TemplateScope {
  /** What `Ref` gives: parameters with a default, pseudo parameters, resources. */
  readonly references: ReadonlyMap<string, unknown>;
  /** What `Fn::GetAtt` gives, by `Resource.Attribute`. */
  readonly attributes: ReadonlyMap<string, unknown>;
  readonly mappings: unknown;
  readonly conditions: unknown;
}

/** Functions whose short form stands before text, and their long form where it is not `Fn::NAME`. */
const SHORT_FORMS = {
  Ref: "Ref",
  Condition: "Condition",
  ...Object.fromEntries(
    [
      ...["And", "Base64", "Cidr", "Equals", "FindInMap", "GetAZs", "GetAtt", "If", "ImportValue"],
      ...["Join", "Length", "Not", "Or", "Select", "Split", "Sub", "ToJsonString", "Transform"],
    ].map((name) => [name, `Fn::${name}`]),
  ),
} as const;

/** The short forms, for the reader of YAML: `!Ref X` is `{"Ref": "X"}`. */
export const SHORT_FORM_TAGS = Object.entries(SHORT_FORMS).flatMap(([name, key]) => {
  const wrapped = (value: unknown) => {
    const map = new YAMLMap();
    map.set(new Scalar(key), value);
    return map;
  };
  return [
    { tag: `!${name}`, resolve: (text: string) => ({ [key]: text }) },
    {
      tag: `!${name}`,
      collection: "seq" as const,
      resolve: (seq: YAMLSeq | YAMLMap) => wrapped(seq),
    },
    {
      tag: `!${name}`,
      collection: "map" as const,
      resolve: (map: YAMLSeq | YAMLMap) => wrapped(map),
    },
  ];
});

/** What stands for `AWS::NoValue`: the property is as if it were not there. */
export const NO_VALUE: unique symbol = Symbol("AWS::NoValue");

/** Thrown in the midst of a value by the function that is not known. */
class UnknownFunction extends Error {}

/** Replaces the functions in a value, however deep they stand. */
export function resolveIntrinsics(value: unknown, scope: TemplateScope): Resolved {
  try {
    return { kind: "known", value: evaluate(value, scope) };
  } catch (error) {
    if (error instanceof UnknownFunction) return { kind: "unknown", by: error.message };
    throw error;
  }
}

/**
 * What is known of a value: of an object the members, of a list the elements that are known, however deep
 * they stand; nothing where the whole of it is not.
 */
export function knownPart(value: unknown, scope: TemplateScope): unknown {
  const resolved = resolveIntrinsics(value, scope);
  if (resolved.kind === "known") return resolved.value === NO_VALUE ? undefined : resolved.value;
  if (Array.isArray(value)) {
    return value.map((each) => knownPart(each, scope)).filter((each) => each !== undefined);
  }
  if (typeof value !== "object" || value === null || functionOf(value) !== undefined) {
    return undefined;
  }
  const members = Object.entries(value).map(
    ([key, each]) => [key, knownPart(each, scope)] as const,
  );
  return Object.fromEntries(members.filter(([, each]) => each !== undefined));
}

function evaluate(value: unknown, scope: TemplateScope): unknown {
  if (Array.isArray(value)) {
    return value.map((each) => evaluate(each, scope)).filter((each) => each !== NO_VALUE);
  }
  if (typeof value === "string") return known(value);
  if (typeof value !== "object" || value === null) return value;
  const called = functionOf(value);
  if (called !== undefined) return call(called.name, called.argument, scope);
  const members = Object.entries(value).map(([key, each]) => [key, evaluate(each, scope)] as const);
  return Object.fromEntries(members.filter(([, each]) => each !== NO_VALUE));
}

/** True for an object that stands for a function. */
export function isFunction(value: unknown): boolean {
  return typeof value === "object" && value !== null && functionOf(value) !== undefined;
}

/** The function that an object stands for; nothing where it is one of the template's own. */
function functionOf(
  value: object,
): { readonly name: string; readonly argument: unknown } | undefined {
  const [[name = "", argument] = [], second] = Object.entries(value);
  const isFunction = name === "Ref" || name === "Condition" || name.startsWith("Fn::");
  return second === undefined && isFunction ? { name, argument } : undefined;
}

/** A text as it stands, unless it names a place that is read while the stack is made. */
function known(text: string): string {
  const [reference] = /\{\{resolve:[^}]*\}\}/.exec(text) ?? [];
  if (reference !== undefined) throw new UnknownFunction(reference);
  return text;
}

function call(name: string, argument: unknown, scope: TemplateScope): unknown {
  const unknown = (): never => {
    const text = typeof argument === "string" ? ` ${argument}` : "";
    throw new UnknownFunction(`!${name.replace(/^Fn::/, "")}${text}`);
  };
  const list = (): readonly unknown[] => {
    const evaluated = evaluate(argument, scope);
    return Array.isArray(evaluated) ? evaluated : unknown();
  };
  switch (name) {
    case "Ref":
      return scope.references.get(String(argument)) ?? unknown();
    case "Condition":
      return condition(String(argument), scope) ?? unknown();
    case "Fn::GetAtt": {
      const path = Array.isArray(argument) ? argument.join(".") : String(argument);
      return scope.attributes.get(path) ?? unknown();
    }
    case "Fn::Sub": {
      const [text, given] = Array.isArray(argument) ? argument : [argument, {}];
      return typeof text === "string" ? (substitute(text, given, scope) ?? unknown()) : unknown();
    }
    case "Fn::Join": {
      const [separator, parts] = list();
      return Array.isArray(parts) ? parts.map(String).join(String(separator)) : unknown();
    }
    case "Fn::Split": {
      const [separator, text] = list();
      return String(text).split(String(separator));
    }
    case "Fn::Select": {
      const [index, choices] = list();
      return (Array.isArray(choices) ? choices[Number(index)] : undefined) ?? unknown();
    }
    case "Fn::Base64":
      return Buffer.from(String(evaluate(argument, scope))).toString("base64");
    case "Fn::ToJsonString":
      return JSON.stringify(evaluate(argument, scope));
    case "Fn::Length":
      return String(list().length);
    case "Fn::FindInMap": {
      const [map, first, second, otherwise] = list();
      const path = [map, first, second].map(String);
      return memberOf(scope.mappings, ...path) ?? memberOf(otherwise, "DefaultValue") ?? unknown();
    }
    case "Fn::If": {
      const [test, yes, no] = Array.isArray(argument) ? argument : [];
      const holds = condition(String(test), scope) ?? unknown();
      return evaluate(holds === true ? yes : no, scope);
    }
    case "Fn::Equals": {
      const [left, right] = list();
      return comparable(left) === comparable(right);
    }
    case "Fn::And":
      return !isAnyOf(argument, false, scope);
    case "Fn::Or":
      return isAnyOf(argument, true, scope);
    case "Fn::Not":
      return list()[0] !== true;
    // Cidr, GetAZs, ImportValue, Transform and what is newer.
    default:
      return unknown();
  }
}

/** Whether any condition of a list is so: one that is decides it, whatever is not known of the others. */
function isAnyOf(conditions: unknown, wanted: boolean, scope: TemplateScope): boolean {
  let unknown: UnknownFunction | undefined;
  for (const each of Array.isArray(conditions) ? conditions : [conditions]) {
    try {
      if ((evaluate(each, scope) === true) === wanted) return true;
    } catch (error) {
      if (!(error instanceof UnknownFunction)) throw error;
      unknown ??= error;
    }
  }
  if (unknown !== undefined) throw unknown;
  return false;
}

/** A value as `Fn::Equals` compares it, for which a boolean is its text. */
function comparable(value: unknown): string {
  return JSON.stringify(value, (_key, each) => (typeof each === "boolean" ? String(each) : each));
}

/**
 * Conditions that refer to each other in a circle, the first one again at the end; nothing when none do.
 * @param conditions The section of the template.
 */
export function circularConditions(conditions: unknown): readonly string[] | undefined {
  const done = new Set<string>();
  const circleOf = (name: string, path: readonly string[]): readonly string[] | undefined => {
    const at = path.indexOf(name);
    if (at !== -1) return [...path.slice(at), name];
    if (done.has(name)) return undefined;
    const circle = firstOf(namedConditions(memberOf(conditions, name)), (next) =>
      circleOf(next, [...path, name]),
    );
    done.add(name);
    return circle;
  };
  return firstOf(Object.keys(membersOf(conditions)), (name) => circleOf(name, []));
}

/** What is found of the first name of which something is. */
function firstOf<Found>(
  names: readonly string[],
  find: (name: string) => Found | undefined,
): Found | undefined {
  for (const name of names) {
    const found = find(name);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The conditions that a value refers to, however deep. */
function namedConditions(value: unknown): readonly string[] {
  if (typeof value !== "object" || value === null) return [];
  const called = functionOf(value);
  if (called?.name === "Condition") return [String(called.argument)];
  const below = Object.values(value).flatMap(namedConditions);
  const isChoice = called?.name === "Fn::If" && Array.isArray(called.argument);
  return isChoice ? [String(called.argument[0]), ...below] : below;
}

/** A named condition; nothing where it is not defined, or refers to itself. */
function condition(name: string, scope: TemplateScope): boolean | undefined {
  const written = memberOf(scope.conditions, name);
  if (written === undefined) return undefined;
  const conditions = { ...(scope.conditions as object), [name]: undefined };
  return evaluate(written, { ...scope, conditions }) === true;
}

/** A text with its `${NAME}` replaced; nothing when one of them is not known. `${!NAME}` is `${NAME}`. */
function substitute(text: string, given: unknown, scope: TemplateScope): string | undefined {
  let complete = true;
  const substituted = text.replace(/\$\{(!?)([^}]*)\}/g, (whole, literal: string, key: string) => {
    if (literal !== "") return `\${${key}}`;
    const name = key.trim();
    const own = memberOf(given, name);
    const found =
      own === undefined
        ? (scope.references.get(name) ?? scope.attributes.get(name))
        : evaluate(own, scope);
    if (typeof found === "string" || typeof found === "boolean") return String(found);
    complete = false;
    return whole;
  });
  return complete ? known(substituted) : undefined;
}
