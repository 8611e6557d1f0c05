/**
 * What the caller gets of an error that a runtime posted.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html#runtimes-api-invokeerror
 * @module
 */

import { CONTENT_TYPE } from "../../runtime-api/contract.ts";

/** An error body as the caller of the function receives it. */
export interface ErrorForCaller {
  readonly body: Uint8Array;
  readonly contentType: string;
}

/**
 * Passes an error on verbatim, but for one with an X-Ray cause inside, of which the caller gets the
 * three members that are meant for it.
 */
export function errorForCaller(body: Uint8Array, contentType: string | undefined): ErrorForCaller {
  if (contentType?.startsWith(CONTENT_TYPE.errorCause) !== true) {
    return { body, contentType: contentType ?? CONTENT_TYPE.json };
  }
  try {
    const { errorMessage, errorType, stackTrace } = JSON.parse(Buffer.from(body).toString("utf8"));
    const error = JSON.stringify({ errorMessage, errorType, stackTrace });
    return { body: Buffer.from(error), contentType: CONTENT_TYPE.json };
  } catch {
    return { body: Buffer.from("Invalid error body"), contentType: CONTENT_TYPE.octetStream };
  }
}
