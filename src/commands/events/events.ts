/**
 * `lambda-shell events`: the example events, by name or in full.
 *
 * @module
 */

import type { Command } from "commander";

import { CommandError, EXIT } from "../cli/exit-status.ts";
import { collected } from "../cli/options.ts";
import { setMembers } from "./event-member.ts";

interface EventsOptions {
  readonly set?: readonly string[];
}

/** Adds the command to the program. */
export function addEventsCommand(program: Command): void {
  program
    .command("events")
    .summary("list or show example events of AWS services")
    .description(
      "Example events of AWS services, for a file or for invoke --example:\n" +
        "  lambda-shell events                list their names\n" +
        "  lambda-shell events list s3        list the names with s3 in them\n" +
        "  lambda-shell events show sqs-event > event.json\n" +
        "  lambda-shell events sqs-event --set Records.0.body=hi",
    )
    .argument("[list|show|name]", "what to do, or the event to show", "list")
    .argument("[name]", "the event to show, or a part of the names to list")
    .addOption(setOption())
    .action(async (verb: string, name: string | undefined, options: EventsOptions) => {
      process.exitCode = await events(verb, name, options.set ?? []);
    });
}

/** The option `--set` of every command that has an event. */
export function setOption() {
  return collected("--set <path=value>", "change the event, as in Records.0.body=hi");
}

async function events(
  verb: string,
  name: string | undefined,
  assignments: readonly string[],
): Promise<number> {
  if (verb === "list") return list(name, assignments);
  if (verb !== "show" && name !== undefined) {
    throw new CommandError(`one event at a time: lambda-shell events show ${verb}`);
  }
  const shown = verb === "show" ? name : verb;
  if (shown === undefined) {
    throw new CommandError("which event? list them with: lambda-shell events");
  }
  const { exampleEvent } = await import("./examples.ts");
  const text = exampleEvent(shown);
  if (assignments.length === 0) {
    process.stdout.write(text.endsWith("\n") ? text : `${text}\n`);
  } else {
    process.stdout.write(setMembers(Buffer.from(text), assignments));
    process.stdout.write("\n");
  }
  return EXIT.ok;
}

async function list(part: string | undefined, assignments: readonly string[]): Promise<number> {
  if (assignments.length > 0) {
    throw new CommandError("--set needs an event: lambda-shell events show NAME --set path=value");
  }
  const { exampleNames } = await import("./examples.ts");
  const names = exampleNames().filter((name) => name.includes(part?.toLowerCase() ?? ""));
  if (names.length === 0) {
    throw new CommandError(
      `no example event has "${part}" in its name\n  list all with: lambda-shell events`,
    );
  }
  process.stdout.write(`${names.join("\n")}\n`);
  return EXIT.ok;
}
