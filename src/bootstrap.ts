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
import type { HttpAddress } from "./runtime/http-connection.ts";
import { InvokeLoop } from "./runtime/invoke-loop.ts";
import { lazy } from "./runtime/lazy.ts";
import { Log } from "./runtime/log.ts";
import { Loop } from "./runtime/loop.ts";
import { Poller } from "./runtime/poller.ts";
import { becomeSubreaper, noticeEndedChildren, reap, unblockSignals } from "./runtime/process.ts";
import { runtimeApiAddress } from "./runtime/runtime-api-address.ts";
import { RuntimeApiClient, RuntimeApiError } from "./runtime/runtime-api-client.ts";
import { InitFailure, ShellHandler, SNAPSHOT_HOOKS } from "./runtime/shell-handler.ts";
import { Supervisor } from "./runtime/supervisor.ts";
import { endOnTermination } from "./runtime/termination.ts";

/** How long after its deadline an event is ended where the platform does so itself, in milliseconds. */
const DEADLINE_GRACE_MS = 500;

function run(inherited: InheritedEnvironment, environment: Environment, log: Log): never {
  const { taskRoot, concurrency } = environment;
  const address = runtimeApiAddress(environment.runtimeApi);
  const poller = new Poller(reap);
  const loop = concurrency > 1 ? Loop.from(process.argv.slice(2)) : undefined;
  const handler = environment.handler || handlerArgument(loop);
  if (loop !== undefined) log.shareBy(loop.board);
  const client = lazy(() => new RuntimeApiClient(address, poller, log, taskRoot, loop));
  const parts = { inherited, environment, handler, address, log, poller, client };
  try {
    return concurrency > 1 && loop === undefined ? supervise(parts) : serve(parts, loop);
  } catch (error) {
    // All loops load the same file: the first one speaks for all, and no other starts before it has.
    if (error instanceof InitFailure && loop?.isFirst !== false) {
      client().reportInitError(error.error);
    }
    throw error;
  }
}

/**
 * The handler's name as an argument, which AWS's runtime clients in container images take, too; empty
 * if there is none.
 */
function handlerArgument(loop: Loop | undefined): string {
  return process.argv.slice(2).at(loop === undefined ? 0 : Loop.argumentCount) ?? "";
}

/** What both a supervisor and a loop are made of. */
interface Parts {
  readonly inherited: InheritedEnvironment;
  readonly environment: Environment;
  /** The handler's name. */
  readonly handler: string;
  readonly address: HttpAddress;
  readonly log: Log;
  readonly poller: Poller;
  readonly client: () => RuntimeApiClient;
}

/** Handles several events at once, in processes of their own. */
function supervise(parts: Parts): never {
  const { inherited, environment, handler, address, log, poller, client } = parts;
  const options = {
    count: environment.concurrency,
    environment: inherited.entries,
    handler,
    address,
    client,
  };
  const supervisor = new Supervisor(options, poller, log);
  // A combination that the platform does not have; but each of the loops would ask for a restore.
  if (environment.isSnapshot) waitForRestore(client());
  return supervisor.run();
}

/** Handles events one after the other. */
function serve(parts: Parts, loop: Loop | undefined): never {
  const { inherited, environment, handler: name, log, poller, client } = parts;
  const { taskRoot } = environment;
  let shell: ShellHandler | undefined;
  endOnTermination(poller, () => shell);
  noticeEndedChildren();
  loop?.endWithSupervisor();
  const variables = handlerEnvironment(inherited);
  const files = handlerFiles(() => variableText(variables, "PATH"));
  const handler = resolveHandler(name, taskRoot, files);
  if (handler.kind === "rejected") throw new InitFailure({ ...handler, stackTrace: [] });
  becomeSubreaper();
  const isSnapshot = environment.isSnapshot && loop === undefined;
  const hooks = isSnapshot ? SNAPSHOT_HOOKS : [];
  shell = new ShellHandler({ handler, taskRoot, environment: variables, hooks }, poller, log);
  // The shell takes about as long to load as all this does: both at once.
  unblockSignals();
  client().prepare();
  shell.load();
  loop?.tellLoaded();
  if (isSnapshot) {
    shell.runHook();
    waitForRestore(client());
    shell.runHook();
  }
  const graceMs = environment.endsEvents ? 0 : DEADLINE_GRACE_MS;
  return new InvokeLoop(client(), shell, new DeadlineGuard(graceMs, poller, log), log).run();
}

/**
 * Lets the platform take its snapshot, and comes back after a restore.
 * @throws {InitFailure} When the platform refuses.
 */
function waitForRestore(client: RuntimeApiClient): void {
  try {
    client.waitForRestore();
  } catch (error) {
    if (!(error instanceof RuntimeApiError)) throw error;
    const errorType = "Runtime.InitError";
    throw new InitFailure({ errorType, errorMessage: error.message, stackTrace: [] });
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
