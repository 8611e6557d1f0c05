/** Coverage by a real bash: what its trace says of every kind of command, line by line. */

import { expect, test } from "bun:test";
import { chmodSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { bootstrapExecutable } from "../testing/bootstrap-process.ts";
import { functionFolder, tool } from "../testing/running-tool.ts";

/** Runs the tests of a function with --coverage and returns what is said of it. */
async function coverage(
  files: Readonly<Record<string, string>>,
  events: readonly unknown[] = [{}],
  options: readonly string[] = [],
) {
  const tests = events.map((event) => ({ event, expect: { responseMatches: "" } }));
  const folder = functionFolder({ ...files, "tests/t.json": JSON.stringify(tests) }, "odd name");
  for (const [name, text] of Object.entries(files)) {
    if (text.startsWith("#!")) chmodSync(join(folder, name), 0o755);
  }
  const before = Object.keys(files).map((name) => readFileSync(join(folder, name), "utf8"));
  // On a busy machine what takes milliseconds may take seconds.
  const given = ["--timeout", "60", "--init-timeout", "60", "--bootstrap", bootstrapExecutable()];
  const args = ["test", "--coverage", ...given, ...options, "."];
  const { out } = await tool(args, { cwd: folder });
  const after = Object.keys(files).map((name) => readFileSync(join(folder, name), "utf8"));
  expect(after).toEqual(before);
  return { text: out.slice(out.indexOf("coverage by lines")), out };
}

/** Every kind of command; a line that is not to be counted as run ends in "# not run". */
const ALL_KINDS = `#!/bin/bash
# A comment.
top=1

helper() {
  local x=1 y
  declare -a list=(
    one
    two
  )
  y=$(echo one line)
  export A=1 B=2
  unset B
  return 0
}

never() {
  echo never # not run
  case 1 in 1) echo inside ;; esac # not run
}

handler() {
  case $1 in
    x) echo matched ;; # not run
    *)
      helper
      ;;
  esac
  if [ "$1" = a ] ||
    [ -n "$1" ]; then
    echo then
  else
    echo else # not run
  fi
  for i in 1 2; do
    echo "$i"
  done | cat |
    tr a b
  cat <<END
text $(echo in a text)
  echo no command
END
  [[ $1 == *x* ||
    $1 == * ]] && (( 1 +
    1 ))
  while read -r line; do
    echo "$line"
  done <<< text
  until true; do
    echo until # not run
  done
  text="several
lines $(echo of text)
"
  printf '%s\\n' \\
    one \\
    two
  ! false
  { echo group; } 2> /dev/null
  ( echo subshell )
  A=1 env > /dev/null
  "$(echo printf)" x
  eval 'echo evaluated'
  \\printf y
  for (( i = 0; i < 1; i++ )); do :; done
  array[0]=1
  sum+=2
  time -p true
  trap 'echo trapped' EXIT
  echo last &
  wait
  return 0
  echo behind # not run
}
`;

test.each(["#!/bin/bash", "#!/bin/sh", "#!/usr/bin/env bash"])(
  "with %s every command that was run is counted, and no other",
  async (shebang) => {
    const script = ALL_KINDS.replace("#!/bin/bash", shebang);
    const { text } = await coverage({ "function.sh": script });
    const missed = script
      .split("\n")
      .flatMap((line, at) => (line.endsWith("# not run") ? [at + 1] : []));
    const said = (/not run: (.*)/.exec(text)?.[1] ?? "").split(", ").flatMap((range) => {
      const [from = 0, to = from] = range.split("-").map(Number);
      return Array.from({ length: to - from + 1 }, (_, at) => from + at);
    });
    expect(said).toEqual(missed);
    expect(text).not.toContain("not measured");
    expect(text.includes("was run by bash as sh")).toBe(shebang === "#!/bin/sh");
  },
);

test("commands in a substitution over several lines are reported as not measured", async () => {
  const { text } = await coverage({
    "function.sh":
      "#!/bin/bash\nhandler() {\n  x=$(\n    if true; then\n      echo 1\n    fi\n  )\n  echo $x\n}\n",
  });
  expect(text).toBe(`coverage by lines
  function.sh: 2 of 2 lines (100 %)
    not measured: lines 4-5: inside a command substitution over several lines; bash's trace has other line numbers for it
`);
});

test("a line of which one command was not run is run in part", async () => {
  const { text } = await coverage({
    "function.sh": '#!/bin/bash\nhandler() {\n  [ -n "$1" ] || return 1\n  echo 1; true\n}\n',
  });
  expect(text).toContain("2 of 2 lines (100 %)\n    run in part: 3\n");
});

test("files that the function sources are measured, others are not", async () => {
  const { text } = await coverage({
    "function.sh":
      '#!/bin/bash\n. "$LAMBDA_TASK_ROOT/lib/help.sh"\n. ./lib/more.sh\nhandler() { help; }\n',
    "lib/help.sh": "help() {\n  echo helped\n}\nunused() {\n  echo no\n}\n",
    "lib/more.sh": "echo loaded >&2\n",
    "lib/other.sh": "echo other\n",
  });
  expect(text).toBe(`coverage by lines
  function.sh: 3 of 3 lines (100 %)
  lib/help.sh: 1 of 2 lines (50 %)
    not run: 5
  lib/more.sh: 1 of 1 lines (100 %)
`);
});

test("a script without a comment in its first line keeps its numbers", async () => {
  const { text } = await coverage({
    "function.sh": 'handler() {\n  echo 1\n  [ -z "$1" ] &&\n    echo no\n  return 0\n}\n',
  });
  expect(text).toContain("function.sh: 3 of 4 lines (75 %)\n    not run: 4\n");
});

test("a file that is run for each event is measured", async () => {
  const { text } = await coverage(
    {
      report:
        '#!/bin/sh\nread -r event\nif [ -n "$event" ]; then\n  echo "$0" >&2\n  echo 1\nelse\n  echo 2\nfi\n',
    },
    [{}],
    ["--handler", "report"],
  );
  expect(text).toContain("report: 4 of 5 lines (80 %)\n    not run: 7\n");
});

test.each([
  [
    "#!/bin/dash\nhandler() { echo 1; }\n",
    "function.handler",
    "function.sh is for dash, whose trace cannot be told from its log",
  ],
  ["#!/usr/bin/awk -f\n{ print }\n", "function.sh", "function.sh is not a shell script"],
  ["#!/bin/sh\nother() { :; }\n", "missing.handler", "no file for the handler missing.handler"],
])("%j: what cannot be measured is said", async (text, handler, reason) => {
  const said = await coverage({ "function.sh": text }, [{}], ["--handler", handler]);
  expect(said.text).toContain(`coverage by lines\n  not measured: ${reason}`);
});

test("options, traps, logs, huge events and parallel runs are as without a trace", async () => {
  const script = `#!/bin/bash -e
set -u
handler() {
  trap 'echo leaving >&2' EXIT
  case $- in *e*u*) echo options kept >&2 ;; esac
  printf '%s' "$1"
  ls /proc/self/fd > /dev/null
}
`;
  const event = "x".repeat(2_000_000);
  const folder = functionFolder({
    "function.sh": script,
    "tests/t.json": JSON.stringify([
      { event, expect: { response: event, logContains: ["leaving"] } },
      { event: 1, expect: { response: 1, logContains: ["options kept"] } },
      { event: 2, expect: { response: 2 } },
    ]),
  });
  const args = [
    "test",
    "--coverage",
    "--workers",
    "3",
    "--bootstrap",
    bootstrapExecutable(),
    folder,
  ];
  const { status, out } = await tool(args);
  expect(out).toContain("3 passed, 0 failed");
  expect(out).toContain("function.sh: 5 of 5 lines (100 %)\n");
  expect(status).toBe(0);
});

test("nothing is left behind in the folder for temporary files", () => {
  const left = readdirSync(tmpdir()).filter((name) => name.startsWith("lambda-shell-trace-"));
  expect(left).toEqual([]);
});

test("of a script that would take too long to be read no line is measured, and that is said", async () => {
  const script = `#!/bin/bash\nhandler() {\n:\n}\nother() { cat <<E\n${"${a#(".repeat(10_000)}\nE\n}\n`;
  const { text } = await coverage({ "function.sh": script });
  expect(text).toContain("not measured: lines 1-8: takes too long to be read");
});

test("a value with a colon before a variable is run as any other", async () => {
  const lines = [
    "PATH=$PATH:$LAMBDA_TASK_ROOT/bin",
    "export Z=$HOME:$PATH/c",
    "handler() {",
    "  x=$HOME:$PATH/c",
    "  y=$HOME:$PATH/c env > /dev/null",
    "  a[1]=$HOME:$PATH/c b=2",
    '  if [ "$1" = never ]; then',
    "    x=$HOME:$PATH/d",
    "    x=$HOME:$PATH/d ls",
    "  fi",
    "}",
  ];
  for (const first of ["#!/bin/bash", "# sh"]) {
    const script = `${first}\n${lines.join("\n")}\n`;
    const { text } = await coverage({ "function.sh": script });
    expect(text).toContain("function.sh: 6 of 8 lines (75 %)\n    not run: 9-10");
  }
});
