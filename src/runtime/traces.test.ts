import { describe, expect, test } from "bun:test";

import {
  isExpanded,
  prefixPattern,
  samplePattern,
  tracePrefixes,
  withoutTraces,
} from "./traces.ts";

const quoted = (prefix = "+ ") => ({ prefixes: [prefixPattern(prefix)], isQuoted: true });
const raw = { prefixes: [prefixPattern("+ ")], isQuoted: false };

describe("lines without traced commands", () => {
  test.each<[string, string[], string[]]>([
    ["none traced", ["a", "b + c", " + d"], ["a", "b + c", " + d"]],
    ["traced on several levels", ["+ a", "++ b", "++++ c", "d"], ["d"]],
    ["a plus sign without its space", ["+a", "+", "a"], ["+a", "+", "a"]],
    ["between others", ["a", "+ curl -H token", "b", "+ c", "d"], ["a", "b", "d"]],
    ["quotes that are closed", ["+ a 'b c' d", "e", "+ a 'it'\\''s'", "f"], ["e", "f"]],
    ["quotes of busybox", ["+ a 'it'\"'\"'s'", "b"], ["b"]],
    ["several lines in quotes", ["+ KEY='one", "two", "three' four", "five"], ["five"]],
    ["several lines, and more on the last", ["+ a 'b", "c' 'd", "e'", "f"], ["f"]],
    ["quotes with escapes", ["+ a $'it\\'s'", "b"], ["b"]],
    ["several lines in quotes with escapes", ["+ a $'it\\'s", "it' b", "c"], ["c"]],
    ["an escaped quote", ["+ a it\\'s", "b"], ["b"]],
    ["double quotes", ['+ a "b', 'c" d', "e"], ["e"]],
    ["a backslash between single quotes", ["+ a 'b\\'", "c"], ["c"]],
    ["quotes that are never closed", ["a", "+ b 'c", "d", "e"], ["a"]],
  ])("%s", (_, lines, expected) => {
    expect(withoutTraces(lines, quoted())).toEqual(expected);
  });

  test("a shell that does not quote what it traces hides single lines only", () => {
    expect(withoutTraces(["+ echo it's", "an error", "+ a 'b", "c'"], raw)).toEqual([
      "an error",
      "c'",
    ]);
  });

  test.each<[string, string, string[], string[]]>([
    ["a word", "trace: ", ["trace: a", "ttttrace: b", "race: c"], ["race: c"]],
    ["one that ends in an expansion", "+${LINENO}: ", ["+5: a", "++7: b", "5: c"], ["5: c"]],
    ["one with a command", "# $(date) ", ["# now a", "## now b", "#c"], ["#c"]],
    ["signs of regular expressions", "[x*] ", ["[x*] a", "[[x*] b", "[xx] c"], ["[xx] c"]],
    ["nothing", "", ["a", "b"], []],
  ])("PS4 is %s", (_, prefix, lines, expected) => {
    expect(withoutTraces(lines, quoted(prefix))).toEqual(expected);
  });
});

test("an expanded PS4 is known by a sample of it", () => {
  const tracing = { prefixes: [samplePattern("12:05 f.sh:7> ")], isQuoted: true };
  const lines = ["12:05 f.sh:7> a", "9:59 f.sh:130> b", "112:05 f.sh:7> c", "12:05 g.sh:7> d"];
  expect(withoutTraces(lines, tracing)).toEqual(["12:05 g.sh:7> d"]);
  expect([isExpanded("$X"), isExpanded("`x`"), isExpanded("+$X"), isExpanded("")]).toEqual([
    true,
    true,
    false,
    false,
  ]);
});

describe("the values of PS4", () => {
  test.each<[string, string | undefined, string, string[]]>([
    ["of a script that has none", undefined, "handler() { :; }", ["+ "]],
    ["that are reported", "# ", "handler() { :; }", ["+ ", "# "]],
    ["in the text, in quotes", "+ ", "PS4='# '\nPS4=\"> $X\"; PS4=%\n", ["+ ", "# ", "> $X", "%"]],
    ["that are empty, in a script that traces", "", "set -x", ["+ ", ""]],
    ["that are empty, in a script that traces by name", "", "set -o xtrace", ["+ ", ""]],
    ["that are empty, in a script that does not", "", "set -e\nx=1", ["+ "]],
    ["of another variable", "+ ", "XPS4='# '", ["+ "]],
  ])("%s", (_, reported, text, expected) => {
    expect(tracePrefixes(reported, text)).toEqual(expected);
  });
});
