/**
 * `lambda-shell test`: the tests of a function's folder, through its real runtime.
 *
 * @module
 */

import { writeFileSync } from "node:fs";
import { basename, dirname, relative, resolve } from "node:path";
import { styleText } from "node:util";

import { type Command, Option } from "commander";

import { sayHints } from "../commands/check.ts";
import { endWithOutput, onInterrupt, reportFailure } from "../commands/cli/ending.ts";
import { CommandError, EXIT } from "../commands/cli/exit-status.ts";
import { requireFolder, unreadable, writtenBefore } from "../commands/cli/input.ts";
import { splitFolders } from "../commands/cli/options.ts";
import { pathWord } from "../commands/cli/suggest.ts";
import { say } from "../commands/cli/terminal.ts";
import { functionHandler } from "../commands/function/handler.ts";
import {
  addFunctionOptions,
  type FunctionOptions,
  functionSettings,
  insteadOfFolder,
} from "../commands/function/options.ts";
import type { FunctionSettings } from "../host/invocation/settings.ts";
import { isOwnLog, rememberOutput } from "../own-log.ts";
import { traceFunction } from "../trace/traced-function.ts";
import { recordResult } from "./record.ts";
import { type Colour, type Report, report, REPORT_FORMS, type ReportForm } from "./reports.ts";
import { runTests, type TestResult, type TestRun } from "./run-tests.ts";
import { EVENTS_FOLDER, type FunctionTest, readSuite, TESTS_FOLDER } from "./suite.ts";
import { watchFolders } from "./watch.ts";

interface TestOptions extends FunctionOptions {
  readonly filter?: string;
  readonly reporter: ReportForm;
  readonly output?: string;
  readonly update?: boolean;
  readonly coverage?: boolean;
  readonly tail?: boolean;
  readonly watch?: boolean;
}

const HELP = `
A test is a file in tests/ (or an element of a list in it):

  {
    "name": "greets in Italian",
    "event": {"name": "Ada"},
    "env": {"GREETING": "Ciao"},
    "expect": {"response": {"message": "Ciao, Ada!"}}
  }

event    any JSON; or eventFile: "../events/ada.json"; or example: "sqs-event"
         (both with set: ["Records.0.body=hi"])
env, handler, timeout, headers   for this test alone
expect   response: equal as JSON        responseContains: these members
         responseText, responseBase64: byte for byte
         responseMatches, errorMatches: a regular expression
         error: {"errorType": …, "errorMessage": …}    logContains: a string

An event in events/ that no test names is a test that expects nothing yet:
--update writes what comes back into tests/.

Exit statuses: 0 all passed, 1 some failed, 2 malformed tests or none.`;

/** Adds the command to the program. */
export function addTestCommand(program: Command): void {
  const command = program
    .command("test")
    .summary("run the tests of a function")
    .description(
      "Run each test in tests/ and each event in events/ through the function, with its\n" +
        "real runtime, and compare what comes back.",
    )
    .argument("[dir...]", "folders of functions (default: .)")
    .option("--filter <text>", "only tests with this in their name; /…/ is a pattern")
    .addOption(
      new Option("--reporter <form>", "form of the report").choices(REPORT_FORMS).default("pretty"),
    )
    .option("-o, --output <file>", "write the report to a file, and print the pretty one")
    .option("-u, --update", "write what comes back into the tests that do not pass")
    .option("--coverage", "say which lines of the shell code were run")
    .option("--watch", "run them again after each change")
    .option("--tail", "print the function's log of tests that pass, too");
  addFunctionOptions(command)
    .addHelpText("after", HELP)
    .action(async (_folders: string[], options: TestOptions) => {
      const { directories, bootstrap } = splitFolders(command);
      process.exitCode = await test(directories, bootstrap, options);
    });
}

/** Names that are shown to somebody whose filter leaves none. */
const NAMES_MAX = 20;

/** A folder with its tests, and how its function is run. */
interface Suite {
  readonly directory: string;
  readonly settings: FunctionSettings;
  readonly tests: readonly FunctionTest[];
}

async function test(
  directories: readonly string[],
  bootstrap: readonly string[],
  options: TestOptions,
): Promise<number> {
  const active: ActiveRun = { run: undefined };
  const signal = Promise.withResolvers<void>();
  const interrupted = onInterrupt(() => {
    active.run?.kill();
    signal.resolve();
  });
  endWithOutput(() => active.run?.kill());
  const once = async () => {
    const status = await runSuites(readSuites(directories, bootstrap, options), options, active);
    return interrupted() ?? status;
  };
  if (options.watch !== true) return once();
  rememberOutput();
  const report = options.output === undefined ? undefined : resolve(options.output);
  const isOwn = (path: string) => resolve(path) === report || isOwnLog(path);
  const folders = await watchFolders(directories, isOwn, (path) => {
    const shown = relative(process.cwd(), path) || ".";
    say("warning", `${shown} is written by the tests themselves: they do not run again for that`);
  });
  while (interrupted() === undefined) {
    // As of any command, but it goes on.
    await once().catch(reportFailure);
    if (interrupted() !== undefined) break;
    const changed = folders.changed(() => say("info", "\nwaiting for changes, Ctrl-C to end"));
    await Promise.race([changed, signal.promise]);
  }
  await folders.close();
  return interrupted() ?? EXIT.ok;
}

/** What a file that stands where a function's folder must is probably meant as. */
function oneTestFix(file: string): string {
  const words = "\n  one test of a folder is chosen with --filter";
  const folder = dirname(dirname(file));
  const isTest = [TESTS_FOLDER, EVENTS_FOLDER].includes(basename(dirname(file)));
  return isTest
    ? `${words}: lambda-shell test ${folder === "." ? "" : `${pathWord(folder)} `}--filter ${pathWord(basename(file))}`
    : words;
}

/** What a signal has to end. */
interface ActiveRun {
  run: TestRun | undefined;
}

async function readSuites(
  directories: readonly string[],
  bootstrap: readonly string[],
  options: TestOptions,
): Promise<readonly Suite[]> {
  const suites: Suite[] = [];
  for (const directory of directories) {
    requireFolder(directory, directory, insteadOfFolder(directory, oneTestFix(directory)));
    const tests = await readSuite(directory);
    suites.push({ directory, settings: functionSettings(directory, bootstrap, options), tests });
  }
  return chosenSuites(suites, options.filter);
}

async function runSuites(
  reading: Promise<readonly Suite[]>,
  options: TestOptions,
  active: ActiveRun,
): Promise<number> {
  const suites = await reading;
  const output = reportOutput(options);
  const startedAtMs = performance.now();
  let failed = 0;
  output.begin(suites.reduce((sum, { tests }) => sum + tests.length, 0));
  const measured: string[] = [];
  for (const { directory, settings, tests } of suites) {
    await sayHints(settings);
    const coverage = options.coverage === true ? await measure(settings, tests) : undefined;
    try {
      active.run = runTests(tests, {
        settings: coverage?.settings ?? settings,
        workers: settings.environments,
        onResult: (raw) => {
          const result = options.update === true ? recordResult(raw, directory) : raw;
          if (!result.passed) failed += 1;
          output.add(result);
        },
      });
      // Broken off by a signal, whose status counts: what there is of a report is none.
      if ((await active.run.ended) === "killed") return EXIT.functionError;
    } finally {
      const text = await coverage?.end(directory);
      if (text !== undefined) measured.push(text);
    }
  }
  output.end(performance.now() - startedAtMs);
  // Not a part of a report that a program reads.
  const people = options.reporter === "pretty" || options.output !== undefined;
  for (const text of measured) (people ? process.stdout : process.stderr).write(`\n${text}`);
  return failed === 0 ? EXIT.ok : EXIT.functionError;
}

/** Has the function run with its trace on. */
async function measure(
  settings: FunctionSettings,
  tests: readonly FunctionTest[],
): Promise<{
  readonly settings: FunctionSettings;
  /** What was measured, in words, once the function has ended. */
  readonly end: (folder: string) => Promise<string>;
}> {
  // With it comes a parser of shell scripts, which nothing else needs.
  const { Coverage, coverageText } = await import("../trace/coverage.ts");
  const coverage = await Coverage.of(settings.directory);
  const names = new Set(tests.map(({ handler }) => handler ?? settings.handler));
  const handlers = [...names].map((name) => functionHandler(settings.directory, name));
  const traced = traceFunction(settings.directory, handlers, (record) => coverage.add(record));
  coverage.begin(traced);
  return {
    settings: { ...settings, directory: traced.directory },
    end: async (folder) => {
      await traced.end();
      const asSh = traced.scripts.flatMap(({ path, shell }) => (shell === "sh" ? [path] : []));
      return coverageText(coverage.files, folder, [
        ...traced.untraceable.map((reason) => `not measured: ${reason}`),
        ...asSh.map((path) => `${path} was run by bash as sh, as on Lambda`),
      ]);
    },
  };
}

/** The suites with the tests that the filter leaves. */
function chosenSuites(suites: readonly Suite[], filter: string | undefined): readonly Suite[] {
  if (filter === undefined) return suites;
  const matches = matcher(filter);
  const chosen = suites
    .map((suite) => ({ ...suite, tests: suite.tests.filter(({ id }) => matches(id)) }))
    .filter(({ tests }) => tests.length > 0);
  if (chosen.length > 0) return chosen;
  const all = suites.flatMap(({ tests }) => tests.map(({ id }) => `    ${id}`));
  const names = all.length > NAMES_MAX ? [...all.slice(0, NAMES_MAX), "    …"] : all;
  throw new CommandError(`--filter ${filter}: no test has it in its name\n${names.join("\n")}`);
}

function matcher(filter: string): (name: string) => boolean {
  const [, source] = /^\/(.+)\/$/s.exec(filter) ?? [];
  if (source === undefined) return (name) => name.includes(filter);
  try {
    const pattern = new RegExp(source);
    return (name) => pattern.test(name);
  } catch (error) {
    throw new CommandError(`--filter ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** Where the results go: standard output, and the file that was asked for. */
interface ReportOutput {
  readonly begin: (count: number) => void;
  readonly add: (result: TestResult) => void;
  readonly end: (elapsedMs: number) => void;
}

/** How a report of whatever form begins. */
const REPORT_START = /^(?:<\?xml|TAP version|ok {4}|FAIL {2}|wrote |\n\d+ passed)/;

/** @throws {CommandError} When the file cannot be written: before anything is run. */
function reportOutput({ reporter, output, tail = false }: TestOptions): ReportOutput {
  const onTerminal = (colour: Colour, text: string) =>
    styleText(colour, text, { stream: process.stdout });
  const shown = report(output === undefined ? reporter : "pretty", {
    withLog: tail,
    coloured: onTerminal,
  });
  const filed = report(reporter, { withLog: tail, coloured: (_colour, text) => text });
  if (output !== undefined) writtenBefore(output, "--output", "report of tests", REPORT_START);
  let text = "";
  const write = () => {
    if (output === undefined) return;
    try {
      writeFileSync(output, text);
    } catch (error) {
      throw unreadable(`--output ${output}`, error);
    }
  };
  write();
  const tell = (take: (each: Report) => string) => {
    process.stdout.write(take(shown));
    if (output !== undefined) text += take(filed);
  };
  return {
    begin: (count) => tell((each) => each.begin(count)),
    add: (result) => tell((each) => each.add(result)),
    end: (elapsedMs) => {
      tell((each) => each.end(elapsedMs));
      write();
    },
  };
}
