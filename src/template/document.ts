/**
 * A template of SAM or CloudFormation: its functions with what `Globals` says of them, and what its own
 * functions (`!Ref`, `!Sub`, …) may refer to.
 *
 * @see https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-specification-template-anatomy.html
 * @module
 */

import { type Document, isPair, isScalar, type Node, type Pair, parseDocument, visit } from "yaml";
import { z } from "zod";

import { CommandError } from "../commands/cli/exit-status.ts";
import { readInputFile } from "../commands/cli/input.ts";
import {
  DEFAULT_SETTINGS,
  functionArn,
  partitionOf,
  urlSuffixOf,
} from "../host/invocation/settings.ts";
import { isObject } from "../json-object.ts";
import {
  circularConditions,
  isFunction,
  NO_VALUE,
  resolveIntrinsics,
  SHORT_FORM_TAGS,
  type TemplateScope,
} from "./intrinsic-functions.ts";
import { withoutLoops } from "./loops.ts";
import { plainScalarText } from "./plain-scalar.ts";

/** Properties of a resource, as they are written. */
export type Properties = Readonly<Record<string, unknown>>;

const propertiesSchema = z.record(z.string(), z.unknown()).nullish().catch(undefined);

const resourceSchema = z.looseObject({ Type: z.string(), Properties: propertiesSchema });

const templateSchema = z.looseObject({
  Parameters: z.unknown().optional(),
  Mappings: z.unknown().optional(),
  Conditions: z.unknown().optional(),
  Globals: z
    .looseObject({ Function: propertiesSchema, Api: propertiesSchema })
    .nullish()
    .catch(undefined),
  Resources: z
    // A loop stands there, too, whose collection only a deployment knows.
    .record(z.string(), resourceSchema.optional().catch(undefined))
    .transform((resources) =>
      Object.entries(resources).flatMap(([logicalId, resource]) =>
        resource === undefined ? [] : [[logicalId, resource] as const],
      ),
    ),
});

/** A template as it is written. */
export type Template = z.output<typeof templateSchema>;

const FUNCTION_TYPES: ReadonlySet<string> = new Set([
  "AWS::Serverless::Function",
  "AWS::Lambda::Function",
]);

/** A function as it is written. */
interface WrittenFunction {
  readonly logicalId: string;
  readonly name: string;
  readonly properties: Properties;
  /** False where its `Condition` is, with the defaults of the parameters. */
  readonly isDeployed: boolean;
}

/** What is written in some places, where that is not what is read, as `yes` is true; see {@link placeOf}. */
export type Reread = ReadonlyMap<string, string>;

/** A template that has been read. */
export interface TemplateDocument {
  readonly template: Template;
  readonly scope: TemplateScope;
  readonly functions: readonly WrittenFunction[];
  /** Texts without quotes that AWS reads as something else, by their places. */
  readonly reread: Reread;
  /** What CloudFormation would refuse of the whole, whatever a function depends on, with its place. */
  readonly refused: readonly string[];
}

/**
 * Reads a template.
 * @param region Region of the deployment, for what refers to it.
 * @throws {CommandError} When the file cannot be read, or is not a template.
 */
export function readTemplate(path: string, region: string): TemplateDocument {
  const { value, reread } = readYaml(path);
  const parsed = templateSchema.safeParse(unrolled(path, value, region));
  if (!parsed.success) throw new CommandError(`${path} is not a SAM template`);
  const template = parsed.data;
  const scope = templateScope(template, region);
  const functions = functionResources(template).map(([logicalId, properties, condition]) => ({
    logicalId,
    name: nameOf(logicalId, properties, scope),
    properties,
    isDeployed: !isFalse(condition, scope),
  }));
  const refused = circleComplaint(circularConditions(template.Conditions));
  return {
    template,
    scope,
    functions,
    refused: refused.map((each) => `${path}: ${each}`),
    reread,
  };
}

/** A template without its loops. */
function unrolled(path: string, template: unknown, region: string): unknown {
  if (!isObject(template) || !isObject(template["Resources"])) return template;
  const { Resources: resources, Parameters, Mappings: mappings, Conditions: conditions } = template;
  const references = new Map([...pseudoParameters(region), ...parameterDefaults(Parameters)]);
  const scope = { references, attributes: new Map(), mappings, conditions };
  return { ...template, Resources: withoutLoops(path, resources, scope) };
}

function circleComplaint(circle: readonly string[] = []): readonly string[] {
  const [first, second, ...more] = circle;
  if (first === undefined) return [];
  if (more.length === 0 && first === second) return [`Conditions: ${first} refers to itself`];
  return [`Conditions: they refer to each other in a circle: ${circle.join(" -> ")}`];
}

/** Whether a resource's `Condition` is known to be false. */
function isFalse(condition: unknown, scope: TemplateScope): boolean {
  if (condition === undefined) return false;
  const resolved = resolveIntrinsics({ Condition: condition }, scope);
  return resolved.kind === "known" && resolved.value === false;
}

type FunctionResource = readonly [logicalId: string, properties: Properties, condition?: unknown];

/** The functions of a template, with what `Globals` says of all of them. */
function functionResources({ Resources, Globals }: Template): readonly FunctionResource[] {
  return Resources.filter(([, { Type }]) => FUNCTION_TYPES.has(Type)).map(
    ([logicalId, { Type, Properties: own, IgnoreGlobals, Condition }]) => {
      const globals = Type === "AWS::Serverless::Function" ? (Globals?.Function ?? {}) : {};
      const kept = Object.entries(globals).filter(([name]) => !isIgnored(name, IgnoreGlobals));
      const joined = withGlobals(Object.fromEntries(kept), own ?? {});
      const replaced = REPLACED.filter((name) => own?.[name] !== undefined);
      const others = replaced.map((name) => [name, own?.[name]] as const);
      return [logicalId, { ...joined, ...Object.fromEntries(others) }, Condition] as const;
    },
  );
}

/** Lists of which a function's own stands in place of that in `Globals`. */
const REPLACED = ["Architectures"];

/** Whether a function is without a property of `Globals`, by its attribute of that name: `*`, or a list. */
function isIgnored(name: string, ignored: unknown): boolean {
  return ignored === "*" || (Array.isArray(ignored) && ignored.includes(name));
}

/** SAM joins the members of objects and lists, and overrides everything else, functions too. */
function withGlobals(globals: Properties, own: Properties): Properties {
  const joined: Record<string, unknown> = { ...globals, ...own };
  for (const [name, value] of Object.entries(own)) {
    const global = globals[name];
    if (isFunction(value) || isFunction(global)) continue;
    if (Array.isArray(value) && Array.isArray(global)) joined[name] = [...global, ...value];
    else if (isObject(value) && isObject(global)) joined[name] = withGlobals(global, value);
  }
  return joined;
}

/** The name of a function; its logical id where only a deployment gives it one. */
function nameOf(logicalId: string, { FunctionName }: Properties, scope: TemplateScope): string {
  const name = resolveIntrinsics(FunctionName, scope);
  return name.kind === "known" && typeof name.value === "string" ? name.value : logicalId;
}

/** What the template's functions may refer to: what is known without a deployment. */
function templateScope(template: Template, region: string): TemplateScope {
  const { accountId } = DEFAULT_SETTINGS;
  const references = new Map<string, unknown>([
    ...pseudoParameters(region),
    ...parameterDefaults(template.Parameters),
  ]);
  const attributes = new Map<string, unknown>();
  const { Mappings: mappings, Conditions: conditions } = template;
  const scope = { references, attributes, mappings, conditions };
  for (const [logicalId, properties] of functionResources(template)) {
    const { FunctionName } = properties;
    // One without a name gets its stack's.
    const name = FunctionName === undefined ? undefined : resolveIntrinsics(FunctionName, scope);
    if (name?.kind !== "known" || typeof name.value !== "string") continue;
    references.set(logicalId, name.value);
    attributes.set(`${logicalId}.Arn`, functionArn({ name: name.value, region, accountId }));
  }
  return scope;
}

function pseudoParameters(region: string): readonly (readonly [string, unknown])[] {
  return [
    ["AWS::Region", region],
    ["AWS::AccountId", DEFAULT_SETTINGS.accountId],
    ["AWS::Partition", partitionOf(region)],
    ["AWS::URLSuffix", urlSuffixOf(region)],
    ["AWS::NoValue", NO_VALUE],
  ];
}

const parameterSchema = z.looseObject({
  Type: z.string().optional(),
  Default: z.union([z.string(), z.boolean()]).transform(String),
});

/** Reads the defaults from the section `Parameters`: what a parameter has unless the deployment says otherwise. */
function parameterDefaults(parameters: unknown): readonly (readonly [string, unknown])[] {
  const section = z.record(z.string(), z.unknown()).safeParse(parameters).data ?? {};
  return Object.entries(section).flatMap(([name, parameter]) => {
    const { Type = "String", Default } = parameterSchema.safeParse(parameter).data ?? {};
    // The default of these is the name under which Parameter Store has the value.
    if (Default === undefined || Type.startsWith("AWS::SSM::Parameter::Value<")) return [];
    const isList = Type === "CommaDelimitedList" || Type.startsWith("List<");
    return [[name, isList ? Default.split(",").map((each) => each.trim()) : Default]];
  });
}

/** A template as a value without types, and what of it is not what is written. */
interface YamlValue {
  readonly value: unknown;
  readonly reread: Reread;
}

/**
 * Reads the YAML or JSON of a template. Numbers are the texts that AWS makes of them, since that is what a
 * variable gets.
 * @throws {CommandError} When the file cannot be read or is not YAML.
 */
function readYaml(path: string): YamlValue {
  const text = readInputFile(path, "--template").toString("utf8");
  const options = { customTags: SHORT_FORM_TAGS, logLevel: "error", merge: true } as const;
  const document = parseDocument(text, options);
  const [error] = document.errors;
  if (error !== undefined) throw new CommandError(`${path}: ${error.message.trim()}`);
  const reread = new Map<string, string>();
  visit(document, {
    Scalar(key, node, parents) {
      const { source, type, tag, value } = node;
      if (source === undefined) return;
      const read = type === "PLAIN" && tag === undefined ? plainScalarText(source) : undefined;
      if (key !== "key" && read !== undefined) {
        node.value = BOOLEANS.get(read) ?? read;
        if (read !== source.toLowerCase()) reread.set(placeOf(namesOf(parents)), source);
      } else if (typeof value === "number") {
        node.value = source;
      }
    },
  });
  const value = plainValue(document, path);
  try {
    // What contains itself has no end.
    JSON.stringify(value);
  } catch {
    throw new CommandError(`${path}: a part of it contains itself`);
  }
  return { value, reread };
}

const BOOLEANS: ReadonlyMap<string, boolean> = new Map([
  ["true", true],
  ["false", false],
]);

/** The names of members that lead to a value. */
function namesOf(parents: readonly (Document | Node | Pair)[]): readonly string[] {
  return parents.flatMap((parent) =>
    isPair(parent) && isScalar(parent.key) ? [String(parent.key.value)] : [],
  );
}

/** A place in a template, by the names that lead to it. */
export function placeOf(names: readonly string[]): string {
  return JSON.stringify(names);
}

function plainValue(document: Document.Parsed, path: string): unknown {
  try {
    return document.toJS();
  } catch (error) {
    // Aliases of aliases, which would be more than memory holds.
    throw new CommandError(`${path}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
