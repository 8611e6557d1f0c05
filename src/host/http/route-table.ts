/**
 * Which function a path belongs to, by routes as API Gateway has them.
 *
 * Not by URLPattern, which has no names such as `{my-id}` and matches a path that it has made its own:
 * `/x/..` is `/` to it, and `"` is `%22`. A gateway hands the path on as it came.
 * @see https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-routes.html
 * @module
 */

/** A route that was written down. */
export interface Route {
  /** `GET /x/{id}`, `ANY /{proxy+}` or `$default`. */
  readonly key: string;
  readonly functionName: string;
}

/** A route that a request has met. */
export interface MatchedRoute extends Route {
  /** The path of the key. */
  readonly resource: string;
  /** Values of the variables in the path, percent-encoded as they came. */
  readonly parameters: Readonly<Record<string, string>>;
}

/** The route of all requests that no other route takes. */
export const DEFAULT_KEY = "$default";

const ROUTE = /^(?:(ANY|GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) +)?(\/[^\s?#]*)$/;

/** A variable of one segment, or, with a plus, of all that are left. */
const VARIABLE = /^\{([A-Za-z0-9._-]+)(\+?)\}$/;

/**
 * Reads `GET /x/{id}=function`; without a method it is any.
 * @returns Nothing when it is not a route.
 */
export function parseRoute(text: string): Route | undefined {
  const at = text.lastIndexOf("=");
  const functionName = text.slice(at + 1).trim();
  const written = text.slice(0, Math.max(at, 0)).trim();
  if (functionName === "") return undefined;
  if (written === DEFAULT_KEY) return { key: written, functionName };
  const [, method = "ANY", path] = ROUTE.exec(written) ?? [];
  if (path === undefined) return undefined;
  const segments = path.slice(1).split("/");
  const names = new Set<string>();
  const isWrong = segments.some((segment, index) => {
    const [, name, plus] = VARIABLE.exec(segment) ?? [];
    if (name === undefined) return /[{}]/.test(segment);
    if (names.has(name)) return true;
    names.add(name);
    return plus === "+" && index < segments.length - 1;
  });
  return isWrong ? undefined : { key: `${method} ${path}`, functionName };
}

/** All routes of a server, the most special first. */
export class RouteTable {
  readonly #routes: readonly Route[];
  readonly #isRest: boolean;

  /** @param isRest Matches as a REST API, for which several slashes are one. */
  constructor(routes: readonly Route[], isRest = false) {
    this.#isRest = isRest;
    this.#routes = routes.toSorted((a, b) => (rank(a.key) < rank(b.key) ? -1 : 1));
  }

  /** The most special route for a request; nothing when none takes it. */
  find(method: string, rawPath: string): MatchedRoute | undefined {
    const path = this.#isRest ? rawPath.replace(/\/{2,}/g, "/") : rawPath;
    for (const route of this.#routes) {
      if (route.key === DEFAULT_KEY) return { ...route, resource: DEFAULT_KEY, parameters: {} };
      const [wanted, resource = "/"] = route.key.split(" ");
      if (wanted !== "ANY" && wanted !== method) continue;
      const parameters = match(resource, path);
      if (parameters !== undefined) return { ...route, resource, parameters };
    }
    return undefined;
  }
}

/** Sorts words before variables, variables before the rest of a path, methods before any. */
function rank(key: string): string {
  if (key === DEFAULT_KEY) return "~";
  const [method, path = ""] = key.split(" ");
  const segments = path.slice(1).split("/");
  const kinds = segments.map((segment) => {
    const variable = VARIABLE.exec(segment);
    if (variable === null) return "0";
    return variable[2] === "+" ? "2" : "1";
  });
  return `${kinds.join("")}${method === "ANY" ? "1" : "0"}`;
}

/** A slash at the end of a path makes no difference, but to what takes the rest of one. */
function match(resource: string, path: string): Record<string, string> | undefined {
  const isGreedy = resource.endsWith("+}");
  const wanted = resource.slice(1).replace(/\/$/, "").split("/");
  const given = (isGreedy ? path.slice(1) : path.slice(1).replace(/\/$/, "")).split("/");
  const parameters: Record<string, string> = {};
  for (const [index, segment] of wanted.entries()) {
    const [, name, plus] = VARIABLE.exec(segment) ?? [];
    const value = plus === "+" ? given.slice(index).join("/") : given[index];
    if (name === undefined ? value !== segment : value === undefined || value === "") {
      return undefined;
    }
    if (name !== undefined && value !== undefined) parameters[name] = value;
    if (plus === "+") return parameters;
  }
  return wanted.length === given.length ? parameters : undefined;
}
