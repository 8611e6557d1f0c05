/**
 * `run` as refunc's stdin runner does it: its lines, its request ids, its variables, its definition of
 * a function, and its reading of errors.
 *
 * @see https://github.com/refunc/lambda-runtimes
 * @see https://github.com/refunc/refunc/blob/master/pkg/sidecar/handler.go
 * @module
 */

import { randomInt } from "node:crypto";

import { findNodeAtLocation, parseTree } from "jsonc-parser";
import { z } from "zod";

import { compactJson, isJson, jsonFault, lineAndColumn } from "../host/http/json-text.ts";
import type { WholeOutcome } from "../host/invocation/outcome.ts";
import {
  type ErrorReading,
  type PostedError,
  readPostedError,
} from "../host/invocation/platform-error.ts";
import type { FunctionSettings } from "../host/invocation/settings.ts";
import { isObject, parsedObject } from "../json-object.ts";
import { CONTENT_TYPE } from "../runtime-api/contract.ts";

/** What `run --compat refunc` does otherwise. */
export const refunc = {
  run: { format: resultLine, readFunction },
} as const;

type Variables = Readonly<Record<string, string | undefined>>;

/** AWS's own example key, and the rest of what refunc's runner falls back to. */
const EXAMPLE_CREDENTIALS = {
  accessKey: "AKIAIOSFODNN7EXAMPLE",
  secretKey: "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY",
  token: "vSWpwYklseDFNREF6WlNKZExDSnpkV0p6",
} as const;

const NAME = "refunc";
const NAMESPACE = "refunc";
const TIMEOUT_SECONDS = 30;
const MEMORY_MB = "1536";

/** First number that an account id of refunc's runner does not reach. */
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

type Definition = z.output<typeof definitionSchema>;

/**
 * What counts where the command line says nothing, and what is made of the settings then.
 * @param json The definition of a function; absent, only the runner's own defaults count.
 */
function readFunction(json = "{}", ours: Variables) {
  const text = json.replace(/^\ufeff/, "");
  const fault = jsonFault(text);
  if (fault !== undefined) {
    const place = fault.offset === undefined ? "" : `:${lineAndColumn(text, fault.offset)}`;
    return { kind: "invalid", message: `${place}: not JSON: ${fault.words}` } as const;
  }
  const parsed = definitionSchema.safeParse(JSON.parse(text));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const path = (issue?.path ?? []).map(String);
    const tree = parseTree(text);
    const { offset } = (tree && findNodeAtLocation(tree, path)) ?? { offset: 0 };
    const words = [...(path.length === 0 ? [] : [path.join(".")]), issue?.message ?? "is wrong"];
    return {
      kind: "invalid",
      message: `:${lineAndColumn(text, offset)}: ${words.join(": ")}`,
    } as const;
  }
  const definition = parsed.data;
  return {
    kind: "valid",
    isDefinition: definition.metadata !== undefined || definition.spec !== undefined,
    defaults: defaultsOf(definition, ours),
    apply: (settings: FunctionSettings) => settingsOf(settings, definition, ours),
  } as const;
}

function defaultsOf(definition: Definition, ours: Variables) {
  const runtime = definition.spec?.runtime;
  const envs = runtime?.envs ?? {};
  const handler = envs["AWS_LAMBDA_FUNCTION_HANDLER"] ?? envs["_HANDLER"] ?? definition.spec?.entry;
  return {
    name: definition.metadata?.name ?? (ours["AWS_LAMBDA_FUNCTION_NAME"] || NAME),
    memory: MEMORY_MB,
    timeout: String(runtime?.timeout || TIMEOUT_SECONDS),
    inheritEnvironment: true,
    ...(handler === undefined ? {} : { handler: expanded(handler, ours) }),
  };
}

/** Settings with refunc's variables, namespace and reading of errors. */
function settingsOf(
  settings: FunctionSettings,
  definition: Definition,
  ours: Variables,
): FunctionSettings {
  const envs = Object.entries(definition.spec?.runtime?.envs ?? {});
  const own = Object.fromEntries(
    envs.map(([name, value]) => [name, expanded(value, ours)]).filter(([, value]) => value !== ""),
  );
  const seconds = Math.ceil(settings.timeoutMs / 1000);
  return {
    ...settings,
    accountId: definition.metadata?.namespace ?? (ours["REFUNC_NAMESPACE"] || NAMESPACE),
    readError,
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
function credentials(definition: Definition, ours: Variables) {
  const given = definition.spec?.runtime?.credentials;
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

/** A value that begins with `$` stands for our variables, as in refunc's runner. */
function expanded(value: string, ours: Variables): string {
  if (!value.startsWith("$")) return value;
  return value.replace(
    /\$(?:\{(\w+)\}|(\w+))/g,
    (_reference, braced?: string, bare?: string) => ours[braced ?? bare ?? ""] ?? "",
  );
}

/** refunc's status for an error that it cannot read; it still takes it. */
const INVALID_SHAPE_STATUS = 299;

/** To the byte: refunc's runner ends it without a line feed. */
const INVALID_SHAPE_ACKNOWLEDGEMENT = {
  status: INVALID_SHAPE_STATUS,
  headers: { "Content-Type": CONTENT_TYPE.json, "X-Content-Type-Options": "nosniff" },
  body: '{"status":"InvalidErrorShape"}',
} as const;

/**
 * Lambda passes any error on; refunc's runner reads it, lets the header name its type, and tells
 * with a status of its own that it could not read it.
 */
function readError(posted: PostedError): ErrorReading {
  const { error, acknowledgement } = readPostedError(posted);
  const shape = errorShape(posted.body);
  const errorType = posted.errorType === "" ? shape.errorType : posted.errorType;
  const { errorMessage, stackTrace } = shape;
  const body = Buffer.from(JSON.stringify({ errorMessage, errorType, stackTrace }));
  return {
    error: { ...error, body },
    acknowledgement: shape.kind === "valid" ? acknowledgement : INVALID_SHAPE_ACKNOWLEDGEMENT,
  };
}

interface ErrorShape {
  readonly kind: "valid" | "invalid";
  readonly errorMessage: string;
  readonly errorType: string;
  readonly stackTrace?: readonly unknown[];
}

/** The members that refunc's runner reads; all may be absent, none may be of another type. */
function errorShape(bytes: Uint8Array): ErrorShape {
  const text = Buffer.from(bytes).toString("utf8");
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return invalidShape("SyntaxError", reason, text);
  }
  if (!isObject(parsed)) {
    return invalidShape("UnmarshalTypeError", "the error is not a JSON object", text);
  }
  const { errorMessage = "", errorType = "", stackTrace } = parsed;
  if (typeof errorMessage !== "string") return wrongMember("errorMessage", "a string", text);
  if (typeof errorType !== "string") return wrongMember("errorType", "a string", text);
  if (stackTrace === undefined || stackTrace === null) {
    return { kind: "valid", errorMessage, errorType };
  }
  if (!Array.isArray(stackTrace)) return wrongMember("stackTrace", "an array", text);
  return { kind: "valid", errorMessage, errorType, stackTrace };
}

function wrongMember(name: string, type: string, text: string): ErrorShape {
  return invalidShape("UnmarshalTypeError", `${name} is not ${type}`, text);
}

/** The reader's complaint; refunc's runner leaves out what it was about. */
function invalidShape(errorType: string, reason: string, text: string): ErrorShape {
  return { kind: "invalid", errorType, errorMessage: `${reason}: ${text}` };
}

/** The line of a result; nothing for an event that was not run. */
function resultLine(outcome: WholeOutcome): Uint8Array | undefined {
  switch (outcome.kind) {
    case "rejected":
      return undefined;
    case "function-error":
      return errorLine(outcome.body, outcome.contentType, outcome.origin === "init");
    case "response":
      return payloadLine(outcome.body, outcome.contentType);
  }
}

/** `{"payload":…,"ContentType":…}` with the response's own tokens, or the response as a string. */
function payloadLine(body: Uint8Array, contentType: string | undefined): Uint8Array {
  const members: Uint8Array[] = [];
  if (body.byteLength > 0) {
    // The line feed that a shell's printf adds is not part of the text.
    const text = new TextDecoder().decode(body).replace(/\r?\n$/, "");
    const value = isJson(body) ? compactJson(body) : Buffer.from(JSON.stringify(text));
    members.push(Buffer.concat([Buffer.from('"payload":'), value]));
  }
  return envelope(members, contentType);
}

/** @param fatal True of an error at the start, after which refunc's runner runs nothing. */
function errorLine(body: Uint8Array, contentType: string, fatal = false): Uint8Array {
  const text = new TextDecoder().decode(body);
  const { errorMessage = "", errorType, stackTrace } = parsedObject(text) ?? { errorMessage: text };
  const trace = Array.isArray(stackTrace) && stackTrace.length > 0 ? { stackTrace } : {};
  const named = errorType === undefined || errorType === "" ? {} : { errorType };
  const value = JSON.stringify({ errorMessage, ...named, ...trace, fatal });
  return envelope([Buffer.from(`"error":${value}`)], contentType);
}

function envelope(members: Uint8Array[], contentType: string | undefined): Uint8Array {
  // Our bootstrap says JSON of everything; refunc's runner prints what the bootstrap said.
  if (contentType !== undefined && contentType !== "") {
    members.push(Buffer.from(`"ContentType":${JSON.stringify(contentType)}`));
  }
  const separated = members.flatMap((member, at) => (at === 0 ? [member] : [COMMA, member]));
  return Buffer.concat([Buffer.from("{"), ...separated, Buffer.from("}\n")]);
}

const COMMA = Buffer.from(",");
