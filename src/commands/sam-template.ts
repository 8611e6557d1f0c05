/**
 * Settings of a function from a SAM template, as far as they can be known before it is deployed.
 *
 * @see https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-resource-function.html
 * @module
 */

import { existsSync, readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";

import { parse } from "yaml";
import { z } from "zod";

import { CommandError } from "./exit-status.ts";

/** What a template says of a function; `!Ref` and the like are unknown here, so those are absent. */
export interface TemplateFunction {
  readonly logicalId: string;
  readonly name: string;
  /** Folder of the code, absolute. */
  readonly directory: string;
  readonly handler?: string | undefined;
  readonly timeout?: string | undefined;
  readonly memory?: string | undefined;
  readonly variables: Readonly<Record<string, string>>;
}

const scalar = z.union([z.string(), z.number(), z.boolean()]).transform(String);

const propertiesSchema = z.looseObject({
  FunctionName: z.unknown().optional(),
  CodeUri: z.unknown().optional(),
  Handler: scalar.optional().catch(undefined),
  Timeout: scalar.optional().catch(undefined),
  MemorySize: scalar.optional().catch(undefined),
  Environment: z
    .looseObject({ Variables: z.record(z.string(), z.unknown()).optional() })
    .optional()
    .catch(undefined),
});

const templateSchema = z.looseObject({
  Globals: z.looseObject({ Function: propertiesSchema.optional() }).optional(),
  Resources: z.record(
    z.string(),
    z.looseObject({ Type: z.string(), Properties: z.unknown().optional() }),
  ),
});

/** CloudFormation's short functions that stand before text. */
const DEPLOYMENT_TAGS = [
  "!Ref",
  "!Sub",
  "!GetAtt",
  "!ImportValue",
  "!Base64",
  "!GetAZs",
  "!Condition",
];

const FUNCTION_TYPE = "AWS::Serverless::Function";

/**
 * Reads a function from a template: the one of a logical id or name, else the first.
 * @throws {CommandError} When there is no such file or function.
 */
export function templateFunction(path: string, wanted: string | undefined): TemplateFunction {
  if (!existsSync(path)) throw new CommandError(`no such file: ${path}`);
  const document: unknown = parse(readFileSync(path, "utf8"), {
    // What only a deployment knows is null; lists and maps behind such tags are no text anyway.
    customTags: DEPLOYMENT_TAGS.map((tag) => ({ tag, resolve: () => null })),
    logLevel: "error",
  });
  const template = templateSchema.safeParse(document);
  if (!template.success) throw new CommandError(`${path} is no SAM template`);
  const globals = template.data.Globals?.Function;
  const functions = Object.entries(template.data.Resources)
    .filter(([, { Type }]) => Type === FUNCTION_TYPE)
    .map(([logicalId, { Properties }]) => {
      const properties = propertiesSchema.parse(Properties ?? {});
      return describe(path, logicalId, { ...globals, ...properties }, globals);
    });
  const found = functions.find(({ logicalId, name }) => wanted === logicalId || wanted === name);
  const chosen = found ?? (wanted === undefined ? functions[0] : undefined);
  if (chosen !== undefined) return chosen;
  const known = functions.map(({ logicalId }) => logicalId).join(", ") || "none";
  throw new CommandError(`no function ${wanted ?? ""} in ${path}\n  functions: ${known}`);
}

type Properties = z.output<typeof propertiesSchema>;

function describe(
  path: string,
  logicalId: string,
  properties: Properties,
  globals: Properties | undefined,
): TemplateFunction {
  const { CodeUri, FunctionName, Handler, Timeout, MemorySize, Environment } = properties;
  const variables = { ...globals?.Environment?.Variables, ...Environment?.Variables };
  const known = Object.entries(variables).filter(
    (pair): pair is [string, string] => typeof pair[1] === "string",
  );
  return {
    logicalId,
    name: typeof FunctionName === "string" ? FunctionName : logicalId,
    directory: resolve(dirname(path), typeof CodeUri === "string" ? CodeUri : "."),
    handler: Handler,
    timeout: Timeout,
    memory: MemorySize,
    variables: Object.fromEntries(known),
  };
}
