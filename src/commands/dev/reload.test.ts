/**
 * What `dev` notices of files and settings that change while it serves.
 *
 * @module
 */

import { expect, test } from "bun:test";
import { existsSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

import { CURL_LOOP, functionFolder, startTool, toolCommand } from "../../testing/running-tool.ts";
import { temporaryFolder } from "../../testing/temporary-folder.ts";

const DEV = ["dev", "--port", "0"];
const INVOKE = "/2015-03-31/functions/probe/invocations";
const SHOWS = 'handler() { printf \'%s %s\' "$WORD" "$AWS_LAMBDA_FUNCTION_MEMORY_SIZE"; }\n';
const says = (word: string) => `handler() { printf '${word}'; }\n`;

const invoke = async (url: string) =>
  (await fetch(url + INVOKE, { method: "POST", body: "{}" })).text();

/** Writes a file at once, as editors do, so that nobody reads the half of it. */
function replaceFile(path: string, text: string): void {
  const unfinished = join(temporaryFolder("unfinished"), "file");
  writeFileSync(unfinished, text);
  renameSync(unfinished, path);
}

/** Waits until the function responds so. */
async function responded(url: string, text: string): Promise<void> {
  while ((await invoke(url)) !== text) await Bun.sleep(5);
}

const toml = (word: string, more = "memory = 256") =>
  `[function.probe]\n${more}\nenv = { WORD = "${word}" }\n`;

test("lambda-shell.toml is read again when it changes, unless it is wrong", async () => {
  const folder = functionFolder({ "function.sh": SHOWS, "lambda-shell.toml": toml("one") });
  const file = join(folder, "lambda-shell.toml");
  await using dev = await startTool([...DEV, folder, ...CURL_LOOP]);
  await dev.logged("Ctrl-C to stop");
  expect(await invoke(dev.url)).toBe("one 256");
  replaceFile(file, toml("two", "memory = 512"));
  await dev.logged("~ lambda-shell.toml changed · worker 1 restarted (");
  expect(await invoke(dev.url)).toBe("two 512");
  replaceFile(file, toml("three", 'timeout = "soon"'));
  await dev.logged(
    "~ lambda-shell.toml changed · invalid settings, still running the previous version\n" +
      `  ${file}:2: function.probe.timeout: "soon" is not a duration between 1ms and 30m\n`,
  );
  expect(await invoke(dev.url)).toBe("two 512");
  replaceFile(file, toml("four", "workers = 2"));
  await dev.logged("warning: restart dev to apply the change to: workers\n");
  expect(await invoke(dev.url)).toBe("four 128");
});

test("files of settings outside the folder are read again when they change", async () => {
  const folder = functionFolder({ "function.sh": SHOWS });
  const cwd = dirname(folder);
  writeFileSync(join(cwd, "variables"), "WORD=one\n");
  const options = ["--env-file", "variables"];
  await using dev = await startTool([...DEV, "probe", ...options, ...CURL_LOOP], { cwd });
  await dev.logged("Ctrl-C to stop");
  expect(await invoke(dev.url)).toBe("one 128");
  replaceFile(join(cwd, "variables"), "WORD=two\n");
  await dev.logged("~ variables changed · worker 1 restarted (");
  expect(await invoke(dev.url)).toBe("two 128");
  replaceFile(join(cwd, "lambda-shell.toml"), "[function.probe]\nmemory = 256\n");
  await dev.logged("~ lambda-shell.toml changed · worker 1 restarted (");
  expect(await invoke(dev.url)).toBe("two 256");
});

test("what is told of settings is not told again with each reload, but when it is new", async () => {
  const folder = functionFolder({ "function.sh": SHOWS, variables: "WORD=one\nno line\n" });
  const variables = join(folder, "variables");
  await using dev = await startTool([...DEV, folder, "--env-file", variables, ...CURL_LOOP]);
  await dev.logged("Ctrl-C to stop");
  const toldOf = (line: number) =>
    dev.errors().split(`: line ${line} is not NAME=VALUE`).length - 1;
  const saved = async (file: string, text: string, word: string) => {
    replaceFile(join(folder, file), text);
    await responded(dev.url, `${word} 128`);
  };
  await saved("function.sh", `${SHOWS}# changed\n`, "one");
  await saved("variables", "WORD=two\nno line\n", "two");
  expect([toldOf(1), toldOf(2)]).toEqual([0, 1]);
  await saved("variables", "no line\nWORD=three\n", "three");
  await saved("variables", "WORD=four\nno line\n", "four");
  expect([toldOf(1), toldOf(2)]).toEqual([1, 2]);
});

test("what links lead to outside the folder is watched, also after it was replaced", async () => {
  const folder = functionFolder({ README: "" });
  const outside = functionFolder({ "real.sh": says("one"), "library/words.sh": says("three") });
  symlinkSync(join(outside, "real.sh"), join(folder, "function.sh"));
  symlinkSync("..", join(folder, "up"));
  symlinkSync(join(outside, "nowhere"), join(folder, "dangling"));
  await using dev = await startTool([...DEV, folder, ...CURL_LOOP]);
  await dev.logged("Ctrl-C to stop");
  expect(await invoke(dev.url)).toBe("one");
  replaceFile(join(outside, "real.sh"), says("two"));
  await dev.logged("~ function.sh changed · ");
  await responded(dev.url, "two");
  // A link that is new, to a folder.
  symlinkSync(join(outside, "library"), join(folder, "library"));
  rmSync(join(folder, "function.sh"));
  symlinkSync("library/words.sh", join(folder, "function.sh"));
  await dev.logged("~ library");
  await responded(dev.url, "three");
  replaceFile(join(outside, "library", "words.sh"), says("four"));
  await dev.logged("library/words.sh");
  await responded(dev.url, "four");
  replaceFile(join(outside, "library", "words.sh"), says("five"));
  await responded(dev.url, "five");
});

/** Reloads that the log tells of. */
const reloads = (log: string) => log.match(/^~ .* restarted \(/gm)?.length ?? 0;

test.each([
  ["function.sh", "the handler's file"],
  ["words.sh", "a file that it loads"],
])(
  "%s, %s, saved 12 times in a burst and once later is served as it was saved last",
  async (name) => {
    const loads = `. ./words.sh\n`;
    const folder = functionFolder({ "function.sh": loads, "words.sh": says("first") });
    const file = join(folder, name);
    await using dev = await startTool([...DEV, folder, ...CURL_LOOP]);
    await dev.logged("Ctrl-C to stop");
    for (let round = 0; round < 12; round += 1) {
      writeFileSync(file, says(`${round}`));
      await Bun.sleep(round % 3 === 0 ? 10 : 180);
    }
    await responded(dev.url, "11");
    await Bun.sleep(1_500);
    writeFileSync(file, says("last"));
    await responded(dev.url, "last");
    expect(dev.errors()).not.toContain("warning");
  },
);

test("changes without a pause between them are one reload after the last", async () => {
  const folder = functionFolder({ "function.sh": says("first") });
  await using dev = await startTool([...DEV, folder, ...CURL_LOOP]);
  await dev.logged("Ctrl-C to stop");
  for (let round = 0; round < 8; round += 1) {
    replaceFile(join(folder, "function.sh"), says(`${round}`));
    replaceFile(join(folder, `file${round}`), "");
  }
  await responded(dev.url, "7");
  await Bun.sleep(300);
  expect(reloads(dev.errors())).toBeLessThanOrEqual(2);
});

test("a file that each event writes does not restart the function in its work for good", async () => {
  const folder = functionFolder({ "function.sh": "" });
  const counts = `handler() { echo x >> ${folder}/counter; sleep 0.15; printf one; }\n`;
  writeFileSync(join(folder, "function.sh"), counts);
  await using dev = await startTool([...DEV, folder, ...CURL_LOOP]);
  await dev.logged("Ctrl-C to stop");
  for (let round = 0; round < 12; round += 1) expect(await invoke(dev.url)).toBe("one");
  await dev.logged(
    "warning: counter changes while events run: it is reloaded for that when it is idle\n",
  );
  const during = reloads(dev.errors());
  for (let round = 0; round < 5; round += 1) await invoke(dev.url);
  expect(reloads(dev.errors())).toBe(during);
  // The function's script is never taken for its own doing.
  const running = invoke(dev.url);
  writeFileSync(join(folder, "function.sh"), counts.replace("one", "two"));
  await running;
  await responded(dev.url, "two");
  // What a person saves in that file is served too.
  writeFileSync(join(folder, "counter"), "");
  await dev.logged("~ counter changed");
});

test("a file that the function writes while it is loaded does not restart it again and again", async () => {
  const folder = functionFolder({ "function.sh": "" });
  const writes = `date +%N > ${folder}/stamp; sleep 0.3\n${says("one")}`;
  writeFileSync(join(folder, "function.sh"), writes);
  await using dev = await startTool([...DEV, folder, ...CURL_LOOP]);
  await dev.logged(
    "warning: stamp is written when the function is loaded: it is not reloaded for that\n",
  );
  await responded(dev.url, "one");
  const settled = reloads(dev.errors());
  await Bun.sleep(1_500);
  expect(reloads(dev.errors())).toBeLessThanOrEqual(settled + 1);
  writeFileSync(join(folder, "function.sh"), says("two"));
  await responded(dev.url, "two");
});

test.each([
  ["> FILE", '> dev.log 2>&1 "$@"', []],
  ["| tee FILE", '"$@" 2>&1 | tee dev.log > /dev/null', []],
  ["| tee FILE, as JSON", '"$@" 2>&1 | tee dev.log > /dev/null', ["--log", "json"]],
])("its own log in the function's folder (%s) is not a change", async (_how, script, options) => {
  const folder = functionFolder({ "function.sh": says("one") });
  const pid = join(temporaryFolder("pid"), "pid");
  // The tool is a process of its own in the pipe, so that the test can end it.
  const tool = ["sh", "-c", 'echo $$ > "$0"; exec "$@"', pid];
  const command = toolCommand([...DEV, folder, ...options, ...CURL_LOOP]);
  const child = Bun.spawn(["sh", "-c", script, "sh", ...tool, ...command], {
    cwd: folder,
    env: { PATH: process.env["PATH"] ?? "", NO_COLOR: "1" },
    stdio: ["ignore", "ignore", "ignore"],
  });
  const log = () =>
    existsSync(join(folder, "dev.log")) ? readFileSync(join(folder, "dev.log"), "utf8") : "";
  const logged = async (text: RegExp) => {
    while (!text.test(log())) await Bun.sleep(5);
  };
  await logged(/Ctrl-C to stop/);
  const [url = ""] = /http:\/\/127\.0\.0\.1:\d+/.exec(log()) ?? [];
  for (let round = 0; round < 8; round += 1) expect(await invoke(url)).toBe("one");
  writeFileSync(join(folder, "function.sh"), says("two"));
  await responded(url, "two");
  // Longer than any change waits.
  await Bun.sleep(2_500);
  for (let round = 0; round < 3; round += 1) await invoke(url);
  await Bun.sleep(1_500);
  expect(
    log()
      .match(/~ .* changed/g)
      ?.map((each) => each.replace(/.*~/, "~")),
  ).toEqual(["~ function.sh changed"]);
  expect(log()).not.toContain("changes while events run");
  process.kill(Number(readFileSync(pid, "utf8")));
  await child.exited;
});

test("another file that grows beside the log is a change", async () => {
  const folder = functionFolder({
    "function.sh": says("one"),
    "notes.log": "worker 1 restarted\n",
  });
  await using dev = await startTool([...DEV, folder, ...CURL_LOOP]);
  await dev.logged("Ctrl-C to stop");
  writeFileSync(join(folder, "notes.log"), "worker 1 restarted (5 ms)\n");
  await dev.logged("~ notes.log changed · worker 1 restarted (");
});

test("a layer's files and the bootstrap's are watched, wherever they are", async () => {
  const folder = functionFolder({ "function.sh": 'handler() { . "$LIBRARY"; }\n' });
  const layer = functionFolder({ "lib/words.sh": "printf one" }, "node_modules");
  const bootstrap = join(functionFolder({ README: "" }, "runtime"), "bootstrap");
  const loop = readFileSync(CURL_LOOP[1] ?? "", "utf8");
  writeFileSync(bootstrap, loop, { mode: 0o755 });
  const library = `LIBRARY=${layer}/lib/words.sh`;
  const options = ["--layer", layer, "--env", library, "--bootstrap", bootstrap];
  await using dev = await startTool([...DEV, folder, ...options]);
  await dev.logged("Ctrl-C to stop");
  expect(await invoke(dev.url)).toBe("one");
  replaceFile(join(layer, "lib", "words.sh"), "printf two");
  await dev.logged("lib/words.sh changed · worker 1 restarted");
  expect(await invoke(dev.url)).toBe("two");
  writeFileSync(bootstrap, `${loop}\n`);
  await dev.logged("runtime/bootstrap changed · worker 1 restarted");
});

test("a word after the bootstrap is not watched where it cannot be a file", async () => {
  const folder = functionFolder({ "function.sh": says("one") });
  const words = [`/${"a".repeat(300)}`, `${folder}/function.sh/x`];
  await using dev = await startTool([...DEV, folder, ...CURL_LOOP, ...words]);
  await dev.logged("Ctrl-C to stop");
  replaceFile(join(folder, "function.sh"), says("two"));
  await responded(dev.url, "two");
});

test("a zip of the function's data is watched, and what it loads from node_modules", async () => {
  const script = ". node_modules/words/words.sh\n";
  const files = { "function.sh": script, "node_modules/words/words.sh": says("one") };
  const folder = functionFolder({ ...files, "data/model.zip": "" });
  await using dev = await startTool([...DEV, folder, ...CURL_LOOP]);
  await dev.logged("Ctrl-C to stop");
  writeFileSync(join(folder, "data", "model.zip"), "x");
  await dev.logged("~ data/model.zip changed · worker 1 restarted");
  writeFileSync(join(folder, "node_modules", "words", "words.sh"), says("two"));
  await responded(dev.url, "two");
});

test("a worker that takes long to get ready is reported once it is ready", async () => {
  const folder = functionFolder({ "function.sh": `sleep 2.5\n${says("one")}` });
  await using dev = await startTool([...DEV, folder, ...CURL_LOOP]);
  await dev.logged("watching 1 file · no worker ready yet · Ctrl-C to stop\n");
  await dev.logged("1 worker ready in ");
  writeFileSync(join(folder, "function.sh"), `sleep 2.5\n${says("two")}`);
  await dev.logged("~ function.sh changed · no worker ready yet\n");
  await dev.logged("~ function.sh changed · worker 1 restarted (");
});

test("a function that cannot start is reported once it can", async () => {
  const folder = functionFolder({ "function.sh": "exit 3\n" });
  const bootstrap = join(folder, "bootstrap");
  const loop = readFileSync(CURL_LOOP[1] ?? "", "utf8");
  writeFileSync(bootstrap, loop, { mode: 0o755 });
  await using dev = await startTool([...DEV, folder]);
  await dev.logged("no worker ready yet");
  writeFileSync(join(folder, "function.sh"), says("one"));
  await dev.logged("worker 1 restarted (");
  await dev.logged("1 worker ready in ");
});

test("a folder that is moved away and back is told by its name", async () => {
  const folder = functionFolder({ "function.sh": says("here") });
  await using dev = await startTool([...DEV, folder, ...CURL_LOOP]);
  await dev.logged("Ctrl-C to stop");
  renameSync(folder, `${folder}-away`);
  await dev.logged(`  no such folder: ${folder}\n`);
  renameSync(`${folder}-away`, folder);
  await dev.logged(" restarted (");
  expect(dev.errors()).toContain("~ probe");
  expect(dev.errors()).not.toContain("~ ,");
});
