/**
 * Writes what came back into the file of a test, as what must come back from now on; everything else
 * in the file stays as it is.
 *
 * @module
 */

import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";

import { applyEdits, findNodeAtLocation, format, type Node, parseTree } from "jsonc-parser";

import { unreadable } from "../commands/cli/input.ts";
import { changesOf, problemsOf, recorded, shownBody, wantsError } from "./expectation.ts";
import type { Place } from "./json-source.ts";
import type { TestResult } from "./run-tests.ts";
import { EVENTS_FOLDER, type FunctionTest, TESTS_FOLDER } from "./suite.ts";
import { type Expectation, parseTestFile } from "./test-file.ts";

/** JSON up to this length is written on one line, in characters. */
const LINE_LENGTH_MAX = 80;

/** Members of `expect` that say what comes back; the others are only people's to change. */
const RECORDED_MEMBERS = [
  "response",
  "responseContains",
  "responseText",
  "responseBase64",
  "error",
];

/** What only people know. */
const NOT_TURNED =
  "--update does not change whether the function must fail: for that, change expect in the test";
const MUST_FAIL =
  "\n  it must fail so from now on; if it should not, mend it, remove the error from the test and update again";

/**
 * Writes the response of a test that has failed into its file, and judges it by that.
 * @param directory Folder of the function.
 * @throws {CommandError} When the file cannot be written.
 */
export function recordResult(result: TestResult, directory: string): TestResult {
  const { test, received } = result;
  if (result.passed || received === undefined) return result;
  const members = recorded(received, test.expected);
  if (members === undefined) {
    const { expected } = test;
    const isTurned = expected !== undefined && wantsError(expected) !== (received.kind === "error");
    return isTurned ? { ...result, problems: [...result.problems, NOT_TURNED] } : result;
  }
  try {
    const { file, expected } =
      test.place === undefined
        ? newTest(test, directory, members)
        : changedTest(test, test.place, members);
    const problems = problemsOf(expected, received);
    const changes = changesOf(test.expected, received);
    const written =
      changes.length === 0
        ? `into ${file}: the ${received.kind} ${shownBody(received.body)}` +
          (received.kind === "error" ? MUST_FAIL : "")
        : [`into ${file}:`, ...changes.map((each) => each.replace(/^/gm, "  "))].join("\n");
    return { ...result, problems, passed: problems.length === 0, written };
  } catch (error) {
    throw unreadable(`failed to write a test of ${test.file}`, error);
  }
}

/** The file that was written, and what it expects now. */
interface Written {
  readonly file: string;
  readonly expected: Expectation | undefined;
}

/** A test for an event that none names, in the folder of tests. */
function newTest(
  { file }: FunctionTest,
  directory: string,
  members: Readonly<Record<string, string>>,
): Written {
  const name = basename(file);
  const folder = join(directory, TESTS_FOLDER);
  mkdirSync(folder, { recursive: true });
  const free = [
    name,
    ...Array.from({ length: 99 }, (_, at) => name.replace(/\.json$/, `-${at + 2}.json`)),
  ]
    .map((each) => join(folder, each))
    .find((path) => !existsSync(path));
  const path = free ?? join(folder, name);
  const text = withMembers(
    `${JSON.stringify({ eventFile: `../${EVENTS_FOLDER}/${name}` }, undefined, 2)}\n`,
    [],
    members,
  );
  try {
    writeFileSync(path, text, { flag: "wx" });
  } catch (error) {
    // A part of a test is of no use.
    if (free !== undefined) rmSync(path, { force: true });
    throw error;
  }
  return { file: path, expected: expectedIn(Buffer.from(text), path, 0) };
}

function changedTest(
  { file }: FunctionTest,
  place: Place,
  members: Readonly<Record<string, string>>,
): Written {
  const bytes = readFileSync(file);
  const before = bytes.toString("utf8");
  const mark = before.startsWith("\ufeff") ? "\ufeff" : "";
  const after = Buffer.from(mark + withMembers(before.slice(mark.length), place, members));
  try {
    writeFileSync(file, after);
  } catch (error) {
    // On a full disk there is room for what was there.
    writeFileSync(file, bytes);
    throw error;
  }
  return { file, expected: expectedIn(after, file, Number(place[0] ?? 0)) };
}

function expectedIn(bytes: Uint8Array, file: string, index: number): Expectation | undefined {
  const read = parseTestFile(bytes, file);
  return read.kind === "valid" ? read.tests[index]?.expected : undefined;
}

/**
 * The text of a file in which the `expect` of a test has these members, as JSON text, instead of those
 * that said what comes back; nothing else in the file changes.
 */
export function withMembers(
  text: string,
  place: Place,
  members: Readonly<Record<string, string>>,
): string {
  const tree = parseTree(text);
  const test = tree && findNodeAtLocation(tree, [...place]);
  if (tree === undefined || test === undefined) return text;
  const expect = findNodeAtLocation(tree, [...place, "expect"]);
  const others = (expect?.children ?? []).flatMap(({ children }) => {
    const [name, value] = children ?? [];
    if (name === undefined || value === undefined) return [];
    const kept = !RECORDED_MEMBERS.includes(String(name.value));
    return kept ? [`${slice(text, name)}: ${slice(text, value)}`] : [];
  });
  const recorded = Object.entries(members).map(([name, json]) => `"${name}": ${json.trim()}`);
  const value = `{ ${[...recorded, ...others].join(", ")} }`;
  if (expect !== undefined) {
    return replaced(text, expect, laidOut(value, indentationAt(text, expect.offset)));
  }
  // After the last member, as that one stands after the one before it.
  const last = test.children?.at(-1);
  const end = last === undefined ? test.offset + 1 : last.offset + last.length;
  const isAlone = last !== undefined && /^[ \t]*$/.test(lineBefore(text, last.offset));
  const indentation = last === undefined ? "" : indentationAt(text, last.offset);
  const before = isAlone ? `,${eol(text)}${indentation}` : last === undefined ? "" : ", ";
  const added = `${before}"expect": ${laidOut(value, indentation)}`;
  return text.slice(0, end) + added.replaceAll(/\r?\n/g, eol(text)) + text.slice(end);
}

function slice(text: string, { offset, length }: Node): string {
  return text.slice(offset, offset + length);
}

function replaced(text: string, { offset, length }: Node, by: string): string {
  return text.slice(0, offset) + by.replaceAll(/\r?\n/g, eol(text)) + text.slice(offset + length);
}

function eol(text: string): string {
  return text.includes("\r\n") ? "\r\n" : "\n";
}

/** What stands before an offset in its line. */
function lineBefore(text: string, offset: number): string {
  return text.slice(text.lastIndexOf("\n", offset - 1) + 1, offset);
}

function indentationAt(text: string, offset: number): string {
  return /^[ \t]*/.exec(lineBefore(text, offset))?.[0] ?? "";
}

/** JSON on one line where it is short, else on several of which all but the first are indented. */
function laidOut(json: string, indentation: string): string {
  if (json.length <= LINE_LENGTH_MAX && !json.includes("\n")) return json;
  const options = { insertSpaces: true, tabSize: 2, eol: "\n" };
  return applyEdits(json, format(json, undefined, options)).replaceAll("\n", `\n${indentation}`);
}
