import { expect, test } from "bun:test";

import { readScript } from "./script-reading.ts";

const POSIX = [
  'x=${1:-null} y=${A:-"{}"} z=${A:=1} w=${A:+yes} v=${A:?missing} u=${A-1}',
  "x=${#A} y=${A%.*} z=${A%%/*} w=${A#*/} v=${A##*:} u=${1:-$2} t=${A:-${B:-1}}",
  '[ "$1" = a ] && echo b; case $1 in [ab]) : ;; esac',
  "x=$((1 + 2)); y=$(date); z=`date`",
  "cat <<END\nx ${1:-y}\nEND",
  'f() ( set -eu; : "$@" ); local_x=1; f 2>&1 | tee >&2',
  "read -r line; printf '%s' \"$line\"; echo -n x; . ./lib.sh; trap 'rm x' EXIT",
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

test.each(BASH)("%j has what is bash's: %s", async (script, what) => {
  expect((await readScript(script)).bashOnly[0]).toEqual({ line: 1, text: what });
});
