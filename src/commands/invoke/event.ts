/**
 * The event of `invoke`: typed, from a file or the examples, or made of a request or attributes.
 *
 * @module
 */

import type { Command } from "commander";

import { CommandError } from "../cli/exit-status.ts";
import { readInputFile, wholeStandardInput } from "../cli/input.ts";
import { setOption } from "../events/events.ts";
import { collected } from "../function/options.ts";
import { cloudEvent } from "./ce-option.ts";
import { setMembers } from "./event-member.ts";
import { functionUrlEvent } from "./http-option.ts";
import { payloadComplaint } from "./payload.ts";

/** Options that say what the event is. */
export interface EventOptions {
  readonly data?: string;
  readonly file?: string;
  readonly example?: string;
  readonly set?: readonly string[];
  readonly http?: string;
  readonly header?: readonly string[];
  readonly ce?: readonly string[];
  readonly region?: string;
}

/** Adds those options. */
export function addEventOptions(command: Command): Command {
  return command
    .option("-d, --data <json>", "event; @FILE reads a file, @- or - standard input")
    .option("-f, --file <file>", "event from a file")
    .option("-e, --example <name>", "event of an AWS service; lambda-shell events lists them")
    .addOption(setOption())
    .option("--http <request>", "event of a Function URL: 'POST /path?q=1'; -d is its body")
    .addOption(collected("-H, --header <name: value>", "header of --http"))
    .option("--ce <name=value...>", "structured CloudEvent: type=T source=S; -d is its data");
}

/** Bytes of an event, and how a complaint names them. */
interface EventText {
  readonly bytes: Uint8Array;
  readonly source: string;
}

/**
 * Makes the event; `{}` when nothing is said.
 * @throws {CommandError} When it is no JSON or the options contradict each other, with the fix.
 */
export async function invokeEvent(options: EventOptions): Promise<Uint8Array<ArrayBuffer>> {
  const { http, header, ce, set = [], region } = options;
  if (http !== undefined && ce !== undefined) throw excluding("--http", "--ce");
  if (http === undefined && header !== undefined) {
    throw new CommandError("-H needs a request: --http 'POST /path'");
  }
  const text = await eventText(options);
  return new Uint8Array(setMembers(made(), set));

  function made(): Uint8Array {
    if (http !== undefined) return functionUrlEvent(http, header ?? [], text?.bytes, region);
    if (ce !== undefined) return cloudEvent(ce, text?.bytes);
    if (text === undefined) return Buffer.from("{}");
    const complaint = payloadComplaint(text.bytes, text.source);
    // What comes through a pipe may be anything, as with the aws command.
    if (complaint !== undefined && text.source !== STDIN) throw new CommandError(complaint);
    return text.bytes;
  }
}

const STDIN = "standard input";

/** What was typed, read or chosen; nothing when nothing was. */
async function eventText(options: EventOptions): Promise<EventText | undefined> {
  const { data, file, example } = options;
  const given = [
    ...(data === undefined ? [] : ["-d"]),
    ...(file === undefined ? [] : ["-f"]),
    ...(example === undefined ? [] : ["-e"]),
  ];
  const [first = "", second] = given;
  if (second !== undefined) throw excluding(first, second);
  if (example !== undefined) {
    const { exampleEvent } = await import("../events/examples.ts");
    return { bytes: Buffer.from(exampleEvent(example)), source: `-e ${example}` };
  }
  const path = file ?? (data?.startsWith("@") ? data.slice(1) : undefined);
  if (path === "-" || data === "-") {
    return { bytes: await wholeStandardInput(), source: STDIN };
  }
  if (path !== undefined) {
    const option = file === undefined ? "-d" : "-f";
    return { bytes: readInputFile(path, option), source: path };
  }
  return data === undefined ? undefined : { bytes: Buffer.from(data), source: `-d ${data}` };
}

function excluding(first: string, second: string): CommandError {
  return new CommandError(`${first} and ${second} exclude each other`);
}
