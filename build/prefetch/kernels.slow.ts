/**
 * Boots Debian's kernels, emulated, and runs the prefetched runtime on each: `make test-kernels`.
 *
 * Old kernels read program headers differently (before 5.18 AT_PHDR is computed from the first
 * segment alone), and some system calls do other things there: before 6.17 a read that waits for a pipe
 * signals its owner. Lambda's is 5.10 or 6.1. What the runtime asks of the kernel is tried in
 * kernels/init.sh. The machine is an initramfs with busybox, the runtime and their libraries; it has no
 * disk and no network.
 *
 * @module
 */

import { afterAll, beforeAll, expect, test } from "bun:test";
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { architecture } from "../architectures.ts";
import { BOOTSTRAP, compile } from "../compile.ts";
import { run } from "../layer/command.ts";
import { DebianArchive } from "../layer/debian.ts";

/** Debian's releases by their age, which its archive always has: on the day of writing 5.10, 6.1, 6.12 and 7.2. */
const SUITES = (process.env["KERNELS"] ?? "oldoldstable oldstable stable stable-backports").split(
  " ",
);

const MEMORY_MIB = 1024;
/** A boot with all that is tried takes 40 seconds without KVM; one that hangs is ended, in seconds. */
const BOOT_S_MAX = 300;
/** How often a machine is started whose kernel dies, which is the emulator's fault: one of ten, seen with 6.12 and 7.2. */
const BOOTS_MAX = 3;
/** What is emulated. Kernels have died in their allocator, around cmpxchg16b, which they can do without. */
const PROCESSOR = "max,-cx16";
/** Longest time for compiling the runtime, and for fetching a kernel and booting it, in milliseconds. */
const TEST_MS_MAX = 600_000;
/** The event "large" of api.sh. */
const LARGE_BYTES = 1_000_000;
const MACHINE = join(import.meta.dir, "kernels");

/** A line of init.sh: a name that is not a number, as the kernel's own lines begin with. */
const SAID = /^[a-z][a-z, ]*: (?:status|left|log|\d+ )/;

let folder = "";

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "kernels-"));
  const runtime = await compile(BOOTSTRAP, architecture("amd64"), folder);
  await makeInitramfs(runtime);
}, TEST_MS_MAX);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

for (const suite of SUITES) {
  test(
    `the runtime handles events, and leaves nothing when it ends, on the kernel of Debian ${suite}`,
    async () => {
      const kernel = await fetchKernel(suite);
      let console = await boot(kernel);
      const hasDied = () => !console.includes("kernel:") || console.includes("Kernel panic");
      for (let boots = 1; hasDied() && boots < BOOTS_MAX; boots += 1) {
        process.stderr.write(`the kernel of the emulated machine died:\n${console}\n`);
        console = await boot(kernel);
      }
      const release = /^kernel: (\d\S+)/m.exec(console)?.[1] ?? "";
      const said = console.split("\n").filter((line) => SAID.test(line));
      expect(said).toEqual(expected(release));
    },
    TEST_MS_MAX,
  );
}

/** What init.sh says on every kernel; it would also name the processes that are left. */
function expected(release: string): string[] {
  const response = (event: string) => `response event ${event} handled on ${release}`;
  const largeBytes = response("").length - "response ".length + LARGE_BYTES;
  const error = (errorType: string, errorMessage: string, ...stackTrace: readonly string[]) =>
    `error ${JSON.stringify({ errorMessage, errorType, stackTrace })}`;
  const killed = "Function.KilledBySignal";
  const outOfMemory = "if it was out of memory, raise the memory size";
  return [
    "responses: status 0",
    `responses: 1 ${response("1")}`,
    `responses: 2 response ${largeBytes} bytes`,
    `responses: 3 ${response("3")}`,
    "what goes wrong: status 0",
    "what goes wrong: 1 response logged",
    "what goes wrong: 2 response left a process",
    `what goes wrong: 3 ${error("Function.ExitError", "the handler exited with status 3; it gave no reason: set -x in its file shows its commands in the log")}`,
    `what goes wrong: 4 ${error(killed, `the handler's shell was killed by SIGKILL (signal 9, exit status 137): ${outOfMemory}`)}`,
    `what goes wrong: 5 ${error(killed, "the handler was killed by SIGTERM (signal 15, exit status 143): Terminated", "Terminated")}`,
    `what goes wrong: 6 ${error("Sandbox.Timedout", "RequestId: 6 Error: Task timed out after N seconds")}`,
    "what goes wrong: 7 response logged",
    "what goes wrong: log: a line of the log",
    "what goes wrong: log: [WARN] the handler's shell is gone: loading it again",
    "what goes wrong: log: [ERROR] 6 the event was ended at its deadline, N s after it came, by SIGTERM",
    "what goes wrong: log: a line of the log",
    "ended in an event: status 0",
    "killed in an event: status 137",
    "killed while it loads: status 137",
    "two loops: status 0",
    ...[1, 2, 3, 4].map((event) => `two loops: ${event} response both`),
    "two loops, killed in their events: status 137",
    "a file: status 0",
    "a file: 1 response a file got 1",
    "a file: 2 response a file got 2",
    "without overcommit: status 0",
    `without overcommit: 1 ${response("1")}`,
    `without overcommit: 2 ${response("2")}`,
  ];
}

/** Fetches the newest kernel of a release and returns the path of its image. */
async function fetchKernel(suite: string): Promise<string> {
  const archive = new DebianArchive("amd64", { base: suite });
  const image = await dependency(archive, "linux-image-cloud-amd64", "linux-image-");
  if (image === undefined) throw new Error(`failed to find the kernel of Debian ${suite}`);
  // Since 7.x the image's package only names the one that holds the kernel.
  const name = (await dependency(archive, image, "linux-binary-")) ?? image;
  const packages = join(folder, suite);
  mkdirSync(packages);
  await archive.apt(["apt-get", "download", name], packages);
  const [deb] = [...new Bun.Glob("*.deb").scanSync(packages)];
  if (deb === undefined) throw new Error(`failed to download ${name}`);
  await run(["dpkg-deb", "--extract", join(packages, deb), packages]);
  const [path] = [...new Bun.Glob("**/vmlinuz*").scanSync(packages)];
  if (path === undefined) throw new Error(`failed to find an image in ${deb}`);
  return join(packages, path);
}

/** Returns the package with a prefix that a package depends on. */
async function dependency(
  archive: DebianArchive,
  name: string,
  prefix: string,
): Promise<string | undefined> {
  const depends = await archive.apt(["apt-cache", "depends", name]);
  return new RegExp(`Depends: (${prefix}\\S+)`).exec(depends)?.[1];
}

/** Boots a kernel with the initramfs, to the end, and returns what it wrote on its console. */
async function boot(kernel: string): Promise<string> {
  const output = await run([
    ...["timeout", "--signal=KILL", String(BOOT_S_MAX), "qemu-system-x86_64"],
    ...["-accel", "tcg", "-cpu", PROCESSOR, "-m", String(MEMORY_MIB), "-smp", "2"],
    ...["-kernel", kernel, "-initrd", join(folder, "initramfs")],
    ...["-append", "console=ttyS0 rdinit=/init quiet oops=panic panic=-1"],
    ...["-nodefaults", "-no-reboot", "-display", "none", "-serial", "stdio"],
  ]);
  return output.replaceAll("\r", "");
}

/** Writes the machine's file system as an uncompressed cpio archive. */
async function makeInitramfs(runtime: string): Promise<void> {
  const tree = join(folder, "tree");
  const add = (source: string, path: string) => {
    mkdirSync(dirname(join(tree, path)), { recursive: true });
    copyFileSync(realpathSync(source), join(tree, path));
    chmodSync(join(tree, path), 0o755);
  };
  const busybox = Bun.which("busybox");
  if (busybox === null) throw new Error("failed to find busybox (Debian: busybox)");
  add(busybox, "bin/busybox");
  add(runtime, "opt/bootstrap");
  add(join(MACHINE, "init.sh"), "init");
  add(join(MACHINE, "api.sh"), "api.sh");
  for (const name of ["function.sh", "endless.sh", "file.sh"])
    add(join(MACHINE, name), `var/task/${name}`);
  for (const program of [busybox, runtime]) {
    const libraries = await run(["ldd", program]);
    for (const [, library = ""] of libraries.matchAll(/(\/\S+) \(0x/g)) add(library, library);
  }
  const pack = 'cd "$1" && find . | busybox cpio -o -H newc >"$2" 2>/dev/null';
  await run(["sh", "-c", pack, "sh", tree, join(folder, "initramfs")]);
}
