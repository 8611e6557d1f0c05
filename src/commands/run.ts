/**
 * `lambda-shell run`: events from standard input, responses to standard output, logs to standard
 * error.
 *
 * @module
 */

import { createHash } from "node:crypto";

import { type Command, Option } from "commander";

import {
  type FramedEvent,
  framedEvents,
  type Framing,
  FRAMINGS,
  runEvents,
  type StdioOptions,
} from "../host/front/stdio.ts";
import { FunctionPool } from "../host/function/function-pool.ts";
import type { FunctionSettings } from "../host/invocation/settings.ts";
import { sayHints } from "./check.ts";
import { endWithOutput, onInterrupt } from "./cli/ending.ts";
import { CommandError, EXIT, outcomeStatus } from "./cli/exit-status.ts";
import { readInputFile, standardInput } from "./cli/input.ts";
import { splitCommand } from "./cli/options.ts";
import { shellWord } from "./cli/suggest.ts";
import { logOut, say, written } from "./cli/terminal.ts";
import * as compat from "./compat.ts";
import { errorSummary, outputWarning } from "./function/error-summary.ts";
import {
  addFunctionOptions,
  type FunctionOptions,
  functionSettings,
  type SettingsDefaults,
} from "./function/options.ts";

/** What `run --compat` does as another runner does it. */
interface RunnerCompat {
  readonly format: NonNullable<StdioOptions["format"]>;
  /** Reads the definition of a function, or what counts without one. */
  readonly readFunction: (
    json: string | undefined,
    variables: Readonly<Record<string, string | undefined>>,
  ) =>
    | {
        readonly kind: "valid";
        /** Whether it says anything. */
        readonly isDefinition: boolean;
        readonly defaults: SettingsDefaults;
        readonly apply: (settings: FunctionSettings) => FunctionSettings;
      }
    | {
        readonly kind: "invalid";
        /** With the place in the definition, to stand after the file's name. */
        readonly message: string;
      };
}

const COMPAT: Readonly<Record<string, { readonly run?: RunnerCompat; readonly serve?: unknown }>> =
  compat;

/** Names of the runners. */
const RUNNERS = Object.keys(COMPAT).filter((name) => COMPAT[name]?.run !== undefined);

interface RunOptions extends FunctionOptions {
  readonly envelope: string;
  readonly requestId?: "random" | "md5";
  readonly framing: Framing;
  readonly eventFile?: string;
  readonly function?: string;
  readonly skipInvalid?: boolean;
  readonly unordered?: boolean;
  readonly defaultEvent: boolean;
  readonly fail: boolean;
}

/** Adds the command to the program. */
export function addRunCommand(program: Command): void {
  const command = program
    .command("run")
    .summary("events from standard input, responses to standard output")
    .description(
      "Run events from standard input through a function, one response line each;\n" +
        "the function's log goes to standard error. -- CMD runs any other custom runtime.",
    )
    .argument("[dir]", "folder of the function", ".")
    .argument("[command...]", "bootstrap command, after --")
    .option("--event-file <file>", "one event from a file instead of standard input")
    .addOption(
      new Option("--framing <how>", "how events are told apart").choices(FRAMINGS).default("auto"),
    )
    .addOption(
      new Option("--envelope <form>", "refunc: {payload,error,ContentType} per line")
        .choices(["none", ...RUNNERS])
        .default("none"),
    )
    .addOption(
      new Option("--compat <host>", "refunc: its envelope, ids, variables and errors")
        .choices(RUNNERS)
        .implies({ envelope: "refunc" }),
    )
    .option("-f, --function <file>", "refunc's JSON definition of the function")
    .addOption(
      new Option("--request-id <how>", "random, or md5 of the event").choices(["random", "md5"]),
    )
    .option("--skip-invalid", "exit 0 although lines are not JSON; the others run anyway")
    .option("--unordered", "print responses as they come (with --workers)")
    .option("--no-default-event", "run nothing when standard input is empty")
    .option("--no-fail", "exit 0 on function errors");
  addFunctionOptions(command).action(
    async (_dir: string, _command: string[], options: RunOptions) => {
      const { directory, bootstrap } = splitCommand(command);
      process.exitCode = await run(directory, bootstrap, options);
    },
  );
}

async function run(
  directory: string,
  bootstrap: readonly string[],
  options: RunOptions,
): Promise<number> {
  const runner = COMPAT[options.envelope]?.run;
  const settings = runSettings(directory, bootstrap, options);
  // A file may be a pipe, which is waited for: until then a signal ends the process as any other.
  const events = withDefault(inputEvents(options), options.defaultEvent);
  const pool = new FunctionPool(settings, { onLog: logOut });
  const stopped = Promise.withResolvers<undefined>();
  const interrupted = onInterrupt(() => {
    pool.kill();
    stopped.resolve(undefined);
  });
  const unlessStopped = (say: () => void) => {
    if (interrupted() === undefined) say();
  };
  endWithOutput(() => pool.kill());
  const idForm = options.requestId ?? (runner === undefined ? "random" : "md5");
  pool.start();
  const saidHints = sayHints(settings);
  const allRun = runEvents(pool, events, {
    ...(runner === undefined ? {} : { format: runner.format }),
    ...(idForm === "md5" ? { requestId: md5 } : {}),
    skipInvalid: options.skipInvalid ?? runner !== undefined,
    unordered: options.unordered ?? false,
    parallel: settings.environments * settings.concurrency,
    write: (bytes) => written(process.stdout, bytes),
    complain: (message) => unlessStopped(() => say("error", `${message}`)),
    onResponse: (body) => {
      const warning = outputWarning(body);
      if (warning !== undefined) unlessStopped(() => say("warning", warning));
    },
    onFunctionError: (outcome) =>
      unlessStopped(() => say("error", errorSummary(outcome, pool.settings))),
  });
  const result = await Promise.race([allRun, stopped.promise]).finally(() => pool.stop());
  // Standard input may never end, so a signal does not wait for it.
  if (result === undefined) return process.exit(interrupted());
  await saidHints;
  const statuses = [...result.outcomes].map(outcomeStatus);
  const worst = options.fail ? Math.max(EXIT.ok, ...statuses) : EXIT.ok;
  return result.invalid > 0 ? Math.max(worst, EXIT.functionError) : worst;
}

function runSettings(
  directory: string,
  bootstrap: readonly string[],
  options: RunOptions,
): FunctionSettings {
  const { envelope, function: file } = options;
  const runner = COMPAT[envelope]?.run ?? (file === undefined ? undefined : COMPAT["refunc"]?.run);
  if (runner === undefined) return functionSettings(directory, bootstrap, options);
  const json = file === undefined ? undefined : readInputFile(file, "--function").toString("utf8");
  const read = runner.readFunction(json, process.env);
  if (read.kind === "invalid") throw new CommandError(`--function ${file}${read.message}`);
  // Other commands know an event's file by this letter.
  if (file !== undefined && COMPAT[envelope]?.run === undefined && !read.isDefinition) {
    throw new CommandError(
      `--function ${file}: it is not refunc's definition of a function: neither metadata nor spec is in it\n` +
        `  an event from a file: --event-file ${shellWord(file)}`,
    );
  }
  return read.apply(functionSettings(directory, bootstrap, options, read.defaults));
}

function inputEvents(options: RunOptions): AsyncIterable<FramedEvent> {
  if (options.eventFile !== undefined) {
    if (options.framing !== "auto") {
      throw new CommandError(
        "--event-file and --framing exclude each other: the file is one event",
      );
    }
    return framedEvents(chunksOf(readInputFile(options.eventFile, "--event-file")), "nul");
  }
  if (process.stdin.isTTY) say("info", "reading events from the terminal, Ctrl-D to end");
  return framedEvents(standardInput(), options.framing);
}

async function* chunksOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

/** Nothing on standard input is the event `{}`, but not at a terminal. */
async function* withDefault(
  events: AsyncIterable<FramedEvent>,
  wanted: boolean,
): AsyncGenerator<FramedEvent> {
  let any = false;
  for await (const event of events) {
    any = true;
    yield event;
  }
  if (!any && wanted && !process.stdin.isTTY) {
    yield { kind: "event", line: 1, bytes: Buffer.from("{}") };
  }
}

function md5(bytes: Uint8Array): string {
  return createHash("md5").update(bytes).digest("hex");
}
