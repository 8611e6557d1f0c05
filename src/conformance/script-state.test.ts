/**
 * Files that change their shell in every way that a script can: their events get their responses all the
 * same, and nothing of the runtime shows in the log.
 *
 * @module
 */

import { describe, expect, test } from "bun:test";

import { EnvironmentUnderTest } from "../testing/environment-under-test.ts";
import { expectOutcome } from "../testing/expectations.ts";
import { FURTHER_SHELLS, shell as shellOf, type ShellName, SHELLS } from "../testing/shells.ts";

const POSIX_SHELLS: readonly ShellName[] = ["dash", "busybox ash", "ksh93", "mksh"];
const BASHES: readonly ShellName[] = ["bash", "bash as sh"];
const ALL = [...SHELLS, ...FURTHER_SHELLS].map(({ name }) => name);

/** mksh has no printf of its own, and some of these files leave it no PATH. */
const HANDLER = `handler() {
  case \${KSH_VERSION-} in *MIRBSD*) print -rn -- "$1|$#" ;; *) printf '%s|%s' "$1" "$#" ;; esac
}`;

interface Change {
  /** Commands at the beginning of the file. */
  readonly head: string;
  readonly shells?: readonly ShellName[];
  /** Commands at its end. */
  readonly tail?: string;
}

const READONLY = [
  ...["TMOUT", "LC_ALL", "LANG", "POSIXLY_CORRECT", "_", "OPTIND", "OPTARG", "IFS", "PATH", "HOME"],
  ...["PWD", "OLDPWD", "PS4", "ENV", "REPLY", "RANDOM", "SECONDS", "LINENO", "BASH_ENV", "COLUMNS"],
  ...["BASH_EXECUTION_STRING", "BASH_COMMAND", "BASH_XTRACEFD", "FUNCNAME", "SHLVL", "CDPATH"],
];

/** What may be made readonly by a value only where the file does not need it any more. */
const VALUES: Readonly<Record<string, string>> = {
  TMOUT: "300",
  LC_ALL: "C",
  PATH: "/bin",
  IFS: ":",
};

const CHANGES: readonly Change[] = [
  ...READONLY.map((name) => ({ head: `readonly ${name}` })),
  ...Object.entries(VALUES).map(([name, value]) => ({
    head: `${name}=${value}; readonly ${name}`,
  })),
  { head: "readonly POSIXLY_CORRECT=y" },
  { head: `readonly ${READONLY.filter((name) => name !== "_").join(" ")}` },
  { head: "POSIXLY_CORRECT=7; export POSIXLY_CORRECT" },
  { head: "TMOUT=1; export TMOUT" },

  ...Array.from("abCefkmuhBPpET", (letter) => ({ head: `set -${letter}`, shells: BASHES })),
  ...Array.from("abCefu", (letter) => ({ head: `set -${letter}`, shells: POSIX_SHELLS })),
  { head: "set -abCefuET -o pipefail", shells: BASHES },
  { head: "set +hB", shells: BASHES },
  { head: "set -o posix", shells: BASHES },
  { head: "set +o posix", shells: BASHES },
  { head: "set -H; set -o history", shells: BASHES },
  ...[
    ...["extdebug", "expand_aliases", "inherit_errexit", "varredir_close", "execfail", "lastpipe"],
    ...["localvar_inherit", "xpg_echo", "failglob", "nullglob", "shift_verbose", "compat31"],
  ].map((name) => ({ head: `shopt -s ${name}`, shells: BASHES })),
  { head: "shopt -u interactive_comments sourcepath checkwinsize", shells: BASHES },

  ...[
    ...["command", "builtin", "declare", "enable", "shopt", "kill", "unset", "set", "trap", "exec"],
    ...["eval", "exit", "export", "readonly", "shift", ".", ":", "return", "[", "test", "read"],
  ].map((name) => ({
    head: `function ${name} { \\command echo "called ${name}"; return 9; }`,
    shells: ["bash"] as const,
  })),
  ...["command", "kill", "read", "test", "type", "echo", "unalias", "ulimit", "wait"].map(
    (name) => ({
      head: `${name}() { :; }`,
      // ksh93 forks for a subshell only when it is told to, by a builtin.
      shells: [...BASHES, "dash", "busybox ash", "mksh"] as const,
    }),
  ),
  ...["command", "builtin", "declare", "shopt", "kill", "enable", "test", "printf", "readonly"].map(
    (name) => ({ head: `enable -n ${name}`, tail: `enable ${name}`, shells: ["bash"] as const }),
  ),
  ...["command", "builtin", "declare", "shopt", "kill", "test", "readonly", "return"].map(
    (name) => ({
      head: "",
      tail: `enable -n ${name}`,
      shells: BASHES,
    }),
  ),
  {
    head: "",
    tail: `for word in if then else fi case esac while do done { } ! . : eval exec exit export set trap \\
        unset shift command readonly handler; do alias "$word=echo alias" || :; done 2>/dev/null`,
  },
  {
    head: "shopt -s expand_aliases",
    tail: "for word in . : eval exec exit set trap handler command; do alias $word='echo alias'; done",
    shells: BASHES,
  },

  { head: "trap 'echo trap >&2; exit 9' CHLD" },
  { head: "trap '' CHLD" },
  { head: "trap '' HUP INT QUIT PIPE ALRM TERM USR1 USR2" },
  { head: "trap 'exit 9' HUP INT QUIT PIPE ALRM TERM USR1 USR2" },
  { head: "trap 'echo trap >&2' ERR", shells: [...BASHES, "ksh93", "mksh"] },
  { head: "trap 'exit 9' ERR; set -E", shells: BASHES },
  { head: "trap 'exit 9' RETURN; trap - RETURN; set -T", shells: BASHES },

  { head: "umask 777" },
  { head: "ulimit -n 32" },
  { head: "ulimit -f 0" },
  { head: "exec <&-" },
  { head: "exec >&-" },
  { head: "exec 2>&-" },
  { head: "exec <&- >&- 2>&-" },
  { head: "exec 3</dev/null 4</dev/null 5</dev/null 9</dev/null" },
  { head: "LC_ALL=tr_TR.ISO-8859-9; export LC_ALL", shells: ["dash", "busybox ash"] },
  { head: "LANGUAGE=de LC_MESSAGES=C; export LANGUAGE LC_MESSAGES" },
  { head: "unset PATH HOME PWD LANG LC_ALL IFS PS4 2>/dev/null" },
  ...["/", "0123456789", "", ".", "erp"].map((value) => ({ head: `IFS='${value}'; export IFS` })),
  { head: "PATH=; export PATH" },
  { head: "set -- a b c" },
  { head: "cd /" },
  { head: "sleep 100 >/dev/null 2>&1 &" },
  { head: "PS4='$(exit 3)'; export PS4" },
];

function titleOf({ head, tail }: Change): string {
  return head || `… ${(tail ?? "").split("\n")[0]}`;
}

describe.each(ALL)("%s", (shell) => {
  const changes = CHANGES.filter(({ shells = ALL }) => shells.includes(shell));
  test.concurrent.each(changes.map((change) => [titleOf(change), change] as const))(
    "responds although its file says: %s",
    async (_, { head, tail = "" }) => {
      await using environment = await EnvironmentUnderTest.start({
        shell,
        files: { "function.sh": `${head}\n${HANDLER}\n${tail}\n` },
        // A locale that every shell has.
        env: { LANG: "C.UTF-8" },
      });
      const { api, bootstrap, exited } = environment;
      for (const body of ["it's 1", "two", "two\n"]) {
        const invocation = api.enqueue({ body });
        const end = await Promise.race([invocation.posted, exited]);
        if ("signal" in end) throw new Error(`the runtime ended: ${bootstrap.stderr}`);
        expectOutcome(invocation, { response: `${body}|1` });
      }
      await api.idle();
      // With a readonly _ bash itself complains, at each command.
      const log = bootstrap.stderr.replaceAll(/.*: _: readonly variable\n/g, "");
      expect(log).not.toMatch(/\/fd\/|POSIXLY|called|alias|trap/);
    },
  );
});

/** What a handler can see of its shell's options. */
const OPTIONS_SEEN = "handler() { printf '%s\\n' function.*; set +o; shopt -p 2>/dev/null || :; }";

const BASH_OPTIONS = [
  ...["set -kT", "set -E", "set -o posix", "set +o posix", "set -e +o posix", "set -o pipefail"],
  ...["shopt -s nullglob", "shopt -u sourcepath"],
];

describe.each(ALL)("the handler finds the options of %s as its file has left them", (shell) => {
  const heads = [
    ...["", "set -f", "set -e", "set -u", "set -aC", "set -b", "set -efu", "set +f"],
    ...(BASHES.includes(shell) ? BASH_OPTIONS : []),
  ];
  test.concurrent.each(heads)("%j", async (head) => {
    await using environment = await EnvironmentUnderTest.start({
      shell,
      files: { "function.sh": `${head}\n${OPTIONS_SEEN}\n` },
      env: { LANG: "C.UTF-8" },
    });
    const { api, bootstrap, taskRoot } = environment;
    const [program = "", ...options] = shellOf(shell).shebang.slice("#!".length).split(" ");
    const call = [program, ...options, "-c", ". ./function.sh\nhandler event\n"];
    const env = { PATH: "/usr/bin:/bin", LANG: "C.UTF-8" };
    const plain = Bun.spawnSync(call, { cwd: taskRoot, env });
    for (const event of ["one", "x".repeat(40_000)]) {
      const response = await api.invoke({ body: event });
      expect(response.latin1).toBe(plain.stdout.toString("latin1"));
    }
    expect(bootstrap.stderr).toBe(plain.stderr.toString());
  });
});

test.concurrent.each(ALL)("a handler of %s has no jobs but its own", async (shell) => {
  await using environment = await EnvironmentUnderTest.start({
    shell,
    files: { "function.sh": "handler() { jobs; jobs -p; }" },
  });
  for (let event = 0; event < 2; event += 1) {
    expect((await environment.api.invoke()).latin1).toBe("");
  }
});
