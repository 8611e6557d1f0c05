/**
 * Invoke as AWS's Runtime Interface Emulator serves it, bugs included, for `--compat rie`.
 *
 * @see https://github.com/aws/aws-lambda-runtime-interface-emulator
 * @module
 */

import type { HttpResponse } from "../host/http/message.ts";
import { type InvocationOutcome, wholeOutcome } from "../host/invocation/outcome.ts";
import type { FunctionSettings } from "../host/invocation/settings.ts";
import { RESPONSE_BYTES_MAX } from "../runtime-api/contract.ts";

/** What `serve --compat rie` does otherwise. */
export const rie = {
  serve: {
    // As it stands in the emulator, whose digits are not those of AWS's examples.
    settings: (settings: FunctionSettings) => ({ ...settings, accountId: "012345678912" }),
    invoke: { response: rieResponse, refusal: { status: 500, headers: [], body: "" } },
    defaults: (variables: Readonly<Record<string, string | undefined>>) => ({
      name: "test_function",
      // An empty one is as good as none.
      timeout: variables["AWS_LAMBDA_FUNCTION_TIMEOUT"] || TIMEOUT,
      memory: variables["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] || MEMORY_MB,
      variables: {
        timeout: "AWS_LAMBDA_FUNCTION_TIMEOUT",
        memory: "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
      },
    }),
  },
} as const;

/** Time that the emulator gives an event where nothing is said, in seconds. */
const TIMEOUT = "300";

/** Memory that it reports, in MB. */
const MEMORY_MB = "3008";

/** The emulator's response: no header says that anything went wrong, and the type is sniffed as Go does. */
async function rieResponse(
  streamed: InvocationOutcome,
  settings: FunctionSettings,
): Promise<HttpResponse> {
  const outcome = await wholeOutcome(streamed);
  switch (outcome.kind) {
    case "response":
      return sniffed(200, outcome.body);
    case "function-error": {
      if (outcome.origin === "timeout") {
        const seconds = (settings.timeoutMs / 1000).toFixed(2);
        return sniffed(200, Buffer.from(`Task timed out after ${seconds} seconds`));
      }
      if (outcome.responseBytes !== undefined) {
        const errorMessage =
          `Response payload size (${outcome.responseBytes} bytes) exceeded maximum allowed payload ` +
          `size (${RESPONSE_BYTES_MAX} bytes).`;
        const { errorType } = outcome;
        return sniffed(200, Buffer.from(JSON.stringify({ errorMessage, errorType })));
      }
      const crashed = outcome.origin === "exit" || outcome.origin === "init";
      return sniffed(crashed ? 502 : 200, outcome.body);
    }
    case "rejected":
      return { status: outcome.reason === "event-too-large" ? 413 : 400, headers: [], body: "" };
  }
}

function sniffed(status: number, body: Uint8Array): HttpResponse {
  const type = sniffedType(body);
  return { status, headers: type === undefined ? [] : [["Content-Type", type]], body };
}

/** Bytes that are looked at, from the first. */
const SNIFFED_BYTES = 512;

/** Characters that no text has. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const BINARY = /[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]/;

/**
 * The type that Go finds for what a function most often responds with; nothing for an empty body.
 * @see https://mimesniff.spec.whatwg.org/#identifying-a-resource-with-an-unknown-mime-type
 */
export function sniffedType(body: Uint8Array): string | undefined {
  if (body.byteLength === 0) return undefined;
  const start = Buffer.from(body.subarray(0, SNIFFED_BYTES)).toString("latin1");
  if (/^\s*<(?:!doctype html|html|head|script|body|h1|div|p|table|!--)[ >]/i.test(start)) {
    return "text/html; charset=utf-8";
  }
  if (/^\s*<\?xml/.test(start)) return "text/xml; charset=utf-8";
  for (const [magic, type] of MAGIC) if (start.startsWith(magic)) return type;
  return BINARY.test(start) ? "application/octet-stream" : "text/plain; charset=utf-8";
}

/** Beginnings of files. */
const MAGIC: readonly (readonly [start: string, type: string])[] = [
  ["%PDF-", "application/pdf"],
  ["\x89PNG\r\n\x1a\n", "image/png"],
  ["\xff\xd8\xff", "image/jpeg"],
  ["GIF89a", "image/gif"],
  ["PK\x03\x04", "application/zip"],
  ["\x1f\x8b\x08", "application/x-gzip"],
];
