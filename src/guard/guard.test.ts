/** Nothing that the tool starts outlives it, whatever ends it. */

import { expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { ARCHITECTURES } from "../../build/architectures.ts";
import { temporaryFolder } from "../testing/temporary-folder.ts";
import { endGuarded, guarded, startErrno } from "./guard.ts";

const GUARD = join(import.meta.dir, "guard.ts");

/** The executable of the guard as `guard.ts` has it for an architecture. */
function executable(architecture: string): Buffer {
  const text = readFileSync(GUARD, "utf8");
  const lines = new RegExp(`  ${architecture}:\\n((?:    "[A-Za-z0-9+/=]+"(?: \\+|,)\\n)+)`).exec(
    text,
  );
  return Buffer.from(
    (lines?.[1] ?? "").replace(/[\s"+,](?=\s|"|$)/g, "").replace(/["\s]/g, ""),
    "base64",
  );
}

for (const { name, node, machine } of ARCHITECTURES) {
  test(`the guard's bytes are what guard-${name}.s assembles to`, () => {
    const prefix = node === process.arch ? "" : `${machine}-linux-gnu-`;
    const folder = temporaryFolder("guard");
    const [object, binary] = [join(folder, "guard.o"), join(folder, "guard")];
    for (const words of [
      [`${prefix}as`, "-o", object, join(import.meta.dir, `guard-${name}.s`)],
      [`${prefix}objcopy`, "-O", "binary", "-j", ".text", object, binary],
    ]) {
      expect(Bun.spawnSync(words).stderr.toString()).toBe("");
    }
    expect(executable(node).toString("hex")).toBe(readFileSync(binary).toString("hex"));
  });
}

/** How a guarded program ends. */
async function ending(command: readonly string[]): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const guard = guarded(command);
  if (guard === undefined) throw new Error("there is no guard");
  Bun.spawn({
    ...guard,
    detached: true,
    onExit: (_process, status, signal) => resolve(String(status ?? signal)),
  });
  return promise;
}

const sh = (script: string) => ["/bin/sh", "-c", script];

test.each([0, 1, 2, 126, 127, 128, 137, 255])(
  "a program's exit status %i is the guard's",
  async (status) => {
    expect(await ending(sh(`exit ${status}`))).toBe(String(status));
  },
);

test.each(["SIGHUP", "SIGINT", "SIGQUIT", "SIGABRT", "SIGKILL", "SIGSEGV", "SIGPIPE", "SIGTERM"])(
  "the signal %s that kills a program is the guard's",
  async (signal) => {
    expect(await ending(sh(`kill -${signal.slice(3)} $$`))).toBe(signal);
  },
);

test.each([
  ["/no/such/program", "ENOENT", 2],
  ["/etc/passwd", "EACCES", 13],
  ["/etc", "EACCES", 13],
  [import.meta.path, "EACCES", 13],
])(
  "a program that cannot be executed is told by its errno: %s, %s",
  async (program, _name, errno) => {
    expect(startErrno(Number(await ending([program])))).toBe(errno);
  },
);

test("a program without a format is told by its errno", async () => {
  const path = join(temporaryFolder("guard"), "program");
  writeFileSync(path, "no program\n", { mode: 0o755 });
  expect(startErrno(Number(await ending([path])))).toBe(8);
});

test("a program gets its name, its arguments and its variables, and no signal that is blocked", async () => {
  const guard = guarded([
    "/bin/sh",
    "-c",
    // By itself: a shell that waits for a child may have blocked signals meanwhile.
    'printf "%s|" "$0" "$@" "$VARIABLE"; exec grep SigBlk /proc/self/status',
    "a b",
    "",
    "ü",
  ]);
  const child = Bun.spawn({
    ...guard,
    cmd: guard?.cmd ?? [],
    env: { VARIABLE: "x=y" },
    stdout: "pipe",
  });
  expect(await new Response(child.stdout).text()).toBe("a b||ü|x=y|SigBlk:\t0000000000000000\n");
});

/**
 * Processes of every kind that a handler may leave, as a shell starts them; each writes its number into
 * a file of the folder F and lives on.
 */
const FAMILY: Readonly<Record<string, string>> = {
  child: "$F.member child &",
  nohup: "nohup $F.member nohup &",
  session: "setsid $F.member session &",
  daemon: "setsid -f $F.member daemon",
  orphan: "($F.member orphan &)",
  nameless: "env -i /usr/bin/setsid -f $F.member nameless",
  deaf: "(trap '' HUP INT TERM QUIT USR1; exec $F.member deaf) &",
  spinning: "sh -c 'echo $$ > $F/spinning; while :; do :; done' &",
  stopped: "$F.member stopped & sleep 0.2; kill -STOP $!",
  deep: "setsid sh -c 'setsid -f $F.member deep; exec sleep 1000' &",
};

/** A folder for nothing but those files; what else a test writes goes beside it. */
function familyFolder(): string {
  const folder = join(temporaryFolder("family"), "numbers");
  mkdirSync(folder);
  return folder;
}

/** A script that starts the whole family and then waits. */
function familyScript(folder: string): string {
  const member = `#!/bin/sh\necho $$ > ${folder}/$1\nexec /bin/sleep 1000\n`;
  writeFileSync(`${folder}.member`, member, { mode: 0o755 });
  const starts = Object.values(FAMILY).join("\n");
  return `F=${folder}; export F\n${starts}\necho $$ > $F/program\nexec sleep 1000\n`;
}

/** The numbers of the family's processes, once all have begun. */
async function family(folder: string): Promise<readonly number[]> {
  const wanted = Object.keys(FAMILY).length + 1;
  const numbers = () =>
    readdirSync(folder).map((name) => Number(readFileSync(join(folder, name), "utf8")));
  while (numbers().filter((pid) => pid > 0).length < wanted) await Bun.sleep(5);
  return numbers();
}

/** Waits until a process has gone, or is only a name in the table. */
async function gone(pid: number): Promise<void> {
  const lives = () => {
    try {
      return !/^State:\tZ/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
    } catch {
      return false;
    }
  };
  while (lives()) await Bun.sleep(5);
}

/** Starts a program that stands for the tool and has the family as its own. */
function startTool(folder: string, before = ""): Bun.Subprocess {
  const script = join(temporaryFolder("tool"), "tool.ts");
  const command = JSON.stringify(["/bin/sh", "-c", familyScript(folder)]);
  writeFileSync(
    script,
    `import { guarded } from ${JSON.stringify(GUARD)};
     Bun.spawn({ ...guarded(${command}), detached: true, stdout: "ignore", stderr: "ignore" });
     setInterval(() => {}, 1000);\n`,
  );
  const start = ["/bin/sh", "-c", `${before} exec "$0" "$1"`, process.execPath, script];
  return Bun.spawn(start, { detached: true });
}

test.each(["SIGKILL", "SIGHUP", "SIGQUIT", "SIGTERM", "SIGALRM"] as const)(
  "%s that ends the tool ends everything that it started",
  async (signal) => {
    const folder = familyFolder();
    const tool = startTool(folder);
    const pids = await family(folder);
    tool.kill(signal);
    await tool.exited;
    for (const pid of pids) await gone(pid);
  },
);

test("the tool's whole group is killed, where children are reaped unseen: nothing is left", async () => {
  const folder = familyFolder();
  const tool = startTool(folder, "trap '' CHLD;");
  const pids = await family(folder);
  process.kill(-tool.pid, "SIGKILL");
  await tool.exited;
  for (const pid of pids) await gone(pid);
});

test("a program that ends takes everything along that it started", async () => {
  const folder = familyFolder();
  const end = ending(
    sh(
      familyScript(folder).replace(
        "exec sleep 1000\n",
        `while :; do [ -e ${folder}.end ] && exit 7; done\n`,
      ),
    ),
  );
  const pids = await family(folder);
  writeFileSync(`${folder}.end`, "");
  expect(await end).toBe("7");
  for (const pid of pids) expect(existsSync(`/proc/${pid}`)).toBe(false);
});

test("a guard that is asked to, ends everything, also when it has been stopped", async () => {
  const folder = familyFolder();
  const guard = guarded(sh(familyScript(folder)));
  const child = Bun.spawn({ ...guard, cmd: guard?.cmd ?? [], detached: true });
  const pids = await family(folder);
  process.kill(child.pid, "SIGSTOP");
  endGuarded(child.pid);
  await child.exited;
  expect(child.signalCode).toBe("SIGKILL");
  for (const pid of pids) expect(existsSync(`/proc/${pid}`)).toBe(false);
  endGuarded(child.pid);
});

test("a guard that is killed takes its program along, also one that has just been forked", async () => {
  const ends = Array.from({ length: 20 }, async () => {
    const guard = guarded(["/bin/sleep", "1000"]);
    const child = Bun.spawn({ ...guard, cmd: guard?.cmd ?? [], detached: true });
    const children = `/proc/${child.pid}/task/${child.pid}/children`;
    let program = "";
    while (program === "") program = readFileSync(children, "utf8");
    child.kill("SIGKILL");
    await child.exited;
    await gone(Number(program));
  });
  await Promise.all(ends);
});

test("the guard of the other architecture starts programs and ends as they do", () => {
  const name = process.arch === "arm64" ? "x64" : "arm64";
  const emulator = process.arch === "arm64" ? "qemu-x86_64-static" : "qemu-aarch64-static";
  const path = join(temporaryFolder("guard"), "guard");
  writeFileSync(path, executable(name), { mode: 0o755 });
  const run = (...words: readonly string[]) =>
    Bun.spawnSync([emulator, path, String(process.pid), "/bin/sh", "sh", "-c", ...words]);
  expect(run("exit 7").exitCode).toBe(7);
  expect(run("kill -TERM $$").signalCode).toBe("SIGTERM");
  expect(run('echo "$0 $1"', "a", "b").stdout.toString()).toBe("a b\n");
});

test("where files may have no bytes, programs run without a guard", () => {
  const script = `import { guarded } from ${JSON.stringify(GUARD)}; console.log(guarded(["/bin/true"]));`;
  const limited = [
    "bash",
    "-c",
    'ulimit -f 0; exec "$@" | cat',
    "sh",
    process.execPath,
    "-e",
    script,
  ];
  const { stdout, stderr } = Bun.spawnSync(limited);
  expect([stdout.toString(), stderr.toString()]).toEqual(["undefined\n", ""]);
});
