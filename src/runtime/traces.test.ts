import { describe, expect, test } from "bun:test";

import {
  isExpanded,
  mentionsTracing,
  prefixPattern,
  samplePattern,
  type TracePrefix,
  tracePrefixes,
  type Tracing,
  variablePattern,
  withoutTraces,
} from "./traces.ts";

function tracing(...prefixes: readonly TracePrefix[]): Tracing {
  return { prefixes, isQuoted: true, mayTrace: false, isUnknown: false };
}

const quoted = (prefix = "+ ") => tracing(prefixPattern(prefix));
const raw = { ...quoted(), isQuoted: false };

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

  test.each<[string, string[], string[]]>([
    ["a line without its end", ["Password:+ a token", "b"], ["Password:", "b"]],
    ["such a line of several", ["p++ a 'b", "c' d", "e"], ["p", "e"]],
    ["the same twice", ["a+ b", "c+ d"], ["a", "c"]],
  ])("after %s", (_, lines, expected) => {
    expect(withoutTraces(lines, { ...quoted(), mayTrace: true })).toEqual(expected);
    // A trace at the beginning of a line shows that commands are traced.
    expect(withoutTraces(["+ x", ...lines], quoted())).toEqual(expected);
    expect(withoutTraces(lines.slice(0, 1), quoted())).toEqual(lines.slice(0, 1));
  });

  test.each<[string, string[], string[]]>([
    ["a program's message", ["+ cat f", "cat: f: No such file"], ["cat: f: No such file"]],
    ["by its path", ["+ A=b /bin/cat f", "cat: f"], ["cat: f"]],
    ["of a pipe", ["+ curl u", "+ jq .", "curl: (7) x", "jq: y"], ["curl: (7) x", "jq: y"]],
    [
      "the shell's",
      ["+ nosuch", "/var/task/f.h: 3: nosuch: not found"],
      ["/var/task/f.h: 3: nosuch: not found"],
    ],
    ["what is said", ["+ echo it's wrong", "it's wrong"], ["it's wrong"]],
    ["an error's type", ["+ f", "AuthError: no token"], ["AuthError: no token"]],
    [
      "an error",
      ["+ aws x", "An error occurred (Denied)", "error: y"],
      ["An error occurred (Denied)", "error: y"],
    ],
    ["what comes before", ["hunter2", "+ f"], ["hunter2"]],
    ["a key", ["+ : -----BEGIN", "hunter2", "-----END"], []],
    ["a key that is written", ["+ echo -----BEGIN", "hunter2", "-----END"], []],
    ["JSON", ["+ curl -d {", ' "password": "hunter2"', "}", "curl: (7) x"], ["curl: (7) x"]],
    ["YAML", ["+ K=user: a", "password: hunter2"], []],
    ["two quotes", ["+ echo it's", "+ a 'b", "c'"], []],
  ])("a shell that does not quote what it traces: %s", (_, lines, expected) => {
    expect(withoutTraces(lines, raw)).toEqual(expected);
  });

  test.each<[string, string, string[], string[]]>([
    ["a word", "trace: ", ["trace: a", "ttttrace: b", "race: c"], ["race: c"]],
    ["one that ends in an expansion", "+${LINENO}: ", ["+5: a", "++7: b", "5: c"], ["5: c"]],
    ["one with a command", "# $(date) ", ["# now a", "## now b", "#c"], ["#c"]],
    ["signs of regular expressions", "[x*] ", ["[x*] a", "[[x*] b", "[xx] c"], ["[xx] c"]],
    ["nothing", "", ["a", "b"], []],
    ["a character of two units", "😀 ", ["😀 a", "😀😀 b", "c😀 d", "e"], ["c", "e"]],
    ["such a character alone", "😀", ["😀a", "😀😀b", "e"], ["e"]],
  ])("PS4 is %s", (_, prefix, lines, expected) => {
    expect(withoutTraces(lines, quoted(prefix))).toEqual(expected);
  });
});

test("an expanded PS4 is known by a sample of it", () => {
  const sampled = tracing(samplePattern("12:05 f.sh:7> "));
  const lines = ["12:05 f.sh:7> a", "9:59 f.sh:130> b", "112:05 f.sh:7> c", "12:05 g.sh:7> d"];
  expect(withoutTraces(lines, sampled)).toEqual(["12:05 g.sh:7> d"]);
  expect([isExpanded("$X"), isExpanded("`x`"), isExpanded("+$X"), isExpanded("")]).toEqual([
    true,
    true,
    false,
    false,
  ]);
});

describe("a PS4 of variables and commands", () => {
  test.each<[string, string[], string[]]>([
    [
      "${BASH_SOURCE##*/}:${LINENO}:${FUNCNAME[0]:-}: ",
      ["::7: a", "ff.sh:12:g: b", "cat: /f: No such file", "f.sh: line 3: x: not found"],
      ["cat: /f: No such file", "f.sh: line 3: x: not found"],
    ],
    ["$N> ", ["n> a", "nn> b", "cat: > c"], ["cat: > c"]],
    ["${N:-no name} # ", ["n # a", "no name # b", "c"], ["c"]],
    ["$LINENO $N> ", ["77 n> a", "x n> b"], ["x n> b"]],
    ["${FUNCNAME[*]} | ", ["g h | a", "| b", "c"], ["| b", "c"]],
    ["$EPOCHREALTIME: $?: ", ["1764.05: 0: a", "a: 0: b"], ["a: 0: b"]],
    ["${X:-${Y}}# ", ["x# a", "x y"], ["x y"]],
    ["$(exit 9)+ ", ["+ a", "f.sh: line 3: X: is needed"], ["f.sh: line 3: X: is needed"]],
    ["$(date +%T)> ", ["12:05:01> a", "b"], ["b"]],
    ["`date` [$$] ", ["Sat Nov 28 [7] a", "[7] b"], ["[7] b"]],
  ])("%s", (prefix, lines, expected) => {
    const pattern = variablePattern(prefix);
    expect(withoutTraces(lines, tracing(...(pattern === undefined ? [] : [pattern])))).toEqual(
      expected,
    );
  });

  test.each([
    ["$(date) $(hostname) $(basename $0) + ", `${"Mon Nov 30 15:33:21 UTC 2026 "}host f.sh + `],
    ["${BASH_SOURCE[*]}:$LINENO:${FUNCNAME[*]}: ", `${"/var/task/f.sh ".repeat(50)}:7:f handler: `],
    ["$BASH_SOURCE $FUNCNAME $LINENO> ", `/${"folder/".repeat(500)}f.sh handler 12> `],
    ["$A$B$C> ", `${"x".repeat(150)}> `],
  ])("is known with several values: %s", (prefix, begun) => {
    const pattern = variablePattern(prefix) ?? expect.unreachable();
    expect(withoutTraces([`${begun}curl token`, "b"], tracing(pattern))).toEqual(["b"]);
  });

  // Tried one after the other, the lengths of their values would take hours.
  test.each([
    ["$A$B$C$D$E$F$G> ", "abcdefg> "],
    ["$(a)$(b)$(c)$(d)$(e)$(f)$(g)> ", "a b> "],
    ["$A-$B-$C-$D-$E-$F-$G-$H> ", "a-b--d-e-f-g-h> "],
    ["${A[*]} ${B[*]} ${C[*]} ${D[*]} ${E[*]} ${F[*]} ${G[*]}> ", "a b c d e f g h> "],
  ])("is looked for in time: %s", (prefix, begun) => {
    const { lengthIn } = variablePattern(prefix) ?? expect.unreachable();
    for (const letter of "x- ") {
      const line = letter.repeat(20_000);
      expect([lengthIn(line), lengthIn(`${line}>`)]).toEqual([undefined, undefined]);
    }
    expect(lengthIn(`${begun}> x`)).toBe(begun.length);
  });

  test("that is set to what is not known hides all that comes after it", () => {
    const known = tracing(prefixPattern("+ "));
    const unknown = { ...known, mayTrace: true, isUnknown: true };
    const lines = ["a", "+ MARK='@ '", "+ PS4='@ '", "@ : token", "last words"];
    expect(withoutTraces(lines, unknown)).toEqual(["a"]);
    expect(withoutTraces(lines.with(2, "@ PS4='@ '"), unknown)).toEqual(["a"]);
    expect(withoutTraces(lines, known)).toEqual(["a", "@ : token", "last words"]);
  });

  test("that is repeated is looked for from the beginning of a row", () => {
    const { inLine } = prefixPattern("+ ");
    expect(inLine?.exec("a+++ b")?.index).toBe(1);
    expect(inLine?.exec("++ + b")?.index).toBe(0);
    // A row of n would be tried n times.
    expect(inLine?.source).toStartWith("(?<!");
  });

  test.each(["$(date): ", "`date`: ", "\\t: ", "$N ", "$N", "$N and $M ", "$N: ", "$N: $M"])(
    "that nothing marks is not known: %s",
    (prefix) => {
      expect(variablePattern(prefix)).toBeUndefined();
      const unknown = { ...quoted(), mayTrace: true, isUnknown: true };
      expect(withoutTraces(["x a", "y"], unknown)).toEqual([]);
      expect(withoutTraces(["x a", "+ y"], unknown)).toEqual(["x a"]);
      expect(withoutTraces(["x a"], { ...unknown, mayTrace: false })).toEqual(["x a"]);
    },
  );
});

test.each([
  ["set -x", true],
  ["set -eux", true],
  ["set -o xtrace", true],
  ['  [ -n "$DEBUG" ] && set -x', true],
  ["typeset -ft handler", true],
  ["typeset -f -xt f", true],
  ["typeset -fx f", false],
  ["set -e\nx=1", false],
  ["reset -x", false],
])("whether %j may trace", (text, expected) => {
  expect(mentionsTracing(text)).toBe(expected);
});

describe("the values of PS4", () => {
  test.each<[string, string | undefined, string, string[]]>([
    ["of a script that has none", undefined, "handler() { :; }", ["+ "]],
    ["that are reported", "# ", "handler() { :; }", ["+ ", "# "]],
    ["in the text, in quotes", "+ ", "PS4='# '\nPS4=\"> $X\"; PS4=%\n", ["+ ", "# ", "> $X", "%"]],
    ["that are empty", "", "set -x", ["+ ", ""]],
    ["that are unset", "+ ", "f() { unset -v PS4; }", ["+ ", ""]],
    ["that are read", "+ ", "read -r PS4 </dev/null", ["+ ", ""]],
    ["that are printed", "+ ", "printf -v PS4 '# '", ["+ ", ""]],
    ["that are declared, or shown", "+ ", "local PS4='# '; printf x $PS4", ["+ ", "# "]],
    ["that a comment names", "+ ", "# read by PS4\nunset x # PS4", ["+ "]],
    ["of another variable", "+ ", "XPS4='# '", ["+ "]],
    [
      "in several quotes",
      "+ ",
      "PS4=$C'> '\nPS4=\">\"' 'x; PS4=\\>\\ ",
      ["+ ", "$C> ", "> x", "> "],
    ],
    [
      "with escapes",
      "+ ",
      "PS4=$'\\e[1m+\\033[0m '; PS4=\"\\$X> \"",
      ["+ ", "\x1b[1m+\x1b[0m ", "$X> "],
    ],
    [
      "with commands",
      "+ ",
      "PS4='$(date '+%T')> '\nPS4=$(date '+%T' | cat)'> '",
      ["+ ", "$(date +%T)> ", "$(date '+%T' | cat)> "],
    ],
    ["of several lines", ">\n> ", "PS4='-\n# '", ["+ ", "> ", "# "]],
    ["that are added", "+ ", "PS4+='> '", ["+ ", "> "]],
    ["in evaluated text", "+ ", 'eval "PS4=\'> \'"\necho "x"', ["+ ", "echo x", "> "]],
  ])("%s", (_, reported, text, expected) => {
    expect(tracePrefixes(reported, text)).toEqual(expected);
  });
});
