/** `check` finds what the runtime would refuse, in the runtime's own words. */

import { expect, test } from "bun:test";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { CURL_LOOP, functionFolder, startTool, tool } from "../testing/running-tool.ts";
import { temporaryFolder } from "../testing/temporary-folder.ts";
import { otherSh } from "./function/handler.ts";

const HANDLER = "handler() { :; }\n";

test("a folder where nothing is wrong has exit status 0, and says so", async () => {
  const folder = functionFolder({ "function.sh": HANDLER });
  const { status, errors } = await tool(["check", folder]);
  expect(errors).toBe(`${folder}: no problems found\n`);
  expect(status).toBe(0);
});

const MISTAKES: readonly (readonly [handler: string, script: string, finding: string])[] = [
  ["function", HANDLER, "not of the form FILE.FUNCTION"],
  ["function.a;b", HANDLER, '"a;b" cannot name a function'],
  ["other.handler", HANDLER, "no file for the handler other.handler: tried other.handler and"],
  ["function.handler", `#!/bin/sh -c python3\n${HANDLER}`, ""],
  ["function.handler", `#!/no/such/shell\n${HANDLER}`, "missing or not executable: /no/such/shell"],
  ["function.handler", `#!/usr/bin/env\n${HANDLER}`, "its first line must name a shell after env"],
  ["function.handler", `#!/bin/cat\n${HANDLER}`, "/bin/cat is not a supported shell"],
];

test.each(MISTAKES)("--handler %s with the script %j: %s", async (handler, script, finding) => {
  const folder = functionFolder({ "function.sh": script });
  const { status, errors } = await tool(["check", folder, "--handler", handler]);
  if (finding === "") return expect([status, errors]).toEqual([0, expect.any(String)]);
  expect(errors).toContain(finding);
  expect(errors).toMatch(/\n {2}on AWS this fails with: Runtime\.\w+\n/);
  expect(status).toBe(1);
});

test("a folder with a bootstrap of its own may mean anything by its handler", async () => {
  const folder = functionFolder({ bootstrap: "#!/bin/sh\n" });
  chmodSync(join(folder, "bootstrap"), 0o755);
  const { status } = await tool(["check", folder, "--handler", "app.main"]);
  expect(status).toBe(0);
});

const UNCALLED = (file: string, fix: string) =>
  `${file} only defines functions: run as a file handler it calls none of them, and every response is empty\n` +
  `  fix: ${fix}\n`;
const SET = (name: string) => `set --handler ${name}, in a template Handler: ${name}`;

test.each([
  ["function.sh", HANDLER, SET("function.handler")],
  ["lib/function.sh", `one() { :; }\n${HANDLER}# end\n\n`, SET("lib/function.handler")],
  ["app.sh", "#!/bin/bash\nset -eu\nA=1\nexport B=2\nfunction main { date; }", SET("app.main")],
  ["app", "#!/bin/sh\nmain() (\n  date\n)\n", "call one of them in its last line, as in: main"],
])(
  "a file handler that calls none of its functions is found: %s with %j",
  async (file, script, fix) => {
    const folder = functionFolder({ [file]: script });
    const { status, errors } = await tool(["check", folder, "--handler", file]);
    expect(errors).toContain(`warning: ${UNCALLED(file, fix)}`);
    expect(status).toBe(0);
    for (const command of [
      ["run", folder],
      ["invoke", "--dir", folder, "-d", "{}"],
    ]) {
      const ran = await tool([...command, "--handler", file], { input: "{}" });
      expect(ran.errors).toContain(`hint: ${UNCALLED(file, fix)}`);
      expect(ran).toMatchObject({ status: 0 });
    }
  },
);

test.each([
  `${HANDLER}handler`,
  `${HANDLER}X=$(date) Y=1\n`,
  `${HANDLER}date\n{ :; }\n`,
  `${HANDLER}if true; then handler; fi\n(handler)`,
  `. ./lib.sh\n${HANDLER}`,
  "echo '}'",
  "",
])(
  "nothing is said of a file handler that does something, or defines nothing: %j",
  async (script) => {
    const folder = functionFolder({ "function.sh": script, "lib.sh": "" });
    const options = ["--handler", "function.sh"];
    expect((await tool(["check", folder, ...options])).errors).toBe(
      `${folder}: no problems found\n`,
    );
    const { errors } = await tool(["run", folder, ...options], { input: "{}" });
    expect(errors).not.toContain("hint:");
  },
);

/** What is said of a script for bash that sh runs; nothing where sh is bash, as on Lambda. */
const here = otherSh();
const difference = (what: string) =>
  here === undefined
    ? ""
    : `hint: function.sh:1: ${what} is bash's: /bin/sh is bash on Lambda, and ${here} on this computer\n` +
      "  it works there and may fail here; to have the same shell everywhere: #!/bin/bash as first line\n";

test.each([
  ["[[", "handler() { [[ $1 ]] && echo 1; }\n"],
  ["source", "source /dev/null; handler() { echo 1; }\n"],
  ["an array", "handler() { a=(1 2); echo 1; }\n"],
  ["function", "function handler () { echo 1; }\n"],
  ["<<<", "handler() { cat <<< 1; }\n"],
])(
  "check, run and invoke say that %s is bash's, where sh is another shell",
  async (what, script) => {
    const folder = functionFolder({ "function.sh": script });
    const said = difference(what);
    const checked = await tool(["check", folder]);
    expect(checked).toMatchObject({ status: 0, errors: `${said}${folder}: no problems found\n` });
    expect((await tool(["run", folder], { input: "{}" })).errors).toContain(said);
    expect((await tool(["invoke", "--dir", folder, "-d", "{}"])).errors).toContain(said);
  },
);

test("serve and dev say so too, dev again for what has changed", async () => {
  const folder = functionFolder({ "function.sh": "handler() { [[ 1 ]]; }\n" });
  await using served = await startTool(["serve", folder, "--port", "0", "--metrics-port", "0"]);
  await served.logged(difference("[["));
  await using dev = await startTool(["dev", folder, "--port", "0"]);
  await dev.logged(difference("[["));
  writeFileSync(join(folder, "function.sh"), "handler() { a=(1); }\n");
  await dev.logged(difference("an array"));
});

test("test says so too", async () => {
  const files = { "function.sh": "handler() { [[ 1 ]]; }\n", "events/a.json": "{}" };
  const folder = functionFolder(files);
  expect((await tool(["test", folder])).errors).toContain(difference("[["));
});

test("nothing is said of scripts that name their shell, or need no bash", async () => {
  for (const script of ["#!/bin/bash\nhandler() { [[ 1 ]]; }\n", "handler() { [ 1 ]; }\n"]) {
    const folder = functionFolder({ "function.sh": script });
    expect((await tool(["run", folder], { input: "{}" })).errors).not.toContain("hint");
  }
});

/** An empty folder with this name, and one above it. */
function emptyFolder(name: string): string {
  const folder = join(temporaryFolder("empty"), name);
  mkdirSync(folder);
  return folder;
}

const HERE = "lambda-shell init . makes a function here";
const EMPTY_FOLDERS: readonly (readonly [
  what: string,
  make: () => { readonly cwd: string; readonly args?: readonly string[] },
  fix: string,
])[] = [
  ["an empty folder", () => ({ cwd: emptyFolder("greeter") }), HERE],
  [
    "a folder with nothing but a repository",
    () => {
      const cwd = emptyFolder("greeter");
      mkdirSync(join(cwd, ".git"));
      return { cwd };
    },
    HERE,
  ],
  [
    "an empty folder that is named",
    () => ({ cwd: join(emptyFolder("greeter"), ".."), args: ["greeter"] }),
    "lambda-shell init greeter makes a function there",
  ],
  [
    "an empty folder whose name no function can have",
    () => ({ cwd: emptyFolder("my function") }),
    "lambda-shell init hello makes a function",
  ],
  [
    "the folder above that of a function",
    () => ({ cwd: join(functionFolder({ "function.sh": HANDLER }, "greeter"), "..") }),
    "name the folder of the function: greeter",
  ],
  [
    "the folder above those of several functions",
    () => {
      const files = ["a", "b", "c", "d"].map((name) => [`${name}/function.sh`, HANDLER]);
      return { cwd: functionFolder(Object.fromEntries([...files, ["README.md", ""]])) };
    },
    "name the folder of the function: a, b, c, …",
  ],
];

test.each(EMPTY_FOLDERS)("%s: every command says what to do", async (_what, make, fix) => {
  const { cwd, args = [] } = make();
  const checked = await tool(["check", ...args], { cwd });
  expect(checked.status).toBe(1);
  expect(checked.errors).toContain(`Runtime.NoSuchHandler\n  fix: ${fix}\n`);
  const ran = await tool(["run", ...args], { cwd, input: "{}\n{}\n" });
  expect(ran.status).toBe(4);
  expect(ran.errors.split(`hint: ${fix}\n`).length).toBe(2);
  const directory = args.flatMap((folder) => ["--dir", folder]);
  // Its argument is a name: of the running functions, or on AWS.
  const fixOfInvoke = fix.replace("of the function: ", "of the function with --dir: ");
  expect((await tool(["invoke", ...directory], { cwd })).errors).toContain(
    `hint: ${fixOfInvoke}\n`,
  );
  const tested = await tool(["test", ...args], { cwd });
  expect(tested.status).toBe(2);
  expect(tested.errors).toEndWith(`events/*.json\n  ${fix}\n`);
  for (const command of [["serve", "--metrics-port", "0"], ["dev"]]) {
    await using server = await startTool([...command, "--port", "0", ...args], { cwd });
    await server.logged(`hint: ${fix}\n`);
  }
});

const TEMPLATE = ["one", "two"]
  .map(
    (name) =>
      `  ${name}: { Type: AWS::Serverless::Function, Properties: { CodeUri: ${name} s/, ` +
      `Handler: app.main, Runtime: provided.al2023, Layers: [x] } }\n`,
  )
  .join("");

test.each([
  ["the folder of a template", "one", [], "'one s' --template template.yaml", ""],
  [
    "a folder that a template above it has",
    "two",
    ["two s"],
    "'two s' --template template.yaml",
    " --name two",
  ],
])("%s: every command says how to take its settings", async (_what, only, args, fix, name) => {
  const cwd = functionFolder({
    "template.yaml": `Resources:\n${TEMPLATE}`,
    [`${only} s/app.sh`]: "main() { echo said; }\n",
  });
  const said = `take its settings from the template: ${fix}`;
  expect((await tool(["check", ...args], { cwd })).errors).toContain(`\n  fix: ${said}\n`);
  const ran = await tool(["run", ...args], { cwd, input: "{}" });
  expect(ran.errors).toContain(`hint: ${said}${name}\n`);
  const directory = args.flatMap((folder) => ["--dir", folder]);
  const invoked = await tool(["invoke", ...directory], { cwd });
  expect(invoked.errors).toContain(
    `hint: ${said.replace("template: ", "template: --dir ")}${name}\n`,
  );
  const tested = await tool(["test", ...args], { cwd });
  const isNamed = tested.errors.includes(`\n  ${said}`);
  // Of the folder that is named already nothing is left to say.
  expect(isNamed).toBe(args.length === 0);
  // And it helps.
  const options = [`${only} s`, "--template", "template.yaml"];
  expect((await tool(["check", ...options], { cwd })).errors).toBe(
    `${only} s: no problems found\n`,
  );
  const named = name === "" ? [] : ["--name", only];
  const again = await tool(["run", ...options, ...named], { cwd, input: "{}" });
  expect(again).toMatchObject({ status: 0, out: "said\n", errors: "" });
});

test("a template that is for something else, or has no handler in place, is not recommended", async () => {
  for (const template of ["Resources: {}\n", "a: [\n", `Resources:\n${TEMPLATE}`]) {
    const cwd = functionFolder({ "template.yaml": template, "app.sh": "main() { :; }\n" });
    const { errors } = await tool(["run"], { cwd, input: "{}" });
    expect(errors).toContain("Runtime.NoSuchHandler");
    expect(errors).not.toContain("take its settings");
  }
});

test("what is said of an empty folder makes a function that runs", async () => {
  const cwd = emptyFolder("greeter");
  const made = await tool(["init", "."], { cwd });
  expect(made).toMatchObject({ status: 0 });
  expect(made.errors).toEndWith("\nnext: lambda-shell dev\n");
  const ran = await tool(["run"], { cwd, input: '{"name":"Ada"}' });
  expect(ran).toMatchObject({ status: 0, out: '{"message":"Hello, Ada!"}\n' });
});

test.each([
  ["a handler of another name", {}, ["--handler", "app.main"]],
  ["files that may be a handler", { "app.py": "" }, []],
  ["a runtime of somebody else's", {}, CURL_LOOP],
] as const)("with %s init is not suggested", async (_what, files, options) => {
  const cwd = emptyFolder("greeter");
  for (const [name, text] of Object.entries(files)) writeFileSync(join(cwd, name), text);
  const { status, errors } = await tool(["run", ...options], { cwd, input: "{}" });
  expect(status).toBeGreaterThan(0);
  expect(errors).not.toContain("init");
});

test("a handler that is in another script is named, with the option and as a template has it", async () => {
  const cwd = functionFolder({ "app.sh": HANDLER });
  const fix = "set --handler app.handler, in a template Handler: app.handler";
  expect((await tool(["run"], { cwd, input: "{}" })).errors).toContain(`hint: ${fix}\n`);
  expect((await tool(["check"], { cwd })).errors).toContain(`\n  fix: ${fix}\n`);
  const ran = await tool(["run", "--handler", "app.handler"], { cwd, input: "{}" });
  expect(ran).toMatchObject({ status: 0, errors: "" });
});

test("conditions in a circle are an error of check, said once, and of --template", async () => {
  const resource = "{ Type: AWS::Serverless::Function, Properties: { Runtime: provided.al2023 } }";
  const template = `Conditions: { A: !Condition B, B: !Not [!Condition A] }
Resources: { One: ${resource}, Two: ${resource} }
`;
  const folder = functionFolder({ "function.sh": HANDLER, "template.yaml": template });
  const complaint = "Conditions: they refer to each other in a circle: A -> B -> A";
  const checked = await tool(["check", folder]);
  expect(checked.status).toBe(1);
  expect(checked.errors.split(complaint).length - 1).toBe(1);
  expect(checked.errors).toContain(
    `error: template.yaml: ${complaint}\n  on AWS the deployment fails`,
  );
  const file = join(folder, "template.yaml");
  const run = await tool(["run", "--template", file, folder], { input: "{}" });
  expect(run).toEqual({ status: 2, out: "", errors: `error: ${file}: ${complaint}\n` });
});

test("check takes the template that is named, and the folder's own", async () => {
  const template = `Resources:
  Probe:
    Type: AWS::Serverless::Function
    Properties: { Runtime: provided.al2023, Layers: [a], Handler: app.main, Timeout: 9999 }
`;
  const folder = functionFolder({ "function.sh": HANDLER, "template.yaml": template });
  const own = await tool(["check", folder]);
  expect(own.status).toBe(1);
  expect(own.errors).toContain(
    "error: no file for the handler app.main: tried app.main and app.sh\n",
  );
  expect(own.errors).toContain('Timeout: "9999" is not a whole number of seconds from 1 to 1800\n');
  const named = ["--template", join(folder, "template.yaml"), "--handler", "function.handler"];
  const other = await tool(["check", functionFolder({ "function.sh": HANDLER }), ...named]);
  expect(other.errors).toContain("Timeout");
  const missing = await tool(["check", folder, "--template", "no-such-file"]);
  expect(missing).toMatchObject({ status: 2, out: "" });
});

test.each([
  [
    "\n#!/bin/bash\nhandler() { :; }\n",
    "function.sh:2: #!/bin/bash is a comment here: the file is run by /bin/sh\n" +
      "  fix: remove what stands before it",
  ],
  [
    "# !/usr/bin/env bash\nhandler() { :; }\n",
    "function.sh:1: # !/usr/bin/env bash is a comment here: the file is run by /bin/sh\n" +
      "  fix: #!/usr/bin/env bash as first line, from its first byte on",
  ],
])("a first line that no shell sees is told where sh is another: %j", async (text, said) => {
  const folder = functionFolder({ "function.sh": text });
  const { errors } = await tool(["run", folder], { input: "{}" });
  expect(errors).toBe(otherSh() === undefined ? "" : `hint: ${said}\n`);
});

test.each(["cat\n", '#!/bin/bash\nevent=$(cat)\nprintf %s "$event"\n'])(
  "a script without functions can be run whole: %j",
  async (text) => {
    const folder = functionFolder({ "function.sh": text });
    const refused = await tool(["run", folder], { input: '{"a":1}' });
    expect(refused.status).toBe(4);
    expect(refused.errors).toContain(
      "hint: define handler() { … } in function.sh\n" +
        "  or, to have the whole file run for each event: set --handler function.sh, in a template Handler: function.sh\n",
    );
    const whole = await tool(["run", folder, "--handler", "function.sh"], { input: '{"a":1}' });
    expect(whole).toMatchObject({ status: 0, out: '{"a":1}\n' });
  },
);

test.each([". ./lib.sh\n", 'eval "$(cat lib.sh)"\n'])(
  "functions that a script takes in are not missed: %j",
  async (text) => {
    const folder = functionFolder({ "function.sh": text, "lib.sh": "handler() { echo ok; }\n" });
    const { out, errors } = await tool(["run", folder], { input: "{}" });
    expect([out, errors]).toEqual(["ok\n", ""]);
  },
);
