import { expect, test } from "bun:test";

import { MAYBE_BASH, readScript } from "./script-reading.ts";

const POSIX = [
  'x=${1:-null} y=${A:-"{}"} z=${A:=1} w=${A:+yes} v=${A:?missing} u=${A-1}',
  "x=${#A} y=${A%.*} z=${A%%/*} w=${A#*/} v=${A##*:} u=${1:-$2} t=${A:-${B:-1}}",
  '[ "$1" = a ] && echo b; case $1 in [ab]) : ;; esac',
  "x=$((1 + 2)); y=$(date); z=`date`",
  "cat <<END\nx ${1:-y}\nEND",
  'f() ( set -eu; : "$@" ); local_x=1; f 2>&1 | tee >&2',
  "read -r line; printf '%s' \"$line\"; echo -n x; . ./lib.sh; trap 'rm x' EXIT TERM",
  "local x=1 y; export A=1; readonly B=2; export -p; wait; wait $!; type ls; kill -TERM $!; kill -0 1",
  'set -eu; set -o errexit; set -- a b; exec 3>&1; exec 3>&-; : >&2; : > "$x"; cat >&"$fd"',
  `printf '{"a":1,"b":'"$x"'}'; echo '{a,b}' "{a,b}" {} {a} x{; printf '100%%q'; find . -exec ls {} +`,
  'test "$1" = a -a -z "$2"; [ -n "$1" ] || [ ! -e x ]; case $1 in a) : ;; b) : ;; esac',
];

test.each(POSIX)("%j is any shell's", async (script) => {
  expect((await readScript(script)).bashOnly).toEqual([]);
});

const BASH: readonly (readonly [script: string, what: string])[] = [
  ["x=${A:1}", "${A:1}"],
  ["x=${A:0:2}", "${A:0:2}"],
  ["x=${A: -3}", "${A: -3}"],
  ["x=${A/a/b}", "${A/a/b}"],
  ["x=${A^^}", "${A^^}"],
  ["x=${A,,}", "${A,,}"],
  ["x=${!A}", "${!A}"],
  ["x=${A[0]}", "${A[0]}"],
  ["x=${A@Q}", "${A@Q}"],
  ["a=(1 2)", "an array"],
  ["[[ -n $1 ]]", "[["],
  ["(( 1 + 1 ))", "(("],
  ["for ((i=0; i<3; i++)); do :; done", "for (("],
  ["function f { :; }", "function"],
  ["cat <<< x", "<<<"],
  ["diff <(a) <(b)", "<("],
  ["x=$'a\\n'", "$'…'"],
  ["a &> b", "&>"],
  ["a |& b", "|&"],
  ["source x", "source"],
  ["declare x=1", "declare"],
  ["echo -e x", "echo -e"],
  ["printf -v x y", "printf -v"],
  ["read -ra x", "read -ra"],
  ["echo $RANDOM", "$RANDOM"],
  ["trap 'x' ERR", "trap … ERR"],
];

/** The same, with what a shell prints or how it ends as proof that it is not the same in both. */
const RUNNABLE: readonly (readonly [script: string, what: string])[] = [
  ["select x in a; do echo $x; break; done <<END\n1\nEND", "select"],
  ["x=a; x+=b; echo $x", "+="],
  ["[ a == a ] && echo same", "[ … == … ]"],
  ["test a == a && echo same", "test … == …"],
  ["x=1; [ -v x ] && echo set", "[ -v"],
  ["x=1; test -v x && echo set", "test -v"],
  ["echo {1..3}", "{1..3}"],
  ["echo file.{a,b}", "file.{a,b}"],
  ["set -o pipefail; echo ok", "set -o pipefail"],
  ["set -euo pipefail; echo ok", "set -o pipefail"],
  ["f() { local -r x=1; echo $x; }; f", "local -r"],
  ["f() { echo f; }; export -f f; echo ok", "export -f"],
  ["sleep 0 & wait -n && echo ok", "wait -n"],
  ["case a in a) echo 1 ;;& a) echo 2 ;; esac", ";;&"],
  ["case a in a) echo 1 ;& b) echo 2 ;; esac", ";&"],
  ["f() { trap 'echo r' RETURN; :; }; f", "trap … RETURN"],
  ["trap 'echo t' SIGTERM; kill $$; echo ok", "trap … SIGTERM"],
  ["kill -SIGCONT $$ && echo ok", "kill … -SIGCONT"],
  ["exec {fd}> /dev/null; echo $fd", "exec {fd}"],
  ["type -t echo", "type -t"],
  ["printf %q 'a b'", "printf %q"],
  ['x=$"text"; echo "$x"', '$"…"'],
  ["ls /nowhere >& /dev/null; echo ok", ">& FILE"],
  ["f() { caller; }; f", "caller"],
];

test.each(RUNNABLE)("%j is not the same in dash", (script) => {
  const run = (...shell: readonly string[]) => {
    const ran = Bun.spawnSync([...shell, "-c", script], { stdin: "ignore", stderr: "ignore" });
    return [ran.exitCode, ran.stdout.toString()];
  };
  expect(run("dash")).not.toEqual(run("bash", "--posix"));
});

test.each([...BASH, ...RUNNABLE])("%j is not passed over", (script) => {
  expect(MAYBE_BASH.test(script)).toBe(true);
});

test.each([...BASH, ...RUNNABLE])("%j has what is bash's: %s", async (script, what) => {
  expect((await readScript(script)).bashOnly).toContainEqual({ line: 1, text: what });
});

test("a chain of more commands than calls can be nested is read to its end", async () => {
  const chain = Array.from({ length: 20_000 }, () => "[[ $a ]]").join(" && ");
  const { bashOnly, commands } = await readScript(`${chain}\n. ./after.sh | last`);
  expect(bashOnly.length).toBe(20_000);
  expect(commands.at(-1)).toMatchObject({ name: "last" });
});

test.each([
  ["PATH=$PATH:$LAMBDA_TASK_ROOT/bin", []],
  ["export PATH=$PATH:$HOME/bin:$A/b", []],
  ["x=$a:$b/c y=$a:$b/d", []],
  ["PATH=$a:$b/bin find . -name x", ["find . -name x"]],
  ["x=$a:$b/c; y= ls -l", ["ls -l"]],
])("a value with a colon before a variable is not a command: %j", async (script, expected) => {
  const { commands } = await readScript(script);
  expect(commands.map(({ name, words }) => [name, ...words].join(" "))).toEqual([...expected]);
});
