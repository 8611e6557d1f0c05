/** Reports, read by the programs that read such reports. */

import { expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

import { temporaryFolder } from "../testing/temporary-folder.ts";
import { report, type ReportForm } from "./reports.ts";
import type { TestResult } from "./run-tests.ts";

/** Everything that could end a text, an element, a comment or a directive too early. */
const HOSTILE = `a "quote" & <tag> ]]> # skip \\ 'x' \u0000\u001b[31m\u{1f41a}\ud800 ---\n...\nnot ok 7\r`;

function result(id: string, passed: boolean, hostile = ""): TestResult {
  const test = { id: `tests/${id}.json: ${id}${hostile}`, file: `tests/${id}.json` };
  return {
    test: { ...test, event: new Uint8Array(0), env: {}, headers: {} },
    passed,
    durationMs: 1.5,
    problems: passed ? [] : [`response: ${hostile}`, "second"],
    log: hostile,
  };
}

const RESULTS = [
  result("good", true),
  result("bad", false, HOSTILE),
  result("loud", true, HOSTILE),
];

function written(form: ReportForm): string {
  const made = report(form, { withLog: false, coloured: (_colour, text) => text });
  const parts = RESULTS.map((each) => made.add(each));
  return [made.begin(RESULTS.length), ...parts, made.end(2500)].join("");
}

test("people see what failed, why, and what it logged", () => {
  const lines = written("pretty").split("\n");
  expect(lines[0]).toBe("ok    tests/good.json: good (1.5 ms)");
  expect(lines[1]).toStartWith("FAIL  tests/bad.json: bad");
  expect(lines).toContain("      second");
  expect(lines).toContain("      log:");
  expect(lines.at(-2)).toBe("2 passed, 1 failed (2.5 s)");
});

test("a TAP harness counts as we do", () => {
  const file = join(temporaryFolder("report"), "report.tap");
  // TAP 14 is for newer harnesses; what is written is TAP 13 too.
  writeFileSync(file, written("tap").replace("version 14", "version 13"));
  const child = Bun.spawnSync(["prove", "--verbose", "--exec", "cat", file]);
  const said = child.stdout.toString();
  expect(said).toContain("Failed 1/3 subtests");
  expect(said).toContain("Failed test:  2");
  expect(said).not.toContain("Parse errors");
});

test("an XML parser finds every case and its texts in a JUnit report", () => {
  const file = join(temporaryFolder("report"), "report.xml");
  writeFileSync(file, written("junit"));
  const read = `
import sys, json, xml.etree.ElementTree as tree
root = tree.parse(sys.argv[1]).getroot()
print(json.dumps([[c.get("name"), c.get("classname"), [[e.tag, e.text] for e in c]] for c in root.iter("testcase")]))
print(json.dumps({k: root.get(k) for k in ("tests", "failures", "errors", "time")}))`;
  const child = Bun.spawnSync(["python3", "-c", read, file]);
  expect(child.stderr.toString()).toBe("");
  const [cases = "", totals = ""] = child.stdout.toString().split("\n");
  const kept = HOSTILE.toWellFormed().replaceAll("\u0000", "\ufffd").replaceAll("\u001b", "\ufffd");
  expect(JSON.parse(cases)).toEqual([
    ["good", "tests/good.json", []],
    [
      `bad${kept}`,
      "tests/bad.json",
      [
        ["failure", `response: ${kept}\nsecond`],
        ["system-err", kept],
      ],
    ],
    [`loud${kept}`, "tests/loud.json", [["system-err", kept]]],
  ]);
  expect(JSON.parse(totals)).toEqual({ tests: "3", failures: "1", errors: "0", time: "2.500000" });
});
