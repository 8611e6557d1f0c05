import { describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { AS_NOBODY } from "../src/testing/as-nobody.ts";
import { temporaryFolder } from "../src/testing/temporary-folder.ts";

const ROOT = join(import.meta.dir, "..");

const folder = temporaryFolder("plain-errors");
chmodSync(folder, 0o755);
mkdirSync(join(folder, "closed"), { mode: 0o555 });
let programs = 0;

/** Runs a program with reportErrors() above its statements. */
function run(statements: string, options: { elsewhere?: string; debug?: boolean } = {}) {
  programs += 1;
  const file = join(folder, `${programs}.ts`);
  writeFileSync(
    file,
    `import { writeFileSync } from "node:fs";
     import { reportErrors, SaidError } from "${ROOT}/build/plain-errors.ts";
     process.on("exit", () => console.log("swept"));
     reportErrors(${JSON.stringify(options.elsewhere)});
     ${statements}\n`,
  );
  const { stdout, stderr, exitCode } = Bun.spawnSync([...AS_NOBODY, process.execPath, file], {
    env: { PATH: "/usr/bin:/bin", ...(options.debug ? { DEBUG: "1" } : {}) },
  });
  return { output: stdout.toString(), errors: stderr.toString(), exitCode };
}

describe("reportErrors()", () => {
  test.each([
    ["thrown at once", 'throw new Error("failed to X: y");'],
    ["thrown later", 'await Bun.sleep(1); throw new Error("failed to X: y");'],
    [
      "thrown in a function",
      'async function f() { throw new Error("failed to X: y"); } await f();',
    ],
    ["of a promise that nothing waits for", 'Promise.reject(new Error("failed to X: y"));'],
    ["with a cause", 'throw new Error("failed to X: y", { cause: new Error("z") });'],
  ])("prints an error in one line: %s", (_, statements) => {
    expect(run(`${statements}\nawait Bun.sleep(1000);`)).toEqual({
      output: "swept\n",
      errors: "error: failed to X: y\n",
      exitCode: 1,
    });
  });

  test("lets finally and using clean up before", () => {
    const { output } = run(`
      await using thing = { [Symbol.asyncDispose]: async () => console.log("disposed") };
      try { throw new Error("failed to X: y"); } finally { console.log("finally"); }`);
    expect(output).toBe("finally\ndisposed\nswept\n");
  });

  test("says nothing of what was said already", () => {
    expect(run('throw new SaidError("x");')).toEqual({
      output: "swept\n",
      errors: "",
      exitCode: 1,
    });
  });

  test("says how to see the place of an error that has no message of its own", () => {
    const { errors } = run("undefined.x;");
    expect(errors).toMatch(/^error: .*undefined.*\n\(DEBUG=1 shows where\)\n$/);
  });

  test("shows the place, and that of the cause, on request", () => {
    const { errors } = run('throw new Error("x", { cause: new Error("z") });', { debug: true });
    expect(
      errors.match(/^error: x\n(?:.*\n)*Error: x\n +at .*\n(?:.*\n)*Error: z\n +at /),
    ).toBeTruthy();
  });

  test("says how to take back what belongs to root", () => {
    const path = join(folder, "closed/file");
    const { output, errors } = run(
      `console.log(process.getuid() + ":" + process.getgid()); writeFileSync("${path}", "");`,
      { elsewhere: "DIST names another" },
    );
    const [owner] = output.split("\n");
    expect(errors).toBe(
      `error: failed to write ${path}: this user may not write there; if make was run as root, ` +
        `take the files back, as root: chown -R ${owner} .; DIST names another\n`,
    );
  });

  test("says only what helps of another reason", () => {
    const { errors } = run(`writeFileSync("${folder}/1.ts/file", "");`);
    expect(errors).toBe(
      `error: failed to write ${folder}/1.ts/file: a part of the path is a file, not a folder\n`,
    );
  });
});

/** A statement that runs a program which fails with these lines. */
const failing = (...lines: string[]) =>
  `await run(["sh", "-c", 'printf "%s\\\\n" "$@" >&2; exit 2', "sh", ...${JSON.stringify(lines)}]);`;

test.each([
  ["of this process", 'writeFileSync("/dev/full", "x");', "failed to write .*: the disk is full"],
  [
    "of a program that says it in its first line",
    failing("tar: x: Cannot write: No space left on device", "tar: Exiting due to previous errors"),
    "failed to run sh .*: status 2: tar: x: Cannot write: No space left on device",
  ],
  [
    "of a program that says it in its last line",
    failing("ERROR: Exception:", "Traceback", "OSError: [Errno 28] No space left on device"),
    "failed to run sh .*: status 2: OSError: \\[Errno 28\\] No space left on device",
  ],
])("reportErrors() says of a full disk that it is full, and what to do: %s", (_, text, message) => {
  const command = `import { run } from "${ROOT}/build/layer/command.ts";`;
  const { errors } = run(`${command}\n${text}`, { elsewhere: "DIST names another" });
  expect(errors).toMatch(new RegExp(`^error: ${message}.*; DIST names another\n$`, "s"));
});

test("every program of the build that make runs reports its errors so", () => {
  const makefiles = readdirSync(join(ROOT, "build"), { recursive: true })
    .map((name) => `build/${name}`)
    .filter((name) => name.endsWith("/targets.mk"));
  expect(makefiles).not.toEqual([]);
  const recipes = ["Makefile", ...makefiles].map((name) => readFileSync(join(ROOT, name), "utf8"));
  const files = new Set(recipes.join("\n").match(/(?<=\$\(BUN\) )build\/\S+\.ts/g));
  expect([...files]).toContain("build/compile.ts");
  const silent = [...files].filter((file) => {
    return !/^ *reportErrors\(/m.test(readFileSync(join(ROOT, file), "utf8"));
  });
  expect(silent).toEqual([]);
});
