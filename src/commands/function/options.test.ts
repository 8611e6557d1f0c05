/**
 * Where the settings of a function come from: a template, `lambda-shell.toml`, files of variables.
 *
 * @module
 */

import { expect, test } from "bun:test";
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";

import { functionFolder, SCRIPTED, tool } from "../../testing/running-tool.ts";

const ROOT = join(import.meta.dir, "..", "..", "..");

/** The architecture that this computer does not have, and AWS's names of both. */
const OTHER = process.arch === "arm64" ? "amd64" : "arm64";
const [AWS_OWN, AWS_OTHER] = OTHER === "arm64" ? ["x86_64", "arm64"] : ["arm64", "x86_64"];

/** What a function sees that is run with these options. */
async function seenWith(...options: readonly string[]) {
  const input = '{"do":"environment"}';
  const { status, out, errors } = await tool(["run", ...options, ...SCRIPTED], { input });
  return { status, errors, seen: out === "" ? undefined : JSON.parse(out) };
}

/** A template of one function with these sections, lines of YAML. */
function template(properties: string, parameters = "{}"): string {
  const text = `
Parameters: ${parameters}
Globals: { Function: { Timeout: 9, Environment: { Variables: { SHARED: all } } } }
Resources:
  Bucket: { Type: "AWS::S3::Bucket" }
  Probe:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: !Sub "\${Stack}-probe"
      CodeUri: code
${properties.replace(/^/gm, "      ")}
`;
  return `${functionFolder({ "code/function.sh": "", "template.yaml": text })}/template.yaml`;
}

test("--template gives folder, handler, time and variables of a function", async () => {
  const file = template(
    "Handler: special.handler\nMemorySize: 256\nEnvironment: { Variables: { OWN: one } }",
  );
  expect(await seenWith("--template", file, "--name", "Probe")).toMatchObject({
    status: 0,
    errors: "",
    seen: {
      _HANDLER: "special.handler",
      LAMBDA_TASK_ROOT: file.replace("template.yaml", "code"),
      AWS_LAMBDA_FUNCTION_MEMORY_SIZE: "256",
      SHARED: "all",
      OWN: "one",
    },
  });
  expect(await seenWith("--template", file, "--name", "x")).toMatchObject({
    status: 2,
    errors: `error: no function x in ${file}\n  functions: Probe\n`,
  });
});

test("numbers and booleans of a template are text, as CloudFormation has them", async () => {
  const file = template(`
Environment:
  Variables: { S: x, N: 8080, B: true, F: 1.5, O: "0123", BIG: 12345678901234567890, E: "" }`);
  const { seen, errors } = await seenWith("--template", file);
  expect(errors).toBe("");
  expect(seen).toMatchObject({
    S: "x",
    N: "8080",
    B: "true",
    F: "1.5",
    O: "0123",
    BIG: "12345678901234567890",
    E: "",
  });
});

test("parameters of a template have their defaults", async () => {
  const file = template(
    `
Handler: !Ref Handler
Environment:
  Variables:
    REF: !Ref Size
    LONG: { Ref: Stage }
    SUB: !Sub "\${Stage}-\${Size}-\${!kept}"
    LONGER: { "Fn::Sub": "\${Stage}" }`,
    "{ Handler: { Default: own.handler }, Size: { Type: Number, Default: 1.5 }, Stage: { Default: test } }",
  );
  const { seen, errors } = await seenWith("--template", file);
  expect(errors).toBe("");
  expect(seen).toMatchObject({
    _HANDLER: "own.handler",
    REF: "1.5",
    LONG: "test",
    SUB: `test-1.5-\${kept}`,
    LONGER: "test",
  });
});

test("what only a deployment knows is left out and warned of, unless it is given", async () => {
  const file = template(
    `
MemorySize: !Ref Size
Environment:
  Variables:
    TABLE: !Ref Bucket
    KEY: !Ref Secret
    PLACE: !Sub "\${AWS::StackName}-x"
    JOINED: !Join ["-", [a, !ImportValue other]]
    NOTHING:
    GIVEN: !GetAtt Bucket.Arn`,
    '{ Size: { Type: Number }, Secret: { Type: "AWS::SSM::Parameter::Value<String>", Default: /a/b } }',
  );
  const { seen, errors } = await seenWith("--template", file, "--env", "GIVEN=yes");
  const left = (name: string, why: string, option = `--env ${name}=VALUE`) =>
    `warning: ${file}: Probe: ${name} is left out: ${why}\n  set it: ${option}\n`;
  expect(errors).toBe(
    left("TABLE", "only a deployment knows !Ref Bucket") +
      left("KEY", "only a deployment knows !Ref Secret") +
      left("PLACE", `only a deployment knows !Sub \${AWS::StackName}-x`) +
      left("JOINED", "only a deployment knows !ImportValue other") +
      left("NOTHING", "it is empty") +
      left("MemorySize", "only a deployment knows !Ref Size", "--memory MB"),
  );
  expect(seen).toMatchObject({ GIVEN: "yes", AWS_LAMBDA_FUNCTION_MEMORY_SIZE: "128" });
  for (const name of ["TABLE", "KEY", "PLACE", "JOINED", "NOTHING"]) {
    expect(seen).not.toHaveProperty(name);
  }
});

test("a template that is not YAML, or has a value that Lambda refuses, is named", async () => {
  const broken = functionFolder({ "template.yaml": "Resources: {\n" });
  const { status, errors } = await seenWith("--template", `${broken}/template.yaml`);
  expect(status).toBe(2);
  expect(errors).toStartWith(`error: ${broken}/template.yaml: Flow map`);
  expect(errors).not.toContain("    at ");
  const file = template("Timeout: 1801");
  expect(await seenWith("--template", file)).toMatchObject({
    status: 2,
    errors: `error: ${file}: Probe: Timeout: "1801" is not a whole number of seconds from 1 to 1800\n`,
  });
});

test.each([
  ["SnapStart: { ApplyOn: PublishedVersions }", [], "snap-start", undefined],
  ["SnapStart: { ApplyOn: None }", [], "on-demand", undefined],
  ["SnapStart: { ApplyOn: None }", ["--snap-start"], "snap-start", undefined],
  ["CapacityProviderConfig: { Arn: x }", [], "lambda-managed-instances", "8"],
  [
    "CapacityProviderConfig: { Arn: x, PerExecutionEnvironmentMaxConcurrency: 3 }",
    [],
    "lambda-managed-instances",
    "3",
  ],
  [
    "CapacityProviderConfig: { LambdaManagedInstancesCapacityProviderConfig: { CapacityProviderArn: x, PerExecutionEnvironmentMaxConcurrency: 2 } }",
    ["--concurrency", "5"],
    "lambda-managed-instances",
    "5",
  ],
])("%s with %j starts an environment as %s", async (properties, options, type, concurrency) => {
  const { seen } = await seenWith("--template", template(properties), ...options);
  expect(seen["AWS_LAMBDA_INITIALIZATION_TYPE"]).toBe(type);
  expect(seen["AWS_LAMBDA_MAX_CONCURRENCY"]).toBe(concurrency);
  expect("AWS_CONTAINER_CREDENTIALS_FULL_URI" in seen).toBe(type === "snap-start");
});

test("SnapStart and Managed Instances exclude each other, wherever they are said", async () => {
  const errors = "error: SnapStart and Managed Instances exclude each other\n";
  const both = "SnapStart: { ApplyOn: PublishedVersions }\nCapacityProviderConfig: { Arn: x }";
  for (const options of [
    ["--snap-start", "--managed-instances"],
    ["--template", template(both)],
    ["--template", template("CapacityProviderConfig: { Arn: x }"), "--snap-start"],
  ]) {
    expect(await seenWith(...options)).toMatchObject({ status: 2, errors });
  }
});

test("our own runtime runs its hooks around the snapshot that a template asks for", async () => {
  const text = `Resources:
  Probe:
    Type: AWS::Serverless::Function
    Properties:
      { Runtime: provided.al2023, Handler: function.handler, SnapStart: { ApplyOn: PublishedVersions } }
`;
  const hooks = (before: string, after: string) =>
    functionFolder({
      "template.yaml": text,
      "function.sh": `seen=loaded
before_snapshot() { seen="$seen before"; ${before}; }
after_restore() { seen="$seen after"; ${after}; }
handler() { printf '"%s"' "$seen"; }
`,
    });
  const run = (folder: string) =>
    tool(["run", "--template", `${folder}/template.yaml`], { input: "{}\n{}\n" });
  const seen = '"loaded before after"\n';
  expect(await run(hooks(":", ":"))).toMatchObject({ status: 0, out: seen + seen });
  for (const [folder, type] of [
    [hooks("return 3", ":"), "Runtime.BeforeSnapshotError"],
    [hooks(":", "exit 3"), "Runtime.AfterRestoreError"],
  ] as const) {
    const { status, errors } = await run(folder);
    expect(status).toBe(4);
    expect(errors).toContain(`error: ${type}: `);
  }
});

test.each(["provided.al2025", "nodejs28.x", "python4.0"])(
  "a runtime that is not known, %s, is warned of and run",
  async (runtime) => {
    const { status, errors, seen } = await seenWith("--template", template(`Runtime: ${runtime}`));
    expect([status, errors]).toEqual([
      0,
      `warning: Probe: Runtime: "${runtime}" is not a runtime that Lambda is known to have\n`,
    ]);
    expect(seen).toHaveProperty("AWS_LAMBDA_RUNTIME_API");
  },
);

test.each(["nodejs26.x", "python3.15", "java25", "dotnet10", "ruby4.0"])(
  "a runtime with a bootstrap of its own, %s, is warned of and run",
  async (runtime) => {
    const { status, errors } = await seenWith("--template", template(`Runtime: ${runtime}`));
    expect([status, errors]).toEqual([
      0,
      `warning: Probe: Runtime: ${runtime} has a bootstrap of its own on Lambda\n`,
    ]);
  },
);

test.each(["AWS_LAMBDA_METADATA_API", "AWS_LAMBDA_METADATA_TOKEN", "AWS_REGION"])(
  "a template that sets %s is refused, and --env of what the host sets is left out",
  async (name) => {
    const file = template(`Environment: { Variables: { ${name}: mine } }`);
    const refused = await seenWith("--template", file);
    expect([refused.status, refused.seen]).toEqual([2, undefined]);
    expect(refused.errors).toEndWith(`Reserved keys used in this request: ${name}\n`);
    const { seen, errors } = await seenWith("--env", `${name}=mine`);
    // A region may be chosen for a test.
    if (name === "AWS_REGION") return expect([seen[name], errors]).toEqual(["mine", ""]);
    expect(seen[name]).not.toBe("mine");
    expect(errors).toBe(`warning: the variable ${name} is left out: Lambda sets it itself\n`);
  },
);

const WRITE_BELOW = "write its settings below [function.NAME]";
const SETTINGS = "handler, timeout, memory, region, workers, env";

test.each<[toml: string, complaint: string]>([
  [
    '[function.probe]\ntimeout = "soon"\n',
    'N:2: function.probe.timeout: "soon" is not a duration between 1ms and 30m',
  ],
  [
    '[function.probe]\nmemory = "512MB"\n',
    'N:2: function.probe.memory: "512MB" is not a whole number of MB from 16 to 32768\n  write: 512',
  ],
  [
    "# first\n\n[function.probe]\nhandler = 'a.b'\nmemory = 1\n",
    'N:5: function.probe.memory: "1" is not a whole number of MB from 16 to 32768',
  ],
  [
    "[function.other]\n\n[function.probe]\n# mine\nregion = ''\n",
    'N:5: function.probe.region: "" is not a region, such as us-east-1',
  ],
  [
    "[function.probe.env]\nB = 'x'\nA = 1\n",
    "N:3: function.probe.env.A: write it as text, in quotes",
  ],
  [
    "[function.probe]\nenv = { B = 'x', A = true }\n",
    "N:2: function.probe.env.A: write it as text, in quotes",
  ],
  [
    "[function.probe]\nenv = 5\n",
    'N:2: function.probe.env: write a table, as in { NAME = "value" }',
  ],
  [
    "[function.probe]\n\ntimeout = [1,\n2]\n",
    "N:3: function.probe.timeout: write a number, or a text in quotes",
  ],
  [
    "[function.probe]\nhandler = '''\na.b'''\n# x\nhandler2 = '''\nb'''\n",
    `N:5: function.probe.handler2: unknown setting\n  available: ${SETTINGS}       did you mean "handler"?`,
  ],
  [
    "[function.probe]\r\ntimeuot = 5\r\n",
    `N:2: function.probe.timeuot: unknown setting\n  available: ${SETTINGS}       did you mean "timeout"?`,
  ],
  [
    "[functions.probe]\ntimeout = 5\n",
    'N:1: functions: unknown setting\n  available: function       did you mean "function"?',
  ],
  ["timeout = 5\n[function.probe]\n", "N:1: timeout: unknown setting\n  available: function"],
  ["[function]\ntimeout = 5\n", `N:2: function.timeout: ${WRITE_BELOW}`],
  ["\n[[function.probe]]\ntimeout = 5\n", `N:2: function.probe: ${WRITE_BELOW}`],
  ["function = 1\n", `N:1: function: ${WRITE_BELOW}`],
  ["[function.probe]\n\nhandler = a.b\n", 'N:3: not TOML: Strings must be quoted: "a"'],
  [
    "[function.probe]\nhandler = '''\na.b'''\n\nregion = '''\nx\n\ny\n",
    "N:5: not TOML: Unterminated string",
  ],
  [
    "[function.probe]\nhandler = 'a.b'\n[function.probe]\n",
    "N:3: not TOML: Cannot redefine table 'probe'",
  ],
  [
    "[function.probe]\nenv = {\n  A = 'x',\n  B = y,\n}\n",
    'N:4: not TOML: Strings must be quoted: "y"',
  ],
])("what is wrong in lambda-shell.toml is reported with its line: %j", async (text, complaint) => {
  for (const start of ["", "\ufeff"]) {
    const folder = functionFolder({ "lambda-shell.toml": `${start}${text}` });
    const { status, errors } = await seenWith(folder);
    const message = complaint.replace("N", `${folder}/lambda-shell.toml`);
    expect([status, errors]).toEqual([2, `error: ${message}\n`]);
  }
});

test("a lambda-shell.toml that cannot be read says why", async () => {
  const folder = functionFolder({ "lambda-shell.toml": "" });
  const file = join(folder, "lambda-shell.toml");
  writeFileSync(file, "[function.probe]\nhandler = '\xe9.b'\n", "latin1");
  expect((await seenWith(folder)).errors).toBe(
    `error: ${file}: not UTF-8: save it in that encoding\n`,
  );
  rmSync(file);
  mkdirSync(file);
  expect((await seenWith(folder)).errors).toBe(`error: ${file}: it is a folder, not a file\n`);
});

test("a lambda-shell.toml in the function's folder that names others alone is warned of", async () => {
  const settings = "[function.prob]\ntimeout = 5\n[function.x]\n";
  const folder = functionFolder({ "lambda-shell.toml": settings });
  const { status, errors } = await seenWith(folder);
  expect([status, errors]).toEqual([
    0,
    `warning: ${folder}/lambda-shell.toml has no [function.probe]: nothing of it is used\n` +
      '  available: prob, x       did you mean "prob"?\n',
  ]);
  expect((await seenWith(folder, "--name", "prob")).errors).toBe("");
  // Several functions of a template may share the folder.
  const file = template("Handler: a.b");
  writeFileSync(join(dirname(file), "code", "lambda-shell.toml"), settings);
  expect((await seenWith("--template", file, "--name", "Probe")).errors).toBe("");
});

test("lines of a file of variables that are not an assignment are warned of", async () => {
  const text = `# comment
export A=1
not a line

A B=2
C: 3
  D = x y # comment
M="a

not an assignment
b=1"
# E=1
F='it'
secret
`;
  const folder = functionFolder({ variables: text, "function.sh": "" });
  const file = `${folder}/variables`;
  const { seen, errors } = await seenWith(folder, "--env-file", file);
  const left = (line: number) =>
    `warning: --env-file ${file}: line ${line} is not NAME=VALUE and is left out\n`;
  expect(errors).toBe(left(3) + left(5) + left(14));
  expect(seen).toMatchObject({ A: "1", C: "3", D: "x y", F: "it" });
  expect(seen.M).toBe("a\n\nnot an assignment\nb=1");
});

test("a value of which a part is left out is told by its line", async () => {
  const text = `A=ab#cd
B=ab # a comment
C='ab#cd' # a comment
D="ab"cd
E=#fff
F= # a comment
G='it''s'
H="two
lines"#
I="two
lines" more
`;
  const folder = functionFolder({ variables: text, "function.sh": "" });
  const file = `${folder}/variables`;
  const { seen, errors } = await seenWith(folder, "--env-file", file);
  const cut = (line: number, after: string) =>
    `warning: --env-file ${file}: line ${line}: what follows ${after} is left out\n` +
    "  put the whole value in quotes\n";
  const [hash, quote] = ["#", "the closing quote"];
  expect(errors).toBe(cut(1, hash) + cut(4, quote) + cut(5, hash) + cut(7, quote) + cut(11, quote));
  expect(seen).toMatchObject({ A: "ab", B: "ab", C: "ab#cd", D: "ab", E: "", F: "", G: "it" });
});

test("a file of variables may begin with a byte-order mark, and has no names that variables do not have", async () => {
  const text = '\ufeffA=1\n1B=2\nC-D=3\ne.f=4\n_G=5\nH-I="6\n7"\nJ="8\n9"\n';
  const folder = functionFolder({ variables: text, "function.sh": "" });
  const file = `${folder}/variables`;
  const { seen, errors } = await seenWith(folder, "--env-file", file);
  const told = [...errors.matchAll(/line (\d+) is not NAME=VALUE and is left out\n/g)];
  expect(told.map(([, line]) => line)).toEqual(["2", "3", "4", "6", "7"]);
  expect(seen).toMatchObject({ A: "1", _G: "5", J: "8\n9" });
  expect(Object.keys(seen)).not.toContainAnyValues(["1B", "C-D", "e.f", "H-I"]);
});

test.each([
  [["--region", ""], '--region: "" is not a region, such as us-east-1'],
  [["--region", "eu west 1"], '--region: "eu west 1" is not a region, such as us-east-1'],
  [["--layer", ""], "--layer: the path is empty"],
])("an option that is empty or wrong is refused: %j", async (options, message) => {
  const { status, errors } = await seenWith(...options);
  expect([status, errors]).toEqual([2, `error: ${message}\n`]);
});

test("a variable to take over that is not there is warned of", async () => {
  const { seen, errors } = await seenWith("--env", "NO_SUCH", "--env", "EMPTY=", "--env", "PATH");
  expect(errors).toBe(
    "warning: --env NO_SUCH: it is not set here; to give it a value: --env NO_SUCH=VALUE\n",
  );
  expect(seen).toMatchObject({ EMPTY: "", PATH: process.env["PATH"] });
  expect(Object.keys(seen)).not.toContain("NO_SUCH");
});

test.each(["--env-file", "--event-file", "--template"])(
  "an empty path of %s is refused",
  async (option) => {
    const { status, errors } = await seenWith(option, "");
    expect([status, errors]).toEqual([2, `error: ${option}: the path is empty\n`]);
  },
);

test("an empty path of a bootstrap is refused, and not taken for the current folder", async () => {
  const folder = functionFolder({ "function.sh": "" });
  const { status, errors } = await tool(["run", folder, "--bootstrap", ""], { input: "{}" });
  expect([status, errors]).toEqual([2, "error: --bootstrap: the path is empty\n"]);
});

test("a template without a function is told as such", async () => {
  const folder = functionFolder({ "empty.yaml": "Resources: {}\n" });
  const file = `${folder}/empty.yaml`;
  const { status, errors } = await tool(["run", folder, "--template", file], { input: "{}" });
  expect([status, errors]).toEqual([2, `error: no function in ${file}\n  functions: none\n`]);
});

test("an empty AWS_REGION is as none", async () => {
  const options = { input: '{"do":"environment"}', environment: { AWS_REGION: "" } };
  const { out } = await tool(["run", ...SCRIPTED], options);
  expect(JSON.parse(out)["AWS_REGION"]).toBe("us-east-1");
});

/** A folder with programs that cannot be executed, each for a reason of its own. */
function unstartable(): string {
  const folder = functionFolder({
    "function.sh": "handler() { :; }\n",
    data: "x",
    "sub/bootstrap": "",
    "bare/x": "",
  });
  const programs: Readonly<Record<string, string | Uint8Array>> = {
    text: "echo hi\n",
    shell: "#!/no/such/shell\n",
    crlf: "#!/bin/sh\r\necho hi\r\n",
    folder: "#!/tmp\n",
    none: "#!\n",
    empty: "",
    other: readFileSync(join(ROOT, "dist", `bootstrap-${OTHER}`)).subarray(0, 4096),
    broken: "\x7fELF and no more",
  };
  for (const [name, content] of Object.entries(programs)) {
    writeFileSync(join(folder, name), content, { mode: 0o755 });
  }
  symlinkSync("nowhere", join(folder, "dangling"));
  symlinkSync("loop", join(folder, "loop"));
  return folder;
}

test.each([
  ["data", "it is not executable: chmod +x FOLDER/data"],
  [
    "function.sh",
    "it is not executable: chmod +x FOLDER/function.sh\n" +
      "  or, where it has a handler and is not a bootstrap, name its folder before --",
  ],
  ["txet", "the file is missing; did you mean FOLDER/text?"],
  ["bash", "the file is missing; the program of that name that is installed: -- bash"],
  [
    "something-else",
    "the file is missing: name the bootstrap to run: --bootstrap PATH, or -- COMMAND",
  ],
  ["text -x", "the file is missing: write its words apart: -- FOLDER/text -x"],
  ["no/such", "the folder FOLDER/no is missing"],
  ["data/x", "FOLDER/data is not a folder"],
  ["dangling", "it is a link to nowhere, which leads to no file"],
  ["loop", "it is a link to loop, which leads to no file"],
  ["sub", "it is a folder; its bootstrap is FOLDER/sub/bootstrap"],
  ["bare", "it is a folder: the function's folder stands before --, a program after it"],
  ["/dev/null", "it is not a regular file"],
  ["text", "it must begin with a #! line, as in #!/bin/sh"],
  ["shell", "its #! line names /no/such/shell, which is not there"],
  ["crlf", "it has CRLF line ends: sed -i 's/\\r$//' FOLDER/crlf"],
  ["folder", "its #! line names /tmp, which may not be executed"],
  ["none", "its #! line names no program"],
  ["empty", "the file is empty"],
  ["other", `it is a program for ${AWS_OTHER}, this computer is ${AWS_OWN}: build it for that`],
  ["broken", "it is not a whole program: build or copy it again"],
])("a bootstrap that cannot be started (%s) is told with what to do", async (path, fix) => {
  const folder = unstartable();
  const bootstrap = resolve(folder, path);
  const { status, errors } = await tool(["run", folder, "--", bootstrap], { input: "{}" });
  expect(status).toBe(4);
  expect(errors).toStartWith("error: Runtime.InvalidEntrypoint: ");
  expect(errors).toEndWith(`\n  ${fix.replace("FOLDER", folder)}\n`);
});

test.each([
  ["no-such-program", "command not found: no-such-program"],
  ["text", "command not found: text\n  for the file here: -- ./text"],
  ["bash -c exit", "command not found: bash -c exit\n  write its words apart: -- bash -c exit"],
  ["", "the name of the bootstrap after -- is empty"],
])("a name that no program has is told with what was meant: %j", async (name, message) => {
  const { status, errors } = await tool(["run", "--", name], { cwd: unstartable(), input: "{}" });
  expect([status, errors]).toEqual([2, `error: ${message}\n`]);
});
