import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { tool } from "../../testing/running-tool.ts";
import { temporaryFolder } from "../../testing/temporary-folder.ts";
import { setMembers } from "./event-member.ts";

const FOLDER = join(import.meta.dir, "../../../fixtures/events/aws");
const FILES = readdirSync(FOLDER).filter((file) => file.endsWith(".json"));
const NAMES = FILES.map((file) => file.slice(0, -".json".length)).sort();

function set(event: string, ...assignments: readonly string[]): string {
  return new TextDecoder().decode(setMembers(Buffer.from(event), assignments));
}

test("events lists every example, or those with a part of the name", async () => {
  expect(NAMES.length).toBeGreaterThan(145);
  const all = await tool(["events"]);
  expect(all).toEqual({ status: 0, out: `${NAMES.join("\n")}\n`, errors: "" });
  const some = await tool(["events", "list", "SQS"]);
  expect(some).toEqual({
    status: 0,
    out: "sqs-api-event-obj\nsqs-event\nsqs-event-obj\n",
    errors: "",
  });
  expect(await tool(["events", "list", "fax"])).toEqual({
    status: 2,
    out: "",
    errors: 'error: no example event has "fax" in its name\n  list all with: lambda-shell events\n',
  });
});

test("events shows an example as it is written, or with members set", async () => {
  const { out } = await tool(["events", "show", "sqs-event"]);
  expect(out.trimEnd()).toBe(readFileSync(join(FOLDER, "sqs-event.json"), "utf8").trimEnd());
  const changed = await tool(["events", "sqs-event", "--set", "Records.0.body=hi"]);
  const expected = JSON.parse(out);
  expected.Records[0].body = "hi";
  expect(JSON.parse(changed.out)).toEqual(expected);
});

test.each([
  [
    ["show", "sqs"],
    'no example event "sqs"\n' +
      "  did you mean: sqs-api-event-obj, sqs-event, sqs-event-obj\n" +
      "  list them with: lambda-shell events",
  ],
  [
    ["sqs-evnt"],
    'no example event "sqs-evnt"\n' +
      "  did you mean: sqs-event\n" +
      "  list them with: lambda-shell events",
  ],
  [["no-such-thing"], 'no example event "no-such-thing"\n  list them with: lambda-shell events'],
  [["show"], "which event? list them with: lambda-shell events"],
  [["s3-event", "sqs-event"], "one event at a time: lambda-shell events show s3-event"],
  [["--set", "a=1"], "--set needs an event: lambda-shell events show NAME --set path=value"],
])("events %j is refused with the fix", async (args, message) => {
  const result = await tool(["events", ...args]);
  expect(result).toEqual({ status: 2, out: "", errors: `error: ${message}\n` });
});

test("the examples are inside the bundle that is compiled", async () => {
  const outdir = temporaryFolder("bundle");
  const entry = join(import.meta.dir, "../../lambda-shell.ts");
  await Bun.build({ entrypoints: [entry], outdir, target: "bun", minify: true });
  const bundle = join(outdir, "lambda-shell.js");
  const child = Bun.spawnSync([process.execPath, bundle, "events"], { cwd: outdir });
  expect(child.stdout.toString()).toBe(`${NAMES.join("\n")}\n`);
});

test.each([
  ['{"a":{"b":"x"}}', ["a.b=7"], '{"a":{"b":"7"}}'],
  ['{"a":{"b":"x"}}', ["a.b:=7"], '{"a":{"b":7}}'],
  ['{"a":1}', ["a=2.50"], '{"a":2.50}'],
  ['{"a":1}', ["a=text"], '{"a":"text"}'],
  ['{"a":1}', ['b={"c":[true]}'], '{"a":1,"b":{"c":[true]}}'],
  ['{"a":1}', ["b.c.d=e"], '{"a":1,"b":{"c":{"d":"e"}}}'],
  ['{"a":null}', ["a.0.b=c"], '{"a":[{"b":"c"}]}'],
  ['{"a":[1]}', ["a.1=2", "a.2=3"], '{"a":[1,2,3]}'],
  ['{"x.y":1}', ["x\\.y=2"], '{"x.y":2}'],
  ['{"a":12345678901234567890}', ["b=1"], '{"a":12345678901234567890,"b":1}'],
  ["{}", ["__proto__.a=1"], '{"__proto__":{"a":1}}'],
  ["{}", ["a=b=c"], '{"a":"b=c"}'],
  ["{}", ["a="], '{"a":""}'],
])("--set on %s: %j gives %s", (event, assignments, expected) => {
  expect(set(event, ...assignments)).toBe(expected);
});

test.each([
  ["{}", "a", "--set a: write path=value, as in --set Records.0.body=hi"],
  ['{"a":"x"}', "a.b=1", '--set a.b=1: a is a string, it has no member "b"'],
  ["7", "a=1", '--set a=1: the event is a number, it has no member "a"'],
  ["12345678901234567890", "a=1", '--set a=1: the event is a number, it has no member "a"'],
  [
    '{"a":[1]}',
    "a.5.b=1",
    '--set a.5.b=1: a is a list of 1 element, "5" is not one of 0 to 1 (the last adds one)',
  ],
  ['{"a":1}', "a:={", "--set a:={: the value after := is not JSON; use = for a string"],
  ["{", "a=1", "--set needs an event that is JSON"],
])("--set on %s: %s is refused with the fix", (event, assignment, message) => {
  expect(() => set(event, assignment)).toThrow(message);
});

test("--set on an event that is nested without end says so, and not that it is not JSON", () => {
  const event = `${"[".repeat(50_000)}${"]".repeat(50_000)}`;
  const message = "--set: lists and objects of the event are nested too deeply to change it";
  expect(() => set(event, "0=1")).toThrow(message);
});
