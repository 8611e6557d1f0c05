/**
 * What has become of the tests: for people, as TAP, as JUnit's XML.
 *
 * @see https://testanything.org/tap-version-14-specification.html
 * @see https://github.com/testmoapp/junitxml
 * @module
 */

import type { TestResult } from "./run-tests.ts";

/** The forms of a report. */
export const REPORT_FORMS = ["pretty", "tap", "junit"] as const;

/** How the results are told. */
export type ReportForm = (typeof REPORT_FORMS)[number];

/** Takes results one by one, in the order of the tests; each call returns the text to print. */
export interface Report {
  readonly begin: (count: number) => string;
  readonly add: (result: TestResult) => string;
  /** @param elapsedMs Time of the whole run, in milliseconds. */
  readonly end: (elapsedMs: number) => string;
}

/** Lines of a log that are shown of a test that failed. */
const LOG_LINES_MAX = 20;

/** Makes a report. */
export function report(form: ReportForm, options: PrettyOptions): Report {
  switch (form) {
    case "pretty":
      return prettyReport(options);
    case "tap":
      return tapReport();
    case "junit":
      return junitReport();
  }
}

/** What people want to see. */
export interface PrettyOptions {
  /** The log of tests that passed, too. */
  readonly withLog: boolean;
  /** Colours a text, where that is seen. */
  readonly coloured: (colour: Colour, text: string) => string;
}

/** What the words of a report are coloured by. */
export type Colour = "green" | "red" | "yellow" | "dim";

function prettyReport({ withLog, coloured }: PrettyOptions): Report {
  const counts = { passed: 0, written: 0, failed: 0 };
  return {
    begin: () => "",
    add: (result) => {
      const { test, problems, log, durationMs, written } = result;
      const outcome = outcomeOf(result);
      counts[outcome] += 1;
      const word = {
        passed: coloured("green", "ok   "),
        written: coloured("yellow", "wrote"),
        failed: coloured("red", "FAIL "),
      }[outcome];
      const lines = [`${word} ${test.id} ${coloured("dim", `(${milliseconds(durationMs)})`)}`];
      if (written !== undefined) lines.push(indented(written, "      "));
      lines.push(...problems.map((problem) => indented(problem, "      ")));
      const logged = outcome === "failed" || withLog ? log.trimEnd() : "";
      if (logged !== "") lines.push("      log:", indented(lastLines(logged, withLog), "        "));
      return `${lines.join("\n")}\n`;
    },
    end: (elapsedMs) => {
      const { passed, written, failed } = counts;
      const parts = [
        coloured("green", `${passed} passed`),
        ...(written === 0 ? [] : [coloured("yellow", `${written} written`)]),
        failed === 0 ? "0 failed" : coloured("red", `${failed} failed`),
      ];
      return `\n${parts.join(", ")} ${coloured("dim", `(${(elapsedMs / 1000).toFixed(1)} s)`)}\n`;
    },
  };
}

function outcomeOf({ passed, written }: TestResult): "passed" | "written" | "failed" {
  if (!passed) return "failed";
  return written === undefined ? "passed" : "written";
}

function lastLines(log: string, all: boolean): string {
  const lines = log.split("\n");
  if (all || lines.length <= LOG_LINES_MAX) return log;
  return ["…", ...lines.slice(-LOG_LINES_MAX)].join("\n");
}

function indented(text: string, by: string): string {
  return text.replace(/^/gm, by);
}

function milliseconds(durationMs: number): string {
  return durationMs < 10 ? `${durationMs.toFixed(1)} ms` : `${Math.round(durationMs)} ms`;
}

function tapReport(): Report {
  let number = 0;
  return {
    begin: (count) => `TAP version 14\n1..${count}\n`,
    add: ({ test, passed, problems, log, durationMs }) => {
      number += 1;
      const point = `${passed ? "ok" : "not ok"} ${number} - ${tapText(test.id)}\n`;
      const details = {
        duration_ms: Number(durationMs.toFixed(3)),
        ...(passed ? {} : { message: problems.join("\n"), log }),
      };
      // JSON is YAML; one member a line, as readers of TAP 13 want it.
      const lines = Object.entries(details).map(
        ([name, value]) => `  ${name}: ${JSON.stringify(value)}\n`,
      );
      return `${point}  ---\n${lines.join("")}  ...\n`;
    },
    end: () => "",
  };
}

/** A description in which nothing begins a directive. */
function tapText(text: string): string {
  return text.replace(/\s+/g, " ").replaceAll("\\", "\\\\").replaceAll("#", "\\#");
}

function junitReport(): Report {
  const results: TestResult[] = [];
  const startedAt = new Date().toISOString();
  return {
    begin: () => "",
    add: (result) => {
      results.push(result);
      return "";
    },
    end: (elapsedMs) => {
      const failures = results.filter(({ passed }) => !passed).length;
      const totals =
        `tests="${results.length}" failures="${failures}" errors="0" skipped="0" ` +
        `time="${seconds(elapsedMs)}"`;
      return [
        '<?xml version="1.0" encoding="UTF-8"?>',
        `<testsuites name="lambda-shell test" ${totals}>`,
        `  <testsuite name="lambda-shell test" ${totals} timestamp="${startedAt}">`,
        ...results.map(junitCase),
        "  </testsuite>",
        "</testsuites>",
        "",
      ].join("\n");
    },
  };
}

function junitCase({ test, passed, problems, log, durationMs }: TestResult): string {
  const { id, file } = test;
  const name = id === file ? file : id.slice(`${file}: `.length);
  const attributes =
    `name="${xml(name)}" classname="${xml(file)}" file="${xml(file)}" ` +
    `time="${seconds(durationMs)}"`;
  const failure = `<failure message="${xml(problems[0] ?? "")}">${xml(problems.join("\n"))}</failure>`;
  const parts = [
    ...(passed ? [] : [failure]),
    ...(log === "" ? [] : [`<system-err>${xml(log)}</system-err>`]),
  ];
  if (parts.length === 0) return `    <testcase ${attributes}/>`;
  return [
    `    <testcase ${attributes}>`,
    ...parts.map((part) => `      ${part}`),
    "    </testcase>",
  ].join("\n");
}

function seconds(durationMs: number): string {
  return (durationMs / 1000).toFixed(6);
}

const XML_NAMES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "\n": "&#10;",
  "\t": "&#9;",
  "\r": "&#13;",
};

/** Text for an attribute or an element; what XML 1.0 cannot hold becomes U+FFFD. */
function xml(text: string): string {
  return (
    text
      .toWellFormed()
      .replace(/[&<>"\n\t\r]/g, (character) => XML_NAMES[character] ?? "")
      // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
      .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, "\ufffd")
  );
}
