/**
 * What the platform tells an environment beside the Runtime API, on the same port: where it runs, and the
 * credentials of one that is started from a snapshot.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/configuration-metadata-endpoint.html
 * @module
 */

import { randomBytes } from "node:crypto";
import type { ServerResponse } from "node:http";

import { CREDENTIALS_PATH, METADATA_PATH, STATUS } from "../../runtime-api/contract.ts";
import { type NodeRoute, nodeRoute, respond, respondJson } from "../http/node-http.ts";
import type { FunctionSettings } from "../invocation/settings.ts";

/** How long an environment may remember where it runs, in seconds: it does not move. */
const METADATA_SECONDS = 43_200;

/** What those must know who ask; nobody else on this computer does. */
const METADATA_TOKEN = randomBytes(32).toString("hex");
const CREDENTIALS_TOKEN = randomBytes(32).toString("hex");

/** The endpoints of a function's environment. */
export function platformRoutes(settings: FunctionSettings): readonly NodeRoute[] {
  return [
    metadataRoute(settings.region),
    ...(settings.snapStart ? [credentialsRoute(settings)] : []),
  ];
}

/**
 * The variables that lead to the endpoints.
 * @param runtimeApi `host:port` of the Runtime API.
 */
export function endpointVariables(
  { snapStart }: FunctionSettings,
  runtimeApi: string,
): Record<string, string> {
  const metadata = {
    AWS_LAMBDA_METADATA_API: runtimeApi,
    AWS_LAMBDA_METADATA_TOKEN: METADATA_TOKEN,
  };
  if (!snapStart) return metadata;
  return {
    ...metadata,
    AWS_CONTAINER_CREDENTIALS_FULL_URI: `http://${runtimeApi}${CREDENTIALS_PATH}`,
    AWS_CONTAINER_AUTHORIZATION_TOKEN: CREDENTIALS_TOKEN,
  };
}

/** Responds with the availability zone. */
function metadataRoute(region: string): NodeRoute {
  return nodeRoute("GET", METADATA_PATH, (request, response) => {
    request.resume();
    if (request.headers.authorization !== `Bearer ${METADATA_TOKEN}`) return unauthorized(response);
    const body = JSON.stringify({ AvailabilityZoneID: zoneId(region) });
    const cached = `private, max-age=${METADATA_SECONDS}, immutable`;
    respond(response, STATUS.ok, body, {
      "Content-Type": "application/json",
      "Cache-Control": cached,
    });
  });
}

/** How long the keys are said to be good, in milliseconds. */
const CREDENTIALS_MS = 6 * 3_600_000;

/** Responds with the keys that the function would have in its variables, as the SDKs ask for them. */
function credentialsRoute({ inherited, variables }: FunctionSettings): NodeRoute {
  const known: Readonly<Record<string, string | undefined>> = { ...inherited, ...variables };
  return nodeRoute("GET", CREDENTIALS_PATH, (request, response) => {
    request.resume();
    if (request.headers.authorization !== CREDENTIALS_TOKEN) return unauthorized(response);
    const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN = "" } = known;
    if (!AWS_ACCESS_KEY_ID || !AWS_SECRET_ACCESS_KEY) {
      const message =
        "the function has no keys: give it AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY";
      return respondJson(response, STATUS.notFound, { code: "NoCredentials", message });
    }
    respondJson(response, STATUS.ok, {
      AccessKeyId: AWS_ACCESS_KEY_ID,
      SecretAccessKey: AWS_SECRET_ACCESS_KEY,
      Token: AWS_SESSION_TOKEN,
      Expiration: new Date(Date.now() + CREDENTIALS_MS).toISOString().replace(/\.\d+Z$/, "Z"),
    });
  });
}

function unauthorized(response: ServerResponse): void {
  const errorMessage = "the token is missing or wrong";
  respondJson(response, STATUS.unauthorized, { errorMessage, errorType: "Unauthorized" });
}

/** Short forms of the words in a region's name. */
const WORDS: Readonly<Record<string, string>> = {
  central: "c",
  east: "e",
  gov: "g",
  north: "n",
  south: "s",
  west: "w",
};

/** The id of a region's first availability zone: `us-east-1` has `use1-az1`. */
export function zoneId(region: string): string {
  const [area = "", ...rest] = region.split("-");
  const short = rest.map((part) =>
    part.replace(/central|east|gov|north|south|west/g, (word) => WORDS[word] ?? word),
  );
  return `${area}${short.join("")}-az1`;
}
