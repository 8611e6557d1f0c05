/**
 * Settings of a function from a SAM template, as far as they can be known before it is deployed.
 *
 * @see https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-resource-function.html
 * @module
 */

import { dirname, resolve } from "node:path";

import { z } from "zod";

import { CommandError } from "../cli/exit-status.ts";
import { parseSettings } from "./settings.ts";
import {
  type Defaults,
  parameterDefaults,
  readTemplate,
  resolved,
  unknownReason,
} from "./template-values.ts";

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
export interface UnknownSetting {
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
    const message = `warning: ${path}: ${logicalId}: ${name} is left out: ${why}\n  set it: ${option}`;
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
