/**
 * Settings of a function from a SAM template, as far as they can be known before it is deployed.
 *
 * @see https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-resource-function.html
 * @see https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/intrinsic-function-reference.html
 * @module
 */

import { dirname, resolve } from "node:path";

import { parseDocument, visit } from "yaml";
import { z } from "zod";

import { CommandError } from "../cli/exit-status.ts";
import { readInputFile } from "../cli/input.ts";
import { parseSettings } from "./settings.ts";

/** What a template says of a function; what only a deployment knows is absent. */
export interface TemplateFunction {
  readonly logicalId: string;
  readonly name: string;
  /** Folder of the code, absolute. */
  readonly directory: string;
  readonly handler?: string | undefined;
  readonly timeout?: string | undefined;
  readonly memory?: string | undefined;
  /** AWS's name of it. */
  readonly architecture?: string | undefined;
  readonly variables: Readonly<Record<string, string>>;
  readonly unknown: readonly UnknownSetting[];
}

/** A setting whose value only a deployment knows. */
interface UnknownSetting {
  /** `Handler`, `Timeout`, `MemorySize`, `CodeUri`, or the name of a variable. */
  readonly name: string;
  /** What to say unless the setting has been given elsewhere. */
  readonly message: string;
}

const variablesSchema = z.looseObject({ Variables: z.record(z.string(), z.unknown()) });

const propertiesSchema = z.looseObject({
  FunctionName: z.unknown().optional(),
  CodeUri: z.unknown().optional(),
  Handler: z.unknown().optional(),
  Timeout: z.unknown().optional(),
  MemorySize: z.unknown().optional(),
  Architectures: z.array(z.unknown()).optional().catch([]),
  Environment: variablesSchema.optional().catch(undefined),
});

const templateSchema = z.looseObject({
  Parameters: z.unknown().optional(),
  Globals: z.looseObject({ Function: propertiesSchema.optional() }).optional(),
  Resources: z.record(
    z.string(),
    z.looseObject({ Type: z.string(), Properties: propertiesSchema.nullish().catch(undefined) }),
  ),
});

const FUNCTION_TYPE = "AWS::Serverless::Function";

/**
 * Reads a function from a template: the one of a logical id or name, else the first.
 * @throws {CommandError} When there is no such file or function.
 */
export function templateFunction(path: string, wanted: string | undefined): TemplateFunction {
  const template = templateSchema.safeParse(readTemplate(path, "--template"));
  if (!template.success) throw new CommandError(`${path} is no SAM template`);
  const { Parameters, Globals, Resources } = template.data;
  const defaults = parameterDefaults(Parameters);
  const globals = Globals?.Function ?? {};
  const functions = Object.entries(Resources)
    .filter(([, { Type }]) => Type === FUNCTION_TYPE)
    .map(([logicalId, { Properties }]) =>
      describe({ path, logicalId, globals, properties: Properties ?? {}, defaults }),
    );
  const found = functions.find(({ logicalId, name }) => wanted === logicalId || wanted === name);
  const chosen = found ?? (wanted === undefined ? functions[0] : undefined);
  if (chosen !== undefined) return checked(chosen, path);
  const known = functions.map(({ logicalId }) => logicalId).join(", ") || "none";
  throw new CommandError(`no function ${wanted ?? ""} in ${path}\n  functions: ${known}`);
}

/** What AWS takes where a template says nothing. */
const DEFAULT_ARCHITECTURE = "x86_64";

/** Our settings as a template calls them. */
const PROPERTY_NAMES: Readonly<Record<string, string>> = {
  name: "FunctionName",
  timeout: "Timeout",
  memory: "MemorySize",
};

/** Refuses values that Lambda would refuse, by the place where they stand. */
function checked(described: TemplateFunction, path: string): TemplateFunction {
  const { logicalId, name, timeout, memory } = described;
  const result = parseSettings({ name, timeout, memory });
  if (result.kind === "valid") return described;
  throw new CommandError(
    `${path}: ${logicalId}: ${PROPERTY_NAMES[result.field] ?? result.field}: ${result.reason}`,
  );
}

type Properties = z.output<typeof propertiesSchema>;

interface Described {
  readonly path: string;
  readonly logicalId: string;
  readonly globals: Properties;
  readonly properties: Properties;
  readonly defaults: Defaults;
}

function describe({ path, logicalId, globals, properties, defaults }: Described): TemplateFunction {
  const unknown: UnknownSetting[] = [];
  const all = { ...globals, ...properties };
  const { CodeUri, FunctionName, Handler, Timeout, MemorySize, Architectures } = all;
  const scalar = (value: unknown, name: string, option: string) => {
    const known = resolved(value, defaults);
    if (typeof known === "string" || typeof known === "boolean") return String(known);
    const why = unknownReason(value);
    const message = `${path}: ${logicalId}: ${name} is left out: ${why}\n  set it: ${option}`;
    unknown.push({ name, message });
    return undefined;
  };
  const setting = (value: unknown, name: string, option: string) =>
    value === undefined ? undefined : scalar(value, name, option);
  const variables: Record<string, string> = {};
  const given = { ...globals.Environment?.Variables, ...properties.Environment?.Variables };
  for (const [name, value] of Object.entries(given)) {
    const text = scalar(value, name, `--env ${name}=VALUE`);
    if (text !== undefined) variables[name] = text;
  }
  // Without a known name the logical id does.
  const name = resolved(FunctionName, defaults);
  const architecture = resolved((Architectures ?? [DEFAULT_ARCHITECTURE])[0], defaults);
  const code = setting(CodeUri, "CodeUri", "name the folder");
  return {
    logicalId,
    name: typeof name === "string" ? name : logicalId,
    directory: resolve(dirname(path), code ?? "."),
    handler: setting(Handler, "Handler", "--handler NAME"),
    timeout: setting(Timeout, "Timeout", "--timeout TIME"),
    memory: setting(MemorySize, "MemorySize", "--memory MB"),
    architecture: typeof architecture === "string" ? architecture : undefined,
    variables,
    unknown,
  };
}

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
function readTemplate(path: string, option: string): unknown {
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
type Defaults = ReadonlyMap<string, string>;

/** Reads the defaults from the section `Parameters`. */
function parameterDefaults(parameters: unknown): Defaults {
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
function resolved(value: unknown, defaults: Defaults): unknown {
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
function unknownReason(value: unknown): string {
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
