import { expect, test } from "bun:test";

import { readScript } from "./script-reading.ts";

const BLANK_AFTER = "needs a blank after it";
const BLANK_BEFORE = "needs a blank before it";
const STATUS = "takes a status from 0 to 255, not a text";
const FILE = "takes the event for the name of a file";

/** What bash says of each, with the event `{"a":1}` in `$1`. */
const SLIPS: readonly (readonly [script: string, message: string, said: RegExp])[] = [
  ["city = Rome", "city = … runs a program named city", /city: command not found/],
  ["city =Rome", "city = … runs a program named city", /city: command not found/],
  ['city = "$1"', "city = … runs a program named city", /city: command not found/],
  ["a == b", "a == … runs a program named a", /a: command not found/],
  ["if [$1 = x ]; then :; fi", `[ ${BLANK_AFTER}`, /command not found/],
  ['["$1" = x ] || :', `[ ${BLANK_AFTER}`, /command not found/],
  ["[[$1 == x ]] || :", `[[ ${BLANK_AFTER}`, /command not found/],
  ["[ x = y] || :", `] ${BLANK_BEFORE}`, /missing `\]'/],
  ['if [ -n "$1"]; then :; fi', `] ${BLANK_BEFORE}`, /missing `\]'/],
  ['[ "$1"="x" ] && echo always', "is always true", /always/],
  ['[[ $1="x" ]] && echo always', "is always true", /always/],
  ["f() { return '{}'; }; f", `return ${STATUS}`, /numeric argument required/],
  ['f() { return "no $1"; }; f', `return ${STATUS}`, /numeric argument required/],
  ['f() { return {"a":1}; }; f', `return ${STATUS}`, /numeric argument required/],
  ["f() { return true; }; f", `return ${STATUS}`, /numeric argument required/],
  ['exit "failed: $1"', `exit ${STATUS}`, /numeric argument required/],
  ['f() { jq .a "$1"; }; f "$1"', `jq … "$1" ${FILE}`, /Could not open|jq/],
  ['f() { x=$(jq -r .a $1); }; f "$1"', `jq … "$1" ${FILE}`, /Could not open|jq/],
  ['f() { jq -c --arg b x . "${1}"; }; f "$1"', `jq … "$1" ${FILE}`, /Could not open|jq/],
  ['f() { cat "$1" | wc -c; }; f "$1"', `cat … "$1" ${FILE}`, /No such file or directory/],
];

test.each(SLIPS)("%j is told, and bash says so too", async (script, message, said) => {
  const { slips } = await readScript(script);
  expect(slips.map((slip) => slip.message)).toEqual([expect.stringContaining(message)]);
  const run = Bun.spawnSync(["bash", "-c", script, "bash", '{"a":1}'], { stderr: "pipe" });
  expect(`${run.stdout}${run.stderr}`).toMatch(said);
});

test.each([
  "city=Rome; city= env; IFS= read -r line; x=a=b",
  'let "x = 1"; expr 1 = 1; export a=1; echo x = y; printf "= %s" =',
  '$city = Rome; "$x" = y; ./city = x',
  '[ "$1" = x ]; [ ! -e x ]; [ -n "${a[0]}" ]; [ "a=b" ]; [ "$(ls [a-z])" = x ]; [\ta = b\t]',
  "[[ $1 == [a-z]* ]]; [[ $1 =~ ^[a-z]+=$ ]]; [[ -n ${a[1]} ]]; (( a[1] == 2 )); [[ $1 == *[x] ]]",
  'return; return 1; return $?; return "$x"; return "$((x + 1))"; return $(f); exit -1; exit "${s:-1}"',
  'f() { jq .a; jq -n --arg e "$1" x; jq --args . "$1"; jq -f x "$1"; jq -rn x "$1"; jq --arg a "$1" .; }',
  'f() { printf %s "$1" | jq .a; jq .a <<< "$1"; cat; cat < x; cat "$2"; }',
  'jq .a "$1"; cat "$1"',
])("%j is right", async (script) => {
  expect((await readScript(script)).slips).toEqual([]);
});

test("a command is one of the loading only where nothing decides on it", async () => {
  const { loading } = await readScript(
    'f() { g; }\nf "$@"\n[ -n "$1" ] && f\nif a; then f; fi\nx=$(f)\nf > x\n{ f; }\n',
  );
  expect(loading.map(({ line, text }) => `${line} ${text}`)).toEqual(["2 f"]);
});
