/**
 * The proofs that CONTRACT.md and layer/PRIOR-SYSTEMS.md name: each is a test or a case that exists.
 *
 * A proof is a link whose text is the name of a test, and whose target is the file of that test.
 *
 * @module
 */

import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";

const ROOT = join(import.meta.dir, "..");
const CONTRACT = "src/CONTRACT.md";
const PRIOR_SYSTEMS = "layer/PRIOR-SYSTEMS.md";

/** A link to a test or a case. */
interface Proof {
  readonly line: number;
  readonly name: string;
  /** From the root of the repository. */
  readonly file: string;
}

const TEST_FILE = /\.(?:test|slow|suite|check|compat|synth)\.ts$/;
const CASE_FILE = /^fixtures\/cases\/\w+\.json$/;

/** The proofs of a document, by line. */
function proofsOf(document: string, text: string): readonly Proof[] {
  return text.split("\n").flatMap((content, index) =>
    [...content.matchAll(/\[((?:[^[\]\\]|\\.)+)\]\(([^)#\s]+)\)/g)].flatMap(
      ([, name = "", target = ""]) => {
        const file = relative(ROOT, join(ROOT, dirname(document), target));
        if (!TEST_FILE.test(file) && !CASE_FILE.test(file)) return [];
        return [{ line: index + 1, name: name.replace(/\\(\W)/g, "$1"), file }];
      },
    ),
  );
}

/** A call of test() or describe(), or of what its each() returns, up to the name that it is given. */
const NAMED = /(\b(?:test|describe)(?:\.\w+)*|\))\(\s*("(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\.)*`)\s*,/g;

/** What stands for a value in the name of a test: `%s`, `$name` or `${name}`. */
const PLACEHOLDER = /%[a-z]|\$\{[^}]*\}/g;

/** Characters of a name that are not placeholders; fewer would match any name. */
const LITERAL_CHARACTERS_MIN = 8;

/** The names of the tests in a source, as patterns of the names that they have when they run. */
function testNames(source: string): readonly RegExp[] {
  return [...source.matchAll(NAMED)].flatMap(([, call = "", literal = ""]) => {
    if (/\.(?:skip|todo|failing)\b/.test(call)) return [];
    const text = literal.slice(1, -1).replace(/\\(.)/g, "$1");
    const parts = text.split(PLACEHOLDER);
    if (parts.join("").trim().length < LITERAL_CHARACTERS_MIN) return [];
    return [new RegExp(`^${parts.map((part) => RegExp.escape(part)).join("(.+)")}$`)];
  });
}

/** True if the text of a file has a test, or a case, of that name. */
function isNamedIn(file: string, text: string, name: string): boolean {
  if (CASE_FILE.test(file)) {
    return (JSON.parse(text) as readonly { name: string }[]).some((given) => given.name === name);
  }
  return testNames(text).some((pattern) => {
    const values = pattern.exec(name)?.slice(1);
    return values?.every((value) => value === "…" || text.includes(value)) ?? false;
  });
}

/** The proofs of a document that do not exist. */
function missing(document: string): readonly string[] {
  const proofs = proofsOf(document, readFileSync(join(ROOT, document), "utf8"));
  return proofs.flatMap(({ line, name, file }) => {
    const path = join(ROOT, file);
    if (!existsSync(path)) return [`${document}:${line}: no such file: ${file}`];
    if (isNamedIn(file, readFileSync(path, "utf8"), name)) return [];
    return [`${document}:${line}: ${file} has no test with the name: ${name}`];
  });
}

/** A numbered sentence of the contract, with its proofs. */
interface Sentence {
  readonly number: number;
  readonly text: string;
  readonly proofs: readonly Proof[];
}

function sentences(): readonly Sentence[] {
  const text = readFileSync(join(ROOT, CONTRACT), "utf8");
  const parts = text.split(/^(?=\d+\. )/m).slice(1);
  return parts.map((part) => ({
    number: Number.parseInt(part, 10),
    text: part.split("\n")[0] ?? "",
    proofs: proofsOf(CONTRACT, part.split(/^#/m)[0] ?? ""),
  }));
}

test.each([CONTRACT, PRIOR_SYSTEMS])("every test that %s names exists", (document) => {
  expect(missing(document)).toEqual([]);
});

test("every sentence of the contract has a number and a proof", () => {
  const all = sentences();
  expect(all.length).toBeGreaterThan(50);
  expect(all.map(({ number }) => number)).toEqual(all.map((_, index) => index + 1));
  expect(all.filter(({ proofs }) => proofs.length === 0).map(({ text }) => text)).toEqual([]);
});

test("every row about a prior system names a test or a target of make, or says that it is not done", () => {
  const text = readFileSync(join(ROOT, PRIOR_SYSTEMS), "utf8");
  const rows = text.split("\n").filter((line) => /^\| (?!rule |---)/.test(line));
  expect(rows.length).toBeGreaterThanOrEqual(77);
  const unproved = rows.filter((row) => {
    const proof = row.split(/(?<!\\)\|/).at(-2) ?? "";
    return proofsOf(PRIOR_SYSTEMS, proof).length === 0 && !/`make [a-z-]+`|not done/.test(proof);
  });
  expect(unproved).toEqual([]);
});

describe("a proof is not found", () => {
  const proved = (source: string, name: string, file = "src/a.test.ts") =>
    isNamedIn(file, source, name);

  test("unless a test has exactly that name", () => {
    expect(proved('test("a stream ends", () => {});', "a stream ends")).toBe(true);
    expect(proved('test("a stream ends", () => {});', "a stream")).toBe(false);
    expect(proved('const text = "a stream ends";', "a stream ends")).toBe(false);
  });

  test("where the test is skipped", () => {
    expect(proved('test.skip("a stream ends", () => {});', "a stream ends")).toBe(false);
    expect(proved('test.todo("a stream ends", () => {});', "a stream ends")).toBe(false);
  });

  test("where the value in its name is not one of the test's", () => {
    const source = 'test.each(["long", "short"])("a %s stream ends", run);';
    expect(proved(source, "a long stream ends")).toBe(true);
    expect(proved(source, "a … stream ends")).toBe(true);
    expect(proved(source, "a wide stream ends")).toBe(false);
  });

  test("where a placeholder is all that fits", () => {
    expect(proved('test.each(["long"])("%s", run);', "long")).toBe(false);
  });

  test("where no case has that name", () => {
    const cases = '[{"name": "a stream ends", "files": {"a stream": ""}}]';
    expect(proved(cases, "a stream ends", "fixtures/cases/a.json")).toBe(true);
    expect(proved(cases, "a stream", "fixtures/cases/a.json")).toBe(false);
  });
});
