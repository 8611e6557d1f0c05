/**
 * What `dev` notices of files and settings that change while it serves.
 *
 * @module
 */

import { expect, test } from "bun:test";
import { renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

import { CURL_LOOP, functionFolder, startTool } from "../../testing/running-tool.ts";
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

/** Waits until the function answers so. */
async function answered(url: string, text: string): Promise<void> {
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
    "~ lambda-shell.toml changed · wrong settings, the old version keeps running\n" +
      `  ${file}: function.probe.timeout: "soon" is no time from 0.001 to 900 seconds\n`,
  );
  expect(await invoke(dev.url)).toBe("two 512");
  replaceFile(file, toml("four", "workers = 2"));
  await dev.logged("warning: what has changed of workers takes a restart of dev\n");
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
  await answered(dev.url, "two");
  // A link that is new, to a folder.
  symlinkSync(join(outside, "library"), join(folder, "library"));
  rmSync(join(folder, "function.sh"));
  symlinkSync("library/words.sh", join(folder, "function.sh"));
  await dev.logged("~ library");
  await answered(dev.url, "three");
  replaceFile(join(outside, "library", "words.sh"), says("four"));
  await dev.logged("library/words.sh");
  await answered(dev.url, "four");
  replaceFile(join(outside, "library", "words.sh"), says("five"));
  await answered(dev.url, "five");
});
