/**
 * Settings of a function from a template of SAM or CloudFormation, as far as they can be known before it
 * is deployed.
 *
 * @see https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-resource-function.html
 * @see https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-lambda-function.html
 * @module
 */

import { dirname, resolve } from "node:path";

import { CommandError } from "../commands/cli/exit-status.ts";
import { DEFAULT_SETTINGS } from "../host/invocation/settings.ts";
import { isObject, membersOf } from "../json-object.ts";
import { type CodeInS3, codeInS3, shownConfiguration } from "./configuration.ts";
import {
  placeOf,
  type Properties,
  readTemplate,
  type Reread,
  type Template,
  type TemplateDocument,
} from "./document.ts";
import {
  isFunction,
  NO_VALUE,
  type Resolved,
  resolveIntrinsics,
  type TemplateScope,
} from "./intrinsic-functions.ts";

/** What a template says of a function; what only a deployment knows is absent. */
export interface TemplateFunction {
  readonly logicalId: string;
  readonly name: string;
  /** False where its `Condition` is, with the defaults of the parameters. */
  readonly isDeployed: boolean;
  /** Folder of the code, absolute. */
  readonly directory: string;
  readonly handler?: string | undefined;
  readonly timeout?: string | undefined;
  readonly memory?: string | undefined;
  /** AWS's name of it. */
  readonly architecture?: string | undefined;
  readonly runtime?: string | undefined;
  /** False where there is a runtime, or may be one, that only a deployment knows. */
  readonly lacksRuntime: boolean;
  readonly packageType?: string | undefined;
  readonly variables: Readonly<Record<string, string>>;
  /** How many layers it has; nothing when that is not known. */
  readonly layers?: number | undefined;
  /** The customer-managed runtime, where `Runtime` is `custom`. */
  readonly runtimeConfig?: CustomRuntime | undefined;
  readonly snapStart: boolean;
  /** True on Lambda Managed Instances. */
  readonly managedInstances: boolean;
  /** `PerExecutionEnvironmentMaxConcurrency` there. */
  readonly concurrency?: string | undefined;
  /** What a REST API in the template hands on as base64. */
  readonly binaryMediaTypes: readonly string[];
  readonly codeInS3?: CodeInS3;
  /** Members of the function's configuration that are shown as they are written, by their API names. */
  readonly configuration: Readonly<Record<string, unknown>>;
  /** Properties that change nothing on this computer, as the template names them. */
  readonly idle: readonly string[];
  /** What Lambda would refuse of its runtime: the property and why. */
  readonly refused: readonly string[];
  readonly unknown: readonly UnknownSetting[];
  /** Variables that have another value than is written, in the words of a warning. */
  readonly reread: readonly UnknownSetting[];
}

/** The functions of a template, in its order. */
export interface DescribedTemplate extends Pick<TemplateDocument, "refused"> {
  readonly functions: readonly TemplateFunction[];
}

/** A customer-managed runtime as a function names it. */
export interface CustomRuntime {
  readonly RuntimeArn: string;
  readonly RuntimeAlias: string;
}

/** A setting whose value only a deployment knows, or that is not what is written. */
export interface UnknownSetting {
  /** `Handler`, `Timeout`, `MemorySize`, `CodeUri`, or the name of a variable. */
  readonly name: string;
  /** What to say unless the setting has been given elsewhere. */
  readonly message: string;
}

/**
 * Reads the functions of a template.
 * @param region Region of the deployment, for what refers to it.
 * @throws {CommandError} When there is no such file, or it is not a template.
 */
export function templateFunctions(
  path: string,
  region: string = process.env["AWS_REGION"] || DEFAULT_SETTINGS.region,
): DescribedTemplate {
  const document = readTemplate(path, region);
  const { functions, refused } = document;
  return {
    functions: functions.map((each) => new Description(path, each, document).describe()),
    refused,
  };
}

/**
 * Reads a function from a template: the one of a logical id or name, else the first. One that is not deployed, since
 * its condition is false, is taken only as the last choice.
 * @param region As of {@link templateFunctions}.
 * @throws {CommandError} When there is no such file or function, or CloudFormation would refuse the whole.
 */
export function templateFunction(
  path: string,
  wanted: string | undefined,
  region?: string,
): TemplateFunction {
  const { functions, refused } = templateFunctions(path, region);
  if (refused[0] !== undefined) throw new CommandError(refused[0]);
  const choices = functions.toSorted((a, b) => Number(b.isDeployed) - Number(a.isDeployed));
  const named = choices.find(({ logicalId, name }) => wanted === logicalId || wanted === name);
  const chosen = wanted === undefined ? choices[0] : named;
  if (chosen !== undefined) return chosen;
  const known = functions.map(({ logicalId }) => logicalId).join(", ") || "none";
  throw new CommandError(
    `no function ${wanted === undefined ? "" : `${wanted} `}in ${path}\n  functions: ${known}`,
  );
}

/** How a folder is set that the template does not tell. */
const NAME_FOLDER = "name the folder";

/** What AWS takes where a template says nothing. */
const DEFAULT_ARCHITECTURE = "x86_64";

/** Reads the properties of one function. */
class Description {
  readonly #path: string;
  readonly #logicalId: string;
  readonly #name: string;
  readonly #isDeployed: boolean;
  readonly #properties: Properties;
  readonly #template: Template;
  readonly #scope: TemplateScope;
  readonly #reread: Reread;
  readonly #refused: string[] = [];
  readonly #unknown: UnknownSetting[] = [];

  constructor(
    path: string,
    { logicalId, name, properties, isDeployed }: TemplateDocument["functions"][number],
    { template, scope, reread }: TemplateDocument,
  ) {
    this.#reread = reread;
    this.#path = path;
    this.#logicalId = logicalId;
    this.#name = name;
    this.#isDeployed = isDeployed;
    this.#properties = properties;
    this.#template = template;
    this.#scope = scope;
  }

  describe(): TemplateFunction {
    const variables: Record<string, string> = {};
    const { Variables } = this.#members(this.#properties["Environment"]);
    for (const [name, value] of Object.entries(this.#members(Variables))) {
      const text = this.#text(value, name, `--env ${name}=VALUE`);
      if (text !== undefined) variables[name] = text;
    }
    const inS3 = codeInS3(this.#properties, this.#scope);
    const code = this.#code(inS3);
    const architecture = this.#known("Architectures") ?? [DEFAULT_ARCHITECTURE];
    const managed = this.#managed();
    const runtimeConfig = this.#customRuntime();
    const { configuration, idle } = shownConfiguration(this.#properties, this.#scope);
    return {
      logicalId: this.#logicalId,
      name: this.#name,
      isDeployed: this.#isDeployed,
      directory: resolve(dirname(this.#path), code ?? "."),
      handler: this.#setting("Handler", "--handler NAME"),
      timeout: this.#setting("Timeout", "--timeout TIME"),
      memory: this.#setting("MemorySize", "--memory MB"),
      architecture: textOf(Array.isArray(architecture) ? architecture[0] : undefined),
      runtime: textOf(this.#known("Runtime")),
      lacksRuntime:
        this.#properties["Runtime"] === undefined &&
        (this.#properties["PackageType"] ?? "Zip") === "Zip",
      packageType: textOf(this.#known("PackageType")),
      variables,
      layers: this.#layerCount(),
      runtimeConfig,
      snapStart: membersOf(this.#known("SnapStart"))["ApplyOn"] === "PublishedVersions",
      managedInstances: managed !== undefined,
      concurrency: textOf(managed?.["PerExecutionEnvironmentMaxConcurrency"]),
      binaryMediaTypes: this.#binaryMediaTypes(),
      ...(inS3 === undefined ? {} : { codeInS3: inS3 }),
      configuration: {
        ...configuration,
        ...(runtimeConfig === undefined ? {} : { RuntimeConfig: runtimeConfig }),
      },
      idle: [...idle, ...(inS3?.modeProperty === undefined ? [] : [inS3.modeProperty])],
      refused: this.#refused,
      unknown: this.#unknown,
      reread: this.#rereadVariables(variables),
    };
  }

  /** What is said of variables without quotes that are booleans or numbers to AWS. */
  #rereadVariables(variables: Readonly<Record<string, string>>): readonly UnknownSetting[] {
    const [, resource] = this.#template.Resources.find(([id]) => id === this.#logicalId) ?? [];
    const own = membersOf(membersOf(resource?.Properties?.["Environment"])["Variables"]);
    if (isFunction(own)) return [];
    return Object.entries(variables).flatMap(([name, value]) => {
      const of = Object.hasOwn(own, name)
        ? ["Resources", this.#logicalId, "Properties"]
        : ["Globals", "Function"];
      const written = this.#reread.get(placeOf([...of, "Environment", "Variables", name]));
      if (written === undefined) return [];
      const kind = value === "true" || value === "false" ? "boolean" : "number";
      const place = `${this.#path}: ${this.#logicalId}: ${name}`;
      const message =
        `${place} is "${value}": ${written} without quotes is a ${kind} to AWS\n` +
        `  write: ${name}: "${written}"`;
      return [{ name, message }];
    });
  }

  /** The members of a part of the environment, which may be a function's as a whole. */
  #members(value: unknown): Properties {
    if (!isFunction(value)) return membersOf(value);
    const resolved = resolveIntrinsics(value, this.#scope);
    if (resolved.kind === "known") return membersOf(resolved.value);
    this.#leaveOut("Environment", "Environment", unknownReason(resolved), "--env NAME=VALUE");
    return {};
  }

  /** The folder of the code: `CodeUri`, or `Code` where it is a path for `aws cloudformation package`. */
  #code(inS3: CodeInS3 | undefined): string | undefined {
    if (inS3 !== undefined) {
      this.#leaveOut("CodeUri", inS3.property, "the code is in S3", NAME_FOLDER);
      return undefined;
    }
    const { CodeUri, Code } = this.#properties;
    const written = CodeUri ?? (typeof Code === "string" ? Code : undefined);
    return written === undefined ? undefined : this.#text(written, "CodeUri", NAME_FOLDER);
  }

  /** Layers that are written down; nothing where the list itself is a function's. */
  #layerCount(): number | undefined {
    const { Layers = [] } = this.#properties;
    return Array.isArray(Layers) ? Layers.length : undefined;
  }

  /** What a function says of Managed Instances, in SAM's words or CloudFormation's. */
  #managed(): Properties | undefined {
    const config = this.#properties["CapacityProviderConfig"];
    if (!isObject(config)) return undefined;
    const inner = config["LambdaManagedInstancesCapacityProviderConfig"] ?? config;
    const members = Object.entries(membersOf(inner)).map(([name, value]) => {
      const resolved = resolveIntrinsics(value, this.#scope);
      return [name, resolved.kind === "known" ? resolved.value : undefined];
    });
    return Object.fromEntries(members);
  }

  /** The customer-managed runtime; nothing where there is none, or what is written of it is refused. */
  #customRuntime(): CustomRuntime | undefined {
    const { Runtime, RuntimeConfig } = this.#properties;
    const isCustom = textOf(this.#known("Runtime")) === "custom";
    if (RuntimeConfig === undefined && !isCustom) return undefined;
    if (textOf(this.#known("PackageType")) === "Image") {
      return this.#refuse("PackageType", "Image and a customer-managed runtime exclude each other");
    }
    if (!isCustom) {
      // Only a deployment knows which runtime it is.
      if (Runtime !== undefined && this.#known("Runtime") === undefined) return undefined;
      return this.#refuse("RuntimeConfig", "needs Runtime: custom");
    }
    if (!isObject(RuntimeConfig)) {
      const why = "Runtime: custom needs it, with RuntimeArn and RuntimeAlias";
      return this.#refuse("RuntimeConfig", why);
    }
    const found: Record<string, string> = {};
    for (const [name, pattern] of CUSTOM_RUNTIME_PATTERNS) {
      const written = RuntimeConfig[name];
      if (written === undefined) return this.#refuse(`RuntimeConfig.${name}`, "is missing");
      const resolved = resolveIntrinsics(written, this.#scope);
      const text = resolved.kind === "known" ? textOf(resolved.value) : undefined;
      if (text !== undefined && !pattern.test(text)) {
        return this.#refuse(`RuntimeConfig.${name}`, `"${text}" does not match ${pattern.source}`);
      }
      found[name] = text ?? placeholder(resolved);
    }
    return { RuntimeArn: found["RuntimeArn"] ?? "", RuntimeAlias: found["RuntimeAlias"] ?? "" };
  }

  #refuse(property: string, why: string): undefined {
    this.#refused.push(`${property}: ${why}`);
  }

  /** Of the REST APIs in the template, all together: which of them calls the function is not looked for. */
  #binaryMediaTypes(): readonly string[] {
    const { Resources, Globals } = this.#template;
    const apis = Resources.filter(([, { Type }]) =>
      ["AWS::Serverless::Api", "AWS::ApiGateway::RestApi"].includes(Type),
    );
    const lists = [Globals?.Api, ...apis.map(([, { Properties: own }]) => own)].map(
      (properties) => properties?.["BinaryMediaTypes"],
    );
    return lists.flatMap((list) => {
      const resolved = resolveIntrinsics(list, this.#scope);
      const types = resolved.kind === "known" ? resolved.value : undefined;
      // In a template a slash is written as in a JSON pointer.
      return Array.isArray(types) ? types.map((type) => String(type).replaceAll("~1", "/")) : [];
    });
  }

  /** The value of a property; nothing when it has none, or only a deployment knows it. */
  #known(name: string): unknown {
    const resolved = resolveIntrinsics(this.#properties[name], this.#scope);
    return resolved.kind === "known" ? resolved.value : undefined;
  }

  #setting(name: string, option: string): string | undefined {
    const value = this.#properties[name];
    return value === undefined ? undefined : this.#text(value, name, option);
  }

  /** A value as text; one that only a deployment knows is noted. */
  #text(value: unknown, name: string, option: string): string | undefined {
    const resolved = resolveIntrinsics(value, this.#scope);
    const text = resolved.kind === "known" ? textOf(resolved.value) : undefined;
    if (text !== undefined || (resolved.kind === "known" && resolved.value === NO_VALUE))
      return text;
    this.#leaveOut(name, name, unknownReason(resolved), option);
    return undefined;
  }

  /** Notes a setting that has no value here; `property` is what the template calls it. */
  #leaveOut(name: string, property: string, why: string, option: string): void {
    const place = `${this.#path}: ${this.#logicalId}: ${property}`;
    this.#unknown.push({ name, message: `${place} is left out: ${why}\n  set it: ${option}` });
  }
}

/**
 * What the members of `RuntimeConfig` look like.
 * @see https://docs.aws.amazon.com/lambda/latest/api/API_FunctionRuntimeConfig.html
 */
const CUSTOM_RUNTIME_PATTERNS = [
  [
    "RuntimeArn",
    /^arn:[a-z-]+:lambda:[a-z0-9-]+:\d{12}:runtime\/[a-z0-9]([a-z0-9_.-]{0,126})?[a-z0-9]$/,
  ],
  ["RuntimeAlias", /^[A-Za-z0-9_]([A-Za-z0-9_.-]{0,126}[A-Za-z0-9_])?$/],
] as const;

/** What stands for a text that only a deployment knows. */
function placeholder(resolved: Resolved): string {
  return resolved.kind === "unknown" ? resolved.by : "";
}

/** Why a value is not known, with what the template may have written. */
function unknownReason(resolved: Resolved): string {
  if (resolved.kind === "unknown") return `only a deployment knows ${resolved.by}`;
  return resolved.value === null ? "it is empty" : "it is not text";
}

/** Text and booleans as text; numbers are text already. */
function textOf(value: unknown): string | undefined {
  return typeof value === "string" || typeof value === "boolean" ? String(value) : undefined;
}
