/**
 * The options that every command which runs a function shares, and what they mean.
 *
 * @module
 */

import { existsSync, readdirSync, statSync } from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";

import type { Command } from "commander";

import { isVariableName, readEnvFile } from "../../env-file.ts";
import { DEFAULT_SETTINGS, type FunctionSettings } from "../../host/invocation/settings.ts";
import { EXTENSIONS } from "../../host/sandbox/extensions.ts";
import { PLATFORM_VARIABLES } from "../../host/sandbox/variables.ts";
import { localArchitecture } from "../../program.ts";
import { type TemplateFunction, templateFunction } from "../../template/function.ts";
import { wrongSettings } from "../../template/wrong-settings.ts";
import { CommandError } from "../cli/exit-status.ts";
import { readInputFile, requireFolder, unreadable } from "../cli/input.ts";
import { collected, eventFix, isEventFile } from "../cli/options.ts";
import { startVariables } from "../cli/start-variables.ts";
import { pathWord, shellWord } from "../cli/suggest.ts";
import { say } from "../cli/terminal.ts";
import { bootstrapFix, findBootstrap } from "./architecture.ts";
import { KNOWN_RUNTIMES, OS_ONLY_RUNTIMES, unknownRuntime } from "./runtimes.ts";
import {
  DEFAULT_HANDLER,
  type FunctionConfig,
  functionConfig,
  type InvalidSetting,
  NO_REGION,
  parseSettings,
  REGION,
} from "./settings.ts";

/** The options as commander hands them over. */
export interface FunctionOptions {
  readonly handler?: string;
  readonly bootstrap?: string;
  readonly name?: string;
  readonly timeout?: string;
  readonly memory?: string;
  readonly region?: string;
  readonly template?: string;
  readonly env?: readonly string[];
  readonly envFile?: readonly string[];
  readonly inheritEnv?: boolean;
  readonly layer?: readonly string[];
  readonly workers?: string;
  readonly concurrency?: string;
  readonly queue?: string;
  readonly queueTimeout?: string;
  readonly initTimeout?: string;
  readonly snapStart?: boolean;
  readonly managedInstances?: boolean;
}

/**
 * Adds the shared options to a command.
 * @param workers Execution environments where nothing is said.
 */
export function addFunctionOptions(command: Command, workers = "1"): Command {
  return command
    .option("--handler <name>", "handler, as in _HANDLER (default: function.handler)")
    .option("--name <name>", "name of the function (default: the folder's)")
    .option("--bootstrap <path>", "bootstrap to run (default: DIR/bootstrap, else this tool's)")
    .option("--timeout <time>", "time for one event: 3, 500ms, 1m30s (default: 3)")
    .option("--init-timeout <time>", "time to load the function (default: 10)")
    .option("--memory <MB>", "memory size, enforced if given (default: 128)")
    .option("--region <region>", "region in ARNs (default: AWS_REGION or us-east-1)")
    .option("--template <file>", "SAM template to take the function's settings from")
    .addOption(collected("--env <NAME=VALUE>", "variable of the function; NAME alone copies yours"))
    .addOption(collected("--env-file <file>", "file of NAME=VALUE lines"))
    .option("--inherit-env", "let the function see all your variables")
    .addOption(collected("--layer <dir>", "folder that stands in for a layer's /opt"))
    .option("--workers <n>", `execution environments, or min:max (default: ${workers})`)
    .option("--snap-start", "start it as from a snapshot, as SnapStart does")
    .option("--managed-instances", "run it as on Lambda Managed Instances")
    .option("--concurrency <n>", "events at a time in one environment (default: 1, managed: 8)")
    .option("--queue <n>", "events that may wait (default: 100)")
    .option("--queue-timeout <time>", "longest wait for a free environment (default: none)");
}

/** What a command adds to the options, as the variables of a container do. */
export interface SettingsDefaults {
  readonly handler?: string;
  readonly name?: string;
  readonly timeout?: string;
  readonly memory?: string;
  readonly workers?: string;
  readonly inheritEnvironment?: boolean;
  /** The variables that values of these names are from, for messages. */
  readonly variables?: Readonly<Record<string, string>>;
  /** See {@link FunctionSettings.attachedPort}; no bootstrap is looked for then. */
  readonly attachedPort?: number;
}

/**
 * Turns a folder and options into the settings of its function: options count more than the file of settings and
 * the template, those more than what the command adds.
 * @param command The bootstrap and its arguments after `--`, none to look for one.
 * @throws {CommandError} When an option is wrong or there is nothing to run.
 */
export function functionSettings(
  directory: string,
  command: readonly string[],
  options: FunctionOptions,
  defaults: SettingsDefaults = {},
): FunctionSettings {
  const described = templateSettings(options);
  const root = directory === "." && described ? described.directory : resolve(directory);
  requireFunctionFolder(root, directory);
  const tell = newsOf(root);
  const named = described?.name ?? options.name;
  const name = named ?? defaults.name ?? functionName(root);
  // Several functions of a template may have one folder, and some of them no settings of their own.
  const warn = described === undefined ? (message: string) => tell("warning", message) : undefined;
  const config = { ...present(described ?? {}), ...functionConfig(root, name, warn) };
  const kind = environmentKind(options, described);
  const given = {
    name: named,
    timeout: options.timeout ?? config.timeout,
    memory: options.memory ?? config.memory,
    workers: options.workers ?? config.workers,
  };
  const checked = checkedSettings(name, given, options, defaults, kind, described?.concurrency);
  const variables = withoutPlatforms({ ...config.env, ...functionVariables(options, tell) }, tell);
  warnOfUnknown(described, tell, {
    ...variables,
    Handler: options.handler ?? config.handler,
    Timeout: given.timeout,
    MemorySize: given.memory,
    CodeUri: directory === "." ? undefined : directory,
  });
  if (described !== undefined) announceRuntime(described, tell);
  const inherit = options.inheritEnv ?? defaults.inheritEnvironment ?? false;
  return {
    ...DEFAULT_SETTINGS,
    ...(described === undefined ? {} : onlyDescribed(described)),
    ...checked,
    ...kind,
    directory: root,
    ...startedBy(root, command, options, defaults),
    handler: options.handler ?? config.handler ?? defaults.handler ?? environmentHandler(),
    region: checkedRegion(options.region) ?? config.region ?? environmentRegion(),
    memoryEnforced: options.memory !== undefined,
    variables: { ...described?.variables, ...variables },
    inherited: inherit ? definedOnly(startVariables()) : {},
    layers: (options.layer ?? []).map(layerFolder),
  };
}

/**
 * A function's folder must be there.
 * @param argument What names it; "." where a template may name another.
 * @throws {CommandError} When it is not, with what the argument is probably meant as.
 */
function requireFunctionFolder(root: string, argument: string): void {
  const hint = isEventFile(argument)
    ? `\n${eventFix(argument)}`
    : insteadOfFolder(
        argument,
        `\n  put the bootstrap command after --: -- ${shellWord(argument)}`,
      );
  requireFolder(root, argument === "." ? root : argument, hint);
}

/** How Lambda makes a function's environments. */
type EnvironmentKind = Pick<FunctionSettings, "snapStart" | "managedInstances">;

/** @throws {CommandError} When the two exclude each other. */
function environmentKind(
  options: FunctionOptions,
  described: TemplateFunction | undefined,
): EnvironmentKind {
  const managedInstances = options.managedInstances ?? described?.managedInstances ?? false;
  const snapStart = options.snapStart ?? described?.snapStart ?? false;
  if (snapStart && managedInstances) {
    throw new CommandError("SnapStart and Managed Instances exclude each other");
  }
  return { snapStart, managedInstances };
}

/**
 * The settings that are numbers and times, checked.
 * @param given What options, files and the template say, which counts more than what the command adds.
 * @param managedLoops Events at a time in an environment of Managed Instances, as the template says.
 * @throws {CommandError} When one is wrong, by the name under which it was written.
 */
function checkedSettings(
  name: string,
  given: Readonly<Record<"name" | "timeout" | "memory" | "workers", string | undefined>>,
  options: FunctionOptions,
  defaults: SettingsDefaults,
  { snapStart, managedInstances }: EnvironmentKind,
  managedLoops = DEFAULT_MANAGED_CONCURRENCY,
) {
  const text = {
    name,
    timeout: given.timeout ?? defaults.timeout,
    initTimeout: options.initTimeout,
    memory: given.memory ?? defaults.memory,
    workers: given.workers ?? defaults.workers,
    concurrency: options.concurrency ?? (managedInstances ? managedLoops : undefined),
    queue: options.queue,
    queueTimeout: options.queueTimeout,
  };
  const parsed = parseSettings(text, managedInstances);
  if (parsed.kind === "invalid") throw new CommandError(settingFault(parsed, given, defaults));
  const { settings } = parsed;
  const isLongInit = options.initTimeout === undefined && (snapStart || managedInstances);
  return isLongInit
    ? { ...settings, initTimeoutMs: Math.max(settings.timeoutMs, LONG_INIT_MS) }
    : settings;
}

/** What only a template says, and no option. */
function onlyDescribed(described: TemplateFunction) {
  const { runtime = DEFAULT_SETTINGS.runtime, configuration, binaryMediaTypes } = described;
  return { runtime, code: referencedCode(described), configuration, binaryMediaTypes };
}

/**
 * What runs a function: its bootstrap, or what attaches itself.
 * @throws {CommandError} When no bootstrap is found.
 */
function startedBy(
  root: string,
  command: readonly string[],
  { bootstrap }: FunctionOptions,
  { attachedPort }: SettingsDefaults,
): Pick<FunctionSettings, "command" | "attachedPort"> {
  return attachedPort === undefined
    ? { command: bootstrapCommand(root, command, bootstrap) }
    : { command: [], attachedPort };
}

const told = new Map<string, ReadonlySet<string>>();

/** Says what was not said when the settings of the same folder were read before, as `dev` does with each reload. */
function newsOf(directory: string): typeof say {
  const before = told.get(directory);
  const now = new Set<string>();
  told.set(directory, now);
  return (level, message) => {
    now.add(message);
    if (before?.has(message) !== true) say(level, message);
  };
}

/**
 * What is wrong with a setting, by the name under which it was written.
 * @param given What options, files and templates say, which is not a variable's.
 */
function settingFault(
  { field, reason, message }: InvalidSetting,
  given: Readonly<Record<string, string | undefined>>,
  { variables = {} }: SettingsDefaults,
): string {
  const variable = given[field] === undefined ? variables[field] : undefined;
  return variable === undefined ? message : `${variable}: ${reason}`;
}

/** Events at a time in an environment of Managed Instances where nothing is said: Rust's, which is OS-only too. */
const DEFAULT_MANAGED_CONCURRENCY = "8";

/** Time to get ready before a snapshot and on Managed Instances, where the function's own is shorter. */
const LONG_INIT_MS = 130_000;

/**
 * What `--template` says.
 * @throws {CommandError} When Lambda would refuse it, by the place where it stands.
 */
function templateSettings({ template, name, region }: FunctionOptions) {
  if (template === undefined) return undefined;
  const described = templateFunction(template, name, region);
  const [wrong] = wrongSettings(described, template);
  if (wrong !== undefined) throw new CommandError(wrong);
  return described;
}

/**
 * Warns of what only a deployment of the template would know, and of what AWS reads otherwise than it is written.
 * @param elsewhere Properties and variables that have a value from another place, which counts more.
 */
function warnOfUnknown(
  described: TemplateFunction | undefined,
  tell: typeof say,
  elsewhere: Readonly<Record<string, string | undefined>>,
): void {
  if (described === undefined) return;
  for (const { name, message } of [...described.unknown, ...described.reread]) {
    if (elsewhere[name] === undefined) tell("warning", message);
  }
}

/** Says which runtime ours stands in for, or that Lambda has none of that name. */
function announceRuntime(
  { logicalId, runtime, runtimeConfig }: TemplateFunction,
  tell: typeof say,
): void {
  if (runtimeConfig !== undefined) {
    const { RuntimeArn, RuntimeAlias } = runtimeConfig;
    tell(
      "info",
      `${logicalId}: this tool's bootstrap replaces ${RuntimeArn}, alias ${RuntimeAlias}`,
    );
  } else if (runtime !== undefined && !KNOWN_RUNTIMES.has(runtime)) {
    tell("warning", `${logicalId}: ${unknownRuntime(runtime)}`);
  } else if (runtime !== undefined && !OS_ONLY_RUNTIMES.includes(runtime)) {
    tell("warning", `${logicalId}: Runtime: ${runtime} has a bootstrap of its own on Lambda`);
  }
}

/** What Lambda shows of code that it reads where it lies, instead of a copy of its own. */
function referencedCode({ codeInS3 }: TemplateFunction): Readonly<Record<string, unknown>> {
  const { S3ObjectStorageMode: mode, ...object } = codeInS3?.members ?? {};
  return mode === "REFERENCE" ? { ResolvedS3Object: object } : {};
}

/** Leaves out variables that the host sets whatever the function says, and says so. */
function withoutPlatforms(
  variables: Record<string, string>,
  tell: typeof say,
): Record<string, string> {
  const kept = { ...variables };
  for (const name of PLATFORM_VARIABLES.filter((each) => each in kept)) {
    delete kept[name];
    const option = PLATFORM_OPTIONS[name];
    const fix = option === undefined ? "" : `\n  set it: ${option}`;
    tell("warning", `the variable ${name} is left out: Lambda sets it itself${fix}`);
  }
  return kept;
}

/** Options that decide about variables of the platform. */
const PLATFORM_OPTIONS: Readonly<Record<string, string>> = {
  _HANDLER: "--handler NAME",
  AWS_LAMBDA_INITIALIZATION_TYPE: "--snap-start or --managed-instances",
  AWS_LAMBDA_MAX_CONCURRENCY: "--concurrency N",
};

/**
 * A layer's folder.
 * @throws {CommandError} When it is not a folder, or may not be read: its extensions would not be started.
 */
export function layerFolder(layer: string): string {
  const path = resolve(namedPath(layer, "--layer"));
  requireFolder(path, `--layer ${layer}`);
  for (const folder of [path, join(path, EXTENSIONS)]) {
    try {
      if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() === true) readdirSync(folder);
    } catch (error) {
      throw unreadable(`--layer ${join(layer, relative(path, folder))}`, error);
    }
  }
  return path;
}

/**
 * A region as ARNs have it.
 * @throws {CommandError} When it is something else, so that no ARN is wrong.
 */
function checkedRegion(region: string | undefined): string | undefined {
  if (region === undefined || REGION.test(region)) return region;
  throw new CommandError(`--region: "${region}" ${NO_REGION}`);
}

function environmentRegion(): string {
  const { AWS_REGION: region = "" } = process.env;
  return region === "" ? DEFAULT_SETTINGS.region : region;
}

/**
 * A path that was named.
 * @throws {CommandError} When it is empty, as that of a variable that is not set: it would be the current folder.
 */
function namedPath(path: string, option: string): string {
  if (path !== "") return path;
  throw new CommandError(`${option}: the path is empty`);
}

/** The handler that the variables of Lambda and its emulator name, else the usual one. */
function environmentHandler(): string {
  const { AWS_LAMBDA_FUNCTION_HANDLER, _HANDLER } = process.env;
  return AWS_LAMBDA_FUNCTION_HANDLER ?? _HANDLER ?? DEFAULT_HANDLER;
}

/** Members that have a value. */
function present(described: Partial<TemplateFunction>): FunctionConfig {
  const { handler, timeout, memory } = described;
  return {
    ...(handler === undefined ? {} : { handler }),
    ...(timeout === undefined ? {} : { timeout }),
    ...(memory === undefined ? {} : { memory }),
  };
}

/**
 * What to say of a file that stands where a function's folder must: the folder of a script, and the handler
 * where its name is not the usual one.
 * @param otherwise What another file may be meant as, and a script of another name too.
 */
export function insteadOfFolder(file: string, otherwise = ""): string {
  if (!file.endsWith(".sh")) return otherwise;
  const handler = `${basename(file, ".sh")}.handler`;
  const folder = `\n  name its folder: ${pathWord(dirname(file))}`;
  return handler === DEFAULT_HANDLER
    ? folder
    : `${folder} --handler ${pathWord(handler)}${otherwise}`;
}

/** A folder's name with only the characters that a function's name may have. */
export function functionName(directory: string): string {
  const name = basename(directory).replace(/[^a-zA-Z0-9_-]+/g, "-");
  return name === "" || name === "-" ? "function" : name.slice(0, 64);
}

function bootstrapCommand(
  directory: string,
  command: readonly string[],
  option: string | undefined,
): readonly string[] {
  const [program, ...rest] = command;
  if (program !== undefined) return [executable(program), ...rest];
  if (option !== undefined) return [resolve(namedPath(option, "--bootstrap"))];
  const search = findBootstrap(directory);
  if (search.kind === "missing") {
    throw new CommandError(
      `no bootstrap found\n  looked for: ${search.tried.join(", ")}\n` +
        `  ${bootstrapFix(localArchitecture())}\n  or name one: --bootstrap PATH, or -- COMMAND`,
    );
  }
  return [search.path];
}

/** The file of a program: a path as it stands, a bare name by the search path. */
function executable(program: string): string {
  if (program.includes("/")) return resolve(program);
  if (program === "") throw new CommandError("the name of the bootstrap after -- is empty");
  const path = Bun.which(program);
  if (path === null)
    throw new CommandError(`command not found: ${program}${meantProgram(program)}`);
  return resolve(path);
}

/** What a name that no program has is probably meant as. */
function meantProgram(name: string): string {
  if (existsSync(name)) return `\n  for the file here: -- ${shellWord(`./${name}`)}`;
  const [first = "", ...rest] = name.trim().split(/\s+/);
  const isCommandLine = rest.length > 0 && (Bun.which(first) !== null || existsSync(first));
  return isCommandLine ? `\n  write its words apart: -- ${[first, ...rest].join(" ")}` : "";
}

/** Where the variables come from, each in the order in which it was given. */
interface VariableOptions {
  readonly env?: readonly string[];
  readonly envFile?: readonly string[];
}

/**
 * Reads them; `--env` counts more than a file, and what is later more than what was before.
 * @throws {CommandError} When a file cannot be read or a name is not a variable's.
 */
function functionVariables(options: VariableOptions, tell: typeof say): Record<string, string> {
  const variables: Record<string, string> = {};
  for (const file of options.envFile ?? []) {
    const read = readEnvFile(readInputFile(file, "--env-file").toString("utf8"));
    for (const words of read.leftOut) tell("warning", `--env-file ${file}: ${words}`);
    Object.assign(variables, read.variables);
  }
  for (const assignment of options.env ?? []) {
    const at = assignment.indexOf("=");
    const name = at === -1 ? assignment : assignment.slice(0, at);
    if (!isVariableName(name)) {
      throw new CommandError(`--env ${assignment}: not a variable name: "${name}"`);
    }
    const value = at === -1 ? startVariables()[name] : assignment.slice(at + 1);
    if (value !== undefined) variables[name] = value;
    else
      tell("warning", `--env ${name}: it is not set here; to give it a value: --env ${name}=VALUE`);
  }
  return variables;
}

/** The members that have a value. */
function definedOnly(
  variables: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(variables).filter((pair): pair is [string, string] => pair[1] !== undefined),
  );
}
