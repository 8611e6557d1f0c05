/** Where an event's time went: by made-up records, and by a real bash. */

import { expect, test } from "bun:test";

import { bootstrapExecutable } from "../testing/bootstrap-process.ts";
import { functionFolder, tool } from "../testing/running-tool.ts";
import { estimates } from "./price.ts";
import { Profile, profileText } from "./profile.ts";
import type { TraceRecord } from "./trace-reader.ts";

/** Records as `line pid depth at text`; the file of a command without a place is empty. */
function rows(lines: readonly string[], toMs: number) {
  const profile = new Profile();
  for (const each of lines) {
    const [line, pid, depth, atMs, ...text] = each.split(" ");
    const [lineNumber, pidNumber, depthNumber, at] = [line, pid, depth, atMs].map(Number);
    const record = {
      line: lineNumber,
      pid: pidNumber,
      depth: depthNumber,
      atMs: at,
    } as TraceRecord;
    profile.add({ ...record, file: line === "0" ? "" : "f", text: text.join(" ") });
  }
  return profile
    .rows({ fromMs: 0, toMs }, ({ file, line }) => (file === "" ? undefined : `${file}:${line}`))
    .map(({ place, text, count, timeMs }) => `${place} ${text} ${count} ${timeMs}`);
}

test.each<[string, string[], string[]]>([
  [
    "one after the other",
    ["0 1 0 5 handler", "1 1 0 10 a", "2 1 0 30 b", "1 1 0 90 a again"],
    ["f:2 b 1 60", "f:1 a 2 30", " the shell and the runtime 1 10"],
  ],
  [
    "a command substitution is timed before the assignment that takes it",
    ["1 1 0 0 x=1", "2 2 1 10 slow", "2 1 0 80 y=slow"],
    ["f:2 slow 1 70", "f:2 y=slow 1 20", "f:1 x=1 1 10", " the shell and the runtime 1 0"],
  ],
  [
    "the commands of a pipeline have its time each, the one before it has not",
    ["1 1 0 0 x=1", "2 2 1 10 left", "2 3 1 11 right", "3 1 0 90 end"],
    [
      "f:2 left 1 80",
      "f:2 right 1 79",
      "f:1 x=1 1 10",
      "f:3 end 1 10",
      " the shell and the runtime 1 0",
    ],
  ],
  [
    "a subshell's commands are its own",
    ["1 2 1 10 a", "2 2 1 40 b", "3 3 2 50 inner", "4 1 0 70 end"],
    [
      "f:1 a 1 30",
      "f:4 end 1 30",
      "f:3 inner 1 20",
      "f:2 b 1 10",
      " the shell and the runtime 1 10",
    ],
  ],
  ["nothing", [], [" the shell and the runtime 1 100"]],
])("%s", (_name, records, expected) => {
  expect(rows(records, 100)).toEqual(expected);
});

test("a pipeline in a subshell is taken from the subshell's command before it", () => {
  const profile = new Profile();
  const add = (line: number, pid: number, depth: number, atMs: number) =>
    profile.add({ file: "f", line, pid, depth, atMs, text: `c${line}` });
  add(1, 1, 0, 0);
  add(2, 2, 1, 10);
  // Bash gives them the depth of their shell.
  add(3, 3, 1, 20);
  add(4, 4, 1, 21);
  add(5, 1, 0, 90);
  const parents = [3, 4].map((pid) => [pid, { parentPid: 2 }] as const);
  const rows = profile.rows({ fromMs: 0, toMs: 100 }, ({ line }) => `f:${line}`, new Map(parents));
  expect(rows.map(({ place, timeMs }) => `${place} ${timeMs}`)).toEqual([
    "f:3 70",
    "f:4 69",
    "f:1 10",
    "f:2 10",
    "f:5 10",
    " 0",
  ]);
});

test("a process ends when it is seen to end, even if a later process goes on", () => {
  const profile = new Profile();
  const add = (line: number, pid: number, depth: number, atMs: number) =>
    profile.add({ file: "f", line, pid, depth, atMs, text: `c${line}` });
  add(1, 1, 0, 0);
  add(2, 2, 1, 10);
  add(3, 3, 1, 60);
  add(4, 1, 0, 80);
  const span = { fromMs: 0, toMs: 100 };
  const rows = profile.rows(span, ({ line }) => `f:${line}`, new Map([[2, { endMs: 40 }]]));
  expect(rows.map(({ place, timeMs }) => `${place} ${timeMs}`)).toEqual([
    "f:1 30",
    "f:2 30",
    "f:3 20",
    "f:4 20",
    " 0",
  ]);
});

test("a million commands neither take long nor all the memory", () => {
  const profile = new Profile();
  for (let at = 0; at < 1_000_000; at += 1) {
    profile.add({ file: "f", line: 1, pid: at % 3, depth: at % 3, atMs: at / 1000, text: "a" });
  }
  expect(profile.lost).toBe(800_000);
  expect(profile.rows({ fromMs: 0, toMs: 1000 }, () => "f:1")).toHaveLength(2);
});

test("what computes takes longer with less memory, what waits does not", () => {
  const [smallest] = estimates({ durationMs: 1000, cpuMs: 100 }, 1769, "arm64");
  // 100 ms at 128 of 1769 MB are 1382 ms: 2.282 s of an eighth of a GB, and the request.
  expect(smallest?.durationMs).toBe(2283);
  expect((smallest?.dollars ?? 0) * 1e6).toBeCloseTo(2.283 * 0.125 * 13.3334 + 0.2, 6);
  const sizes = estimates({ durationMs: 10, cpuMs: 20 }, 300, "x86_64").map(
    ({ memoryMb }) => memoryMb,
  );
  expect(sizes).toEqual([128, 256, 300, 512, 1024, 1769]);
  const [, , , , , whole] = estimates({ durationMs: 10, cpuMs: 20 }, 300, "x86_64");
  expect(whole?.durationMs).toBe(10);
});

const SLOW = `#!/bin/bash
sleep 0.05
handler() {
  x=1
  sleep 0.1 | cat
  y=$(sleep 0.3; echo a)
  echo "$y$x"
}
`;

test.each([
  ["one after the other", [60, 30], false],
  ["of a pipeline", [90, 90], true],
])(
  "shares of commands %s: whether it is said why they are more than the whole",
  (_, times, said) => {
    const own = times.map((timeMs, at) => ({ place: `f:${at}`, text: "cmd", count: 1, timeMs }));
    const rest = { place: "", text: "the shell and the runtime", count: 1, timeMs: 10 };
    const text = profileText([...own, rest], { fromMs: 0, toMs: 100 });
    expect(text.includes("at the same time")).toBe(said);
  },
);

test("invoke --profile shows the slowest command first, and keeps to the response on standard output", async () => {
  const folder = functionFolder({ "function.sh": SLOW });
  const args = ["invoke", "--profile", "--memory", "512", "--bootstrap", bootstrapExecutable()];
  const { status, out, errors } = await tool([...args, "--dir", folder, "-d", "{}"]);
  expect([status, out]).toEqual([0, "a1\n"]);
  const table = errors.match(/^ +[\d.]+ ms .*$/gm) ?? [];
  expect(table[0]).toMatch(/^ +[3-9]\d\d\.\d ms +\d+ % +1x {2}function\.sh:6 {2}sleep 0\.3$/);
  for (const command of [
    "function.sh:5  sleep 0.1",
    "function.sh:5  cat",
    "function.sh:2  sleep 0.05",
  ]) {
    expect(errors).toContain(command);
  }
  expect(errors).toMatch(/ 512 MB +\d+ ms +\$\d+\.\d\d {2}<- this function$/m);
});

test("invoke --profile says what it cannot measure, and still tells the cost", async () => {
  const folder = functionFolder({ "function.sh": "#!/bin/dash\nhandler() { echo 1; }\n" });
  const args = ["invoke", "--profile", "--bootstrap", bootstrapExecutable(), "--dir", folder];
  const { status, out, errors } = await tool([...args, "-d", "{}"]);
  expect([status, out]).toEqual([0, "1\n"]);
  expect(errors).toContain(
    "commands not measured: function.sh is for dash, whose trace cannot be told from its log",
  );
  expect(errors).toContain("1,000,000 events");
});

test("invoke --profile of a function that fails tells both", async () => {
  const folder = functionFolder({
    "function.sh": "#!/bin/sh\nhandler() { sleep 0.01; exit 3; }\n",
  });
  const args = ["invoke", "--profile", "--bootstrap", bootstrapExecutable(), "--dir", folder];
  const { status, errors } = await tool([...args, "-d", "{}"]);
  expect(status).toBe(1);
  expect(errors).toContain("Function.ExitError");
  expect(errors).toContain("function.sh:2  sleep 0.01");
});

test.each([
  ["--url", "http://127.0.0.1:1"],
  ["--repeat", "2"],
])("--profile and %s exclude each other", async (option, value) => {
  const result = await tool(["invoke", "--profile", option, value]);
  expect([result.status, result.errors]).toEqual([
    2,
    `error: --profile and ${option} exclude each other\n`,
  ]);
});
