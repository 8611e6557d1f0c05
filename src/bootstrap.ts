/**
 * The entry of the runtime: from the environment to the invoke loop, or to the reason why not.
 *
 * @module
 */

import { resolveHandler } from "./handler/resolve.ts";
import {
  placeAmongLoops,
  superviseLoops,
  tellLoaded,
  waitForFirstLoop,
} from "./runtime/concurrency.ts";
import {
  type Environment,
  handlerEnvironment,
  type InheritedEnvironment,
  inheritedEnvironment,
  readEnvironment,
  variableText,
} from "./runtime/environment.ts";
import { handlerFiles } from "./runtime/handler-files.ts";
import { runInvokeLoop } from "./runtime/invoke-loop.ts";
import { lazy } from "./runtime/lazy.ts";
import { Log } from "./runtime/log.ts";
import { Poller } from "./runtime/poller.ts";
import { becomeSubreaper, endWithParent } from "./runtime/process.ts";
import { RuntimeApiClient } from "./runtime/runtime-api-client.ts";
import { InitFailure, ShellHandler } from "./runtime/shell-handler.ts";
import { endOnTermination } from "./runtime/termination.ts";

function run(inherited: InheritedEnvironment, environment: Environment, log: Log): never {
  const { handler: name, taskRoot, runtimeApi, concurrency } = environment;
  if (runtimeApi === "") throw new Error("AWS_LAMBDA_RUNTIME_API is not set");
  const poller = new Poller();
  const place = concurrency > 1 ? placeAmongLoops() : undefined;
  if (place === undefined && concurrency > 1)
    superviseLoops(concurrency, inherited.entries, poller);

  let shell: ShellHandler | undefined;
  endOnTermination(poller, () => shell);
  if (place !== undefined) endWithParent();
  const client = lazy(() => new RuntimeApiClient(runtimeApi, poller, log, taskRoot));
  try {
    const variables = handlerEnvironment(inherited);
    const files = handlerFiles(() => variableText(variables, "PATH"));
    const handler = resolveHandler(name, taskRoot, files);
    if (handler.kind === "rejected") throw new InitFailure({ ...handler, stackTrace: [] });
    becomeSubreaper();
    shell = new ShellHandler({ handler, taskRoot, environment: variables }, poller, log);
    // The shell takes about as long to load as this does: both at once.
    client().prepare();
    shell.load();
    if (place === "first") tellLoaded();
    return runInvokeLoop(client(), shell, log);
  } catch (error) {
    if (error instanceof InitFailure) {
      // All loops load the same file: the first one speaks for all, and takes them along.
      if (place === "later") waitForFirstLoop(poller);
      else client().reportInitError(error.error);
    }
    throw error;
  }
}

function fail(error: unknown, log: Log): never {
  log.write("FATAL", error instanceof Error ? error.message : String(error));
  process.exit(1);
}

const inherited = inheritedEnvironment();
const environment = readEnvironment(inherited);
const log = new Log(environment.log);
try {
  run(inherited, environment, log);
} catch (error) {
  fail(error, log);
}
