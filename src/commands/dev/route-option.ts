/**
 * `--route 'GET /x/{id}=function'`: paths of `dev` that lead to its functions.
 *
 * @module
 */

import type { ServeFormat } from "../../host/front/select.ts";
import { type HttpReply, jsonReply } from "../../host/http/message.ts";
import { parseRoute, type Route, RouteTable } from "../../host/http/route-table.ts";
import { CommandError } from "../cli/exit-status.ts";
import { available } from "../cli/suggest.ts";

/**
 * Reads the routes.
 * @param names Functions that are served.
 * @throws {CommandError} When one is no route, is there twice, or leads nowhere.
 */
export function routeTable(texts: readonly string[], names: readonly string[]): RouteTable {
  const routes = new Map<string, Route>();
  for (const text of texts) {
    const route = parseRoute(text);
    if (route === undefined) {
      throw new CommandError(
        `--route ${text}: no route\n  write it as --route 'GET /x/{id}=function'`,
      );
    }
    if (routes.has(route.key)) throw new CommandError(`--route ${route.key}: is there twice`);
    if (!names.includes(route.functionName)) {
      const hint = available(route.functionName, names);
      throw new CommandError(
        `--route ${text}: function "${route.functionName}" not found\n${hint}`,
      );
    }
    routes.set(route.key, route);
  }
  return new RouteTable([...routes.values()]);
}

/** What a gateway says to a path that it does not know. */
export function unroutedReply(format: ServeFormat): HttpReply {
  if (format !== "rest") return jsonReply(404, { message: "Not Found" });
  return jsonReply(403, { message: "Missing Authentication Token" }, [
    ["x-amzn-ErrorType", "MissingAuthenticationTokenException"],
  ]);
}
