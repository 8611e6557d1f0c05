/**
 * HTTP requests as the events of Function URLs, HTTP APIs (payload 2.0 and 1.0) and REST APIs.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html
 * @module
 */

import { isUtf8 } from "node:buffer";

import { decodePath, type HttpRequest, queryPairs } from "../../http/message.ts";
import { urlSuffixOf } from "../../invocation/settings.ts";
import {
  type GatewayKind,
  type GatewayNames,
  isTextType,
  joinedValues,
  lastValues,
  matchesMediaType,
  multiValues,
  requestTime,
} from "./kinds.ts";

type HeaderLines = HttpRequest["headerLines"];

/** The event that a front end makes of a request. */
export function gatewayEvent(
  kind: GatewayKind,
  request: HttpRequest,
  names: GatewayNames,
): Record<string, unknown> {
  switch (kind) {
    case "function-url":
    case "http-api-v2":
      return payload2(kind, request, names);
    case "http-api-v1":
      return httpPayload1(request, names);
    case "rest":
    case "api-gateway":
      return restPayload(kind, request, names);
  }
}

function payload2(
  kind: "function-url" | "http-api-v2",
  request: HttpRequest,
  names: GatewayNames,
): Record<string, unknown> {
  const isUrl = kind === "function-url";
  const decoded = decodePath(request.rawPath);
  // An HTTP API cuts the path off at a question mark that was encoded.
  const path = isUrl ? decoded : (decoded.split("?", 1)[0] ?? decoded);
  const cookies = cookieList(request.headerLines);
  const query = queryPairs(request.rawQuery);
  const dropped = isUrl ? ["connection"] : ["connection", "cookie"];
  const lines = lowerCased(edgeHeaders(request, isUrl)).filter(([name]) => !dropped.includes(name));
  // A Function URL has no routes.
  const route = isUrl ? undefined : request.route;
  const parameters = decodedParameters(route);
  return {
    version: "2.0",
    routeKey: route?.key ?? "$default",
    rawPath: isUrl ? request.rawPath : path,
    rawQueryString: request.rawQuery,
    ...(cookies.length === 0 ? {} : { cookies }),
    headers: joinedValues(lines),
    ...(query.length === 0 ? {} : { queryStringParameters: joinedValues(query) }),
    ...(parameters === undefined ? {} : { pathParameters: parameters }),
    requestContext: {
      accountId: isUrl ? "anonymous" : names.accountId,
      apiId: names.apiId,
      domainName: isUrl ? `${names.apiId}.lambda-url.${names.region}.on.aws` : apiDomain(names),
      domainPrefix: names.apiId,
      http: {
        method: request.method,
        path,
        protocol: "HTTP/1.1",
        sourceIp: request.sourceIp,
        userAgent: request.headers["user-agent"] ?? "",
      },
      requestId: isUrl ? request.requestId : gatewayRequestId(request),
      routeKey: route?.key ?? "$default",
      stage: "$default",
      time: requestTime(request.receivedAtMs),
      timeEpoch: request.receivedAtMs,
    },
    ...bodyMembers(request, isBinaryBody(kind, request, names)),
  };
}

function httpPayload1(request: HttpRequest, names: GatewayNames): Record<string, unknown> {
  const path = decodePath(request.rawPath);
  const query = queryPairs(request.rawQuery);
  const kept = lowerCased(edgeHeaders(request, false));
  const lines = kept.filter(([name]) => name !== "connection");
  const isBinary = isBinaryBody("http-api-v1", request, names);
  const { body = null, isBase64Encoded } = bodyMembers(request, isBinary);
  return {
    version: "1.0",
    resource: request.route?.resource ?? "$default",
    path,
    httpMethod: request.method,
    headers: lastValues(lines),
    multiValueHeaders: multiValues(lines),
    queryStringParameters: query.length === 0 ? null : lastValues(query),
    multiValueQueryStringParameters: query.length === 0 ? null : multiValues(query),
    requestContext: {
      accountId: names.accountId,
      apiId: names.apiId,
      domainName: apiDomain(names),
      domainPrefix: names.apiId,
      extendedRequestId: gatewayRequestId(request),
      httpMethod: request.method,
      identity: identity(request),
      path,
      protocol: "HTTP/1.1",
      requestId: gatewayRequestId(request),
      requestTime: requestTime(request.receivedAtMs),
      requestTimeEpoch: request.receivedAtMs,
      resourceId: request.route?.key ?? "$default",
      resourcePath: request.route?.resource ?? "$default",
      stage: "$default",
    },
    pathParameters: decodedParameters(request.route) ?? null,
    stageVariables: null,
    body,
    isBase64Encoded,
  };
}

function restPayload(
  kind: "rest" | "api-gateway",
  request: HttpRequest,
  names: GatewayNames,
): Record<string, unknown> {
  const { rawPath, rawQuery, method } = request;
  const query = queryPairs(rawQuery);
  const kept = restCased(edgeHeaders(request, false));
  const lines = kept.filter(([name]) => !/^(connection|content-length)$/i.test(name));
  const isBinary = isBinaryBody(kind, request, names);
  const { body = null, isBase64Encoded } = bodyMembers(request, isBinary);
  const isRoot = rawPath === "/";
  const resource = request.route?.resource ?? (isRoot ? "/" : "/{proxy+}");
  const parameters = request.route?.parameters ?? (isRoot ? {} : { proxy: rawPath.slice(1) });
  return {
    resource,
    path: rawPath,
    httpMethod: method,
    headers: lastValues(lines),
    multiValueHeaders: multiValues(lines),
    queryStringParameters: query.length === 0 ? null : lastValues(query),
    multiValueQueryStringParameters: query.length === 0 ? null : multiValues(query),
    // Percent-encoded, unlike those of an HTTP API.
    pathParameters: Object.keys(parameters).length === 0 ? null : parameters,
    stageVariables: null,
    requestContext: {
      resourceId: "local",
      resourcePath: resource,
      httpMethod: method,
      extendedRequestId: gatewayRequestId(request),
      requestTime: requestTime(request.receivedAtMs),
      path: `/${names.stage}${rawPath}`,
      accountId: names.accountId,
      protocol: "HTTP/1.1",
      stage: names.stage,
      domainPrefix: names.apiId,
      requestTimeEpoch: request.receivedAtMs,
      requestId: request.requestId,
      identity: identity(request),
      domainName: apiDomain(names),
      apiId: names.apiId,
    },
    body,
    isBase64Encoded,
  };
}

function apiDomain({ apiId, region }: GatewayNames): string {
  return `${apiId}.execute-api.${region}.${urlSuffixOf(region)}`;
}

/** Values of the path's variables as HTTP APIs hand them on; nothing when there are none. */
function decodedParameters(route: HttpRequest["route"]): Record<string, string> | undefined {
  const pairs = Object.entries(route?.parameters ?? {});
  if (pairs.length === 0) return undefined;
  return Object.fromEntries(pairs.map(([name, value]) => [name, decodePath(value)]));
}

/**
 * The header lines with what AWS's edge makes of them, all requests of which reach it over TLS: what a
 * sender says of the protocol counts for nothing, and its address is added to those that it names.
 */
function edgeHeaders(request: HttpRequest, isUrl: boolean): HeaderLines {
  const own = isUrl ? URL_HEADERS : GATEWAY_HEADERS;
  const kept = request.headerLines.filter(([name]) => !own.test(name));
  const named = valuesOf(request.headerLines, "x-forwarded-for");
  return [
    ...kept,
    ...(isUrl
      ? ([
          ["x-amzn-tls-cipher-suite", "TLS_AES_128_GCM_SHA256"],
          ["x-amzn-tls-version", "TLSv1.3"],
        ] satisfies [string, string][])
      : []),
    ...(request.headers["x-amzn-trace-id"] === undefined
      ? ([["x-amzn-trace-id", request.traceId]] satisfies [string, string][])
      : []),
    ["x-forwarded-for", [...named, request.sourceIp].join(", ")],
    ["x-forwarded-port", "443"],
    ["x-forwarded-proto", "https"],
  ];
}

/** Headers that are the edge's, whatever the sender says. */
const GATEWAY_HEADERS = /^x-forwarded-(?:for|port|proto)$/i;
const URL_HEADERS = /^x-(?:forwarded-(?:for|port|proto)|amzn-tls-cipher-suite|amzn-tls-version)$/i;

function valuesOf(lines: HeaderLines, wanted: string): readonly string[] {
  return lines.filter(([name]) => name.toLowerCase() === wanted).map(([, value]) => value.trim());
}

function lowerCased(lines: HeaderLines): [string, string][] {
  return lines.map(([name, value]) => [name.toLowerCase(), value]);
}

/** Names as sent, but for those that CloudFront spells its own way. */
function restCased(lines: HeaderLines): [string, string][] {
  return lines.map(([name, value]) => [REST_NAMES.get(name.toLowerCase()) ?? name, value]);
}

const REST_NAMES: ReadonlyMap<string, string> = new Map(
  [
    ...["Authorization", "Host", "User-Agent", "X-Amzn-Trace-Id"],
    ...["X-Forwarded-For", "X-Forwarded-Port", "X-Forwarded-Proto"],
  ].map((name) => [name.toLowerCase(), name]),
);

function cookieList(lines: HeaderLines): string[] {
  return lines
    .filter(([name]) => name.toLowerCase() === "cookie")
    .flatMap(([, value]) => value.split(/;\s*/))
    .filter((cookie) => cookie !== "");
}

/** True when a front end hands the body of a request on as base64. */
export function isBinaryBody(
  kind: GatewayKind,
  { headers, body }: HttpRequest,
  { binaryMediaTypes }: GatewayNames,
): boolean {
  const contentType = headers["content-type"];
  switch (kind) {
    case "function-url":
    case "http-api-v2":
    case "http-api-v1":
      return !isTextType(contentType);
    case "rest":
      return matchesMediaType(contentType, binaryMediaTypes);
    // TriggerMesh had no settings for binary types; what is not UTF-8 would be damaged as text.
    case "api-gateway":
      return !isUtf8(body);
  }
}

function bodyMembers(
  { body }: HttpRequest,
  binary: boolean,
): { readonly body?: string; readonly isBase64Encoded: boolean } {
  if (body.byteLength === 0) return { isBase64Encoded: false };
  const buffer = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  return { body: buffer.toString(binary ? "base64" : "utf8"), isBase64Encoded: binary };
}

function identity(request: HttpRequest): Record<string, string | null> {
  return {
    accessKey: null,
    accountId: null,
    caller: null,
    cognitoAuthenticationProvider: null,
    cognitoAuthenticationType: null,
    cognitoIdentityId: null,
    cognitoIdentityPoolId: null,
    principalOrgId: null,
    sourceIp: request.sourceIp,
    user: null,
    userAgent: request.headers["user-agent"] ?? null,
    userArn: null,
  };
}

/** The short form that API Gateway gives a request, such as `ATfSmjLgPHcESJw=`. */
export function gatewayRequestId({ requestId }: Pick<HttpRequest, "requestId">): string {
  const bytes = Buffer.from(requestId.replaceAll("-", ""), "hex").subarray(0, 11);
  return bytes.toString("base64");
}
