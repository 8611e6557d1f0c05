/**
 * What the prior stdin runner gives a function: its variables, its credentials for examples, and
 * its JSON definition of a function.
 *
 * @see https://github.com/refunc/lambda-runtimes
 * @module
 */

import { randomInt } from "node:crypto";

import { z } from "zod";

import type { FunctionSettings } from "../host/invocation/settings.ts";
import { CommandError } from "./cli/exit-status.ts";
import { readInputFile } from "./cli/input.ts";
import type { SettingsDefaults } from "./function/options.ts";

type Variables = Readonly<Record<string, string | undefined>>;

/** AWS's own example key, and the rest of what the prior runner falls back to. */
const EXAMPLE_CREDENTIALS = {
  accessKey: "AKIAIOSFODNN7EXAMPLE",
  secretKey: "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY",
  token: "vSWpwYklseDFNREF6WlNKZExDSnpkV0p6",
} as const;

const NAME = "refunc";
const NAMESPACE = "refunc";
const TIMEOUT_SECONDS = 30;
const MEMORY_MB = 1536;

/** First number that an account id of the prior runner does not reach. */
const ACCOUNT_IDS = 2 ** 31;

const definitionSchema = z.looseObject({
  metadata: z
    .looseObject({ name: z.string().optional(), namespace: z.string().optional() })
    .optional(),
  spec: z
    .looseObject({
      entry: z.string().optional(),
      runtime: z
        .looseObject({
          envs: z.record(z.string(), z.string()).optional(),
          timeout: z.number().min(0).optional(),
          credentials: z
            .looseObject({
              accessKey: z.string().optional(),
              secretKey: z.string().optional(),
              token: z.string().optional(),
            })
            .optional(),
        })
        .optional(),
    })
    .optional(),
});

/** A function as the prior system defines it. */
export type RefuncFunction = z.output<typeof definitionSchema>;

/**
 * Reads a definition.
 * @throws {CommandError} When there is no such file, or it is none.
 */
export function refuncFunction(file: string): RefuncFunction {
  let json: unknown;
  try {
    json = JSON.parse(readInputFile(file, "--function").toString("utf8"));
  } catch (error) {
    if (error instanceof CommandError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new CommandError(`--function ${file}: ${reason}`);
  }
  const parsed = definitionSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const field = issue?.path.join(".") ?? "";
  throw new CommandError(`--function ${file}: ${field}: ${issue?.message ?? "is wrong"}`);
}

/** What counts where the command line says nothing. */
export function refuncDefaults(
  definition: RefuncFunction | undefined,
  ours: Variables,
): SettingsDefaults {
  const runtime = definition?.spec?.runtime;
  const envs = runtime?.envs ?? {};
  const handler =
    envs["AWS_LAMBDA_FUNCTION_HANDLER"] ?? envs["_HANDLER"] ?? definition?.spec?.entry;
  return {
    name: definition?.metadata?.name ?? (ours["AWS_LAMBDA_FUNCTION_NAME"] || NAME),
    memoryMb: MEMORY_MB,
    timeout: String(runtime?.timeout || TIMEOUT_SECONDS),
    inheritEnvironment: true,
    ...(handler === undefined ? {} : { handler: expanded(handler, ours) }),
  };
}

/** Settings with the prior runner's variables, namespace and reading of errors. */
export function refuncSettings(
  settings: FunctionSettings,
  definition: RefuncFunction | undefined,
  ours: Variables,
): FunctionSettings {
  const envs = Object.entries(definition?.spec?.runtime?.envs ?? {});
  const own = Object.fromEntries(
    envs.map(([name, value]) => [name, expanded(value, ours)]).filter(([, value]) => value !== ""),
  );
  const seconds = Math.ceil(settings.timeoutMs / 1000);
  return {
    ...settings,
    accountId: definition?.metadata?.namespace ?? (ours["REFUNC_NAMESPACE"] || NAMESPACE),
    errorForm: "refunc",
    variables: {
      AWS_LAMBDA_FUNCTION_TIMEOUT: String(seconds),
      AWS_ACCOUNT_ID: ours["AWS_ACCOUNT_ID"] || String(randomInt(ACCOUNT_IDS)),
      // A name or size that our own environment says would hide those of the settings.
      AWS_LAMBDA_FUNCTION_NAME: settings.name,
      AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(settings.memoryMb),
      ...credentials(definition, ours),
      ...own,
      ...settings.variables,
    },
  };
}

/**
 * Each as the caller has it, else of the definition, else `REFUNC_…`, else the example. A token is
 * not made up for a key that is the caller's: AWS would refuse the pair.
 */
function credentials(definition: RefuncFunction | undefined, ours: Variables) {
  const given = definition?.spec?.runtime?.credentials;
  const ownKey = ours["AWS_ACCESS_KEY_ID"] || given?.accessKey || ours["REFUNC_ACCESS_KEY"];
  const token =
    ours["AWS_SESSION_TOKEN"] ||
    given?.token ||
    ours["REFUNC_TOKEN"] ||
    (ownKey ? "" : EXAMPLE_CREDENTIALS.token);
  return {
    AWS_ACCESS_KEY_ID: ownKey || EXAMPLE_CREDENTIALS.accessKey,
    AWS_SECRET_ACCESS_KEY:
      ours["AWS_SECRET_ACCESS_KEY"] ||
      given?.secretKey ||
      ours["REFUNC_SECRET_KEY"] ||
      EXAMPLE_CREDENTIALS.secretKey,
    ...(token === "" ? {} : { AWS_SESSION_TOKEN: token }),
  };
}

/** A value that begins with `$` stands for our variables, as in the prior runner. */
function expanded(value: string, ours: Variables): string {
  if (!value.startsWith("$")) return value;
  return value.replace(
    /\$(?:\{(\w+)\}|(\w+))/g,
    (_reference, braced?: string, bare?: string) => ours[braced ?? bare ?? ""] ?? "",
  );
}
