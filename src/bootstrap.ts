/**
 * The entry of the runtime: from the environment to the invoke loop, or to the reason why not.
 *
 * @module
 */

import { resolveHandler } from "./handler/resolve.ts";
import { DeadlineGuard } from "./runtime/deadline-guard.ts";
import {
  type Environment,
  handlerEnvironment,
  type InheritedEnvironment,
  inheritedEnvironment,
  readEnvironment,
  variableText,
} from "./runtime/environment.ts";
import { handlerFiles } from "./runtime/handler-files.ts";
import { InvokeLoop } from "./runtime/invoke-loop.ts";
import { lazy } from "./runtime/lazy.ts";
import { Log } from "./runtime/log.ts";
import { Loop } from "./runtime/loop.ts";
import { Poller } from "./runtime/poller.ts";
import { becomeSubreaper } from "./runtime/process.ts";
import { RuntimeApiClient } from "./runtime/runtime-api-client.ts";
import { InitFailure, ShellHandler } from "./runtime/shell-handler.ts";
import { Supervisor } from "./runtime/supervisor.ts";
import { endOnTermination } from "./runtime/termination.ts";

/** How long after its deadline an event is ended where the platform does so itself, in milliseconds. */
const DEADLINE_GRACE_MS = 500;

function run(inherited: InheritedEnvironment, environment: Environment, log: Log): never {
  const { handler: name, taskRoot, runtimeApi, concurrency } = environment;
  if (runtimeApi === "") throw new Error("AWS_LAMBDA_RUNTIME_API is not set");
  const poller = new Poller();
  const loop = concurrency > 1 ? Loop.from(process.argv.slice(2)) : undefined;
  const client = lazy(() => new RuntimeApiClient(runtimeApi, poller, log, taskRoot, loop?.slot));
  if (loop === undefined && concurrency > 1) {
    const options = { count: concurrency, environment: inherited.entries, client };
    return new Supervisor(options, poller, log).run();
  }

  let shell: ShellHandler | undefined;
  endOnTermination(poller, () => shell);
  loop?.endWithSupervisor();
  try {
    const variables = handlerEnvironment(inherited);
    const files = handlerFiles(() => variableText(variables, "PATH"));
    const handler = resolveHandler(name, taskRoot, files);
    if (handler.kind === "rejected") throw new InitFailure({ ...handler, stackTrace: [] });
    shell = new ShellHandler({ handler, taskRoot, environment: variables }, poller, log);
    // The shell takes about as long to load as all this does: both at once.
    becomeSubreaper();
    client().prepare();
    shell.load();
    loop?.tellLoaded();
    const graceMs = environment.endsEvents ? 0 : DEADLINE_GRACE_MS;
    return new InvokeLoop(client(), shell, new DeadlineGuard(graceMs, poller, log), log).run();
  } catch (error) {
    // All loops load the same file: the first one speaks for all, and no other starts before it has.
    if (error instanceof InitFailure && loop?.isFirst !== false) {
      client().reportInitError(error.error);
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
