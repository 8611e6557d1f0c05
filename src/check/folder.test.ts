/** Mistakes that work here and fail on Lambda, one of a kind in each folder, and none where there is none. */

import { describe, expect, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";

import { type CheckOptions, checkTargets } from "../commands/check.ts";
import { otherSh } from "../commands/function/handler.ts";
import { KNOWN_RUNTIMES } from "../commands/function/runtimes.ts";
import { tool } from "../testing/running-tool.ts";
import { temporaryFolder } from "../testing/temporary-folder.ts";
import { checkFolder } from "./folder.ts";

const ROOT = join(import.meta.dir, "..", "..");

/** Files by their path: a text, or a program for a machine; with `+x` after the path it is executable. */
type PlantedFiles = Readonly<Record<string, string | Uint8Array>>;

function folder(files: PlantedFiles): string {
  const root = temporaryFolder("check");
  for (const [name, content] of Object.entries(files)) {
    const [file = "", mode] = name.split(" ");
    const path = join(root, file);
    mkdirSync(dirname(path), { recursive: true });
    if (typeof content === "string" && content.startsWith("-> ")) {
      symlinkSync(content.slice(3), path);
      continue;
    }
    writeFileSync(path, content);
    chmodSync(path, mode === "+x" ? 0o755 : mode === undefined ? 0o644 : Number.parseInt(mode, 8));
  }
  return root;
}

/** What is found in a folder, an entry for each, its lines joined. */
async function found(root: string, options: CheckOptions = {}): Promise<readonly string[]> {
  const findings = await checkFolder(checkTargets(root, { arch: "amd64", ...options }));
  return findings.map(({ level, message }) => `${level}: ${message}`.replaceAll("\n  ", " | "));
}

/** The beginning of a program for a machine; `notes` stands for what the linker writes. */
function elf(machine: number, notes = "", loader = ""): Uint8Array {
  const bytes = Buffer.alloc(1024);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  bytes.writeUInt16LE(machine, 18);
  bytes.writeBigUInt64LE(64n, 32);
  bytes.writeUInt16LE(56, 54);
  bytes.writeUInt16LE(loader === "" ? 0 : 1, 56);
  bytes.writeUInt32LE(3, 64);
  bytes.writeBigUInt64LE(200n, 72);
  bytes.writeBigUInt64LE(BigInt(loader.length + 1), 96);
  bytes.write(`${loader}\0`, 200, "latin1");
  bytes.write(`\0${notes}\0`, 400, "latin1");
  return bytes;
}

/** A layer with some programs. */
const LAYER = folder({ "bin/mksh +x": "#!/bin/sh\n", "bin/ssh +x": "", "bin/ffmpeg +x": "" });

const X86_64 = 62;
const ARM64 = 183;
const OK = "handler() { :; }\n";
const crlf = (text: string) => text.replaceAll("\n", "\r\n");
const utf16 = (text: string) => Buffer.from(`\ufeff${text}`, "utf16le");

/** A template of the function in its folder. */
function template(properties: string, runtime = "Runtime: provided.al2023\nLayers: [a]"): string {
  const lines = `${runtime}\n${properties}`.trim().replace(/^/gm, "      ");
  return `Resources:\n  Probe:\n    Type: AWS::Serverless::Function\n    Properties:\n${lines}\n`;
}

const CUSTOM_RUNTIME =
  "Runtime: custom\nRuntimeConfig: { RuntimeArn: arn:aws:lambda:us-east-1:123456789012:runtime/shell, RuntimeAlias: a }";

const MISTAKES: readonly (readonly [
  what: string,
  files: PlantedFiles,
  finding: string,
  fix: string,
  options?: CheckOptions,
])[] = [
  // The handler's name.
  [
    "a handler without a function part",
    { "function.sh": OK },
    "error: the handler function: no such file",
    "write FILE.FUNCTION",
    { handler: "function" },
  ],
  [
    "a handler whose file is not there",
    { "function.sh": OK },
    "error: no file for the handler app.handler: tried app.handler and app.sh",
    "fix: set --handler function.handler, in a template Handler: function.handler",
    { handler: "app.handler" },
  ],
  [
    "a handler of the template whose file is not there",
    { "function.sh": OK, "template.yaml": template("Handler: app.main") },
    "error: no file for the handler app.main",
    "fix: add the file, or set Handler",
  ],
  [
    "a handler of lambda-shell.toml that is not there",
    { "function.sh": OK, "lambda-shell.toml": '[function.NAME]\nhandler = "x.y"\n' },
    "error: no file for the handler x.y",
    "fix: add the file",
  ],
  ...[
    ["mkdir -p data/in", "data/in", "/var/task", "in"],
    ["mkdir -m 755 data", "data", "/var/task", "data"],
    ["touch -d yesterday /var/task/now", "/var/task/now", "/var/task", "now"],
    ["date | tee -a 'my log'", "my log", "/var/task", "my log"],
    ["cp /tmp/a a b", "b", "/var/task", "b"],
    ["date | tee log", "log", "/var/task", "log"],
    ["mv /tmp/a /var/lib/a", "/var/lib/a", "/var/lib", "a"],
    ["ln -s /tmp/a link", "link", "/var/task", "link"],
    ["curl -fso page.html http://example.com", "page.html", "/var/task", "page.html"],
    ["curl http://example.com --output page", "page", "/var/task", "page"],
    ["aws s3 cp s3://bucket/key.csv key.csv", "key.csv", "/var/task", "key.csv"],
    ["aws s3 sync s3://bucket/a .", ".", "/var/task", "."],
  ].map(
    ([command, path, where, name]) =>
      [
        `a file that a program writes: ${command}`,
        { "function.sh": `handler() { ${command}; }\n` },
        `warning: function.sh:1: writes ${path} into ${where}, which is read-only on Lambda`,
        `fix: write it to /tmp/${name}`,
      ] as const,
  ),
  [
    "a script without functions",
    { "function.sh": '#!/bin/bash\nevent=$(cat)\necho "$event"\n' },
    'error: handler "handler" not found in function.sh | functions defined: none',
    "the whole file run for each event: set --handler function.sh, in a template Handler: function.sh",
  ],
  [
    "a handler that the file calls itself",
    { "function.sh": 'handler() { :; }\nhandler "$@"\n' },
    "warning: function.sh:2: handler is called while the file is loaded, before any event",
    "fix: remove the line",
  ],
  ...[
    ["\n#!/bin/bash\n", 2, "#!/bin/bash", "fix: remove what stands before it"],
    ["# greets\n\n#!/usr/bin/env bash\n", 3, "#!/usr/bin/env bash", "fix: remove what stands"],
    ["  #!/bin/bash -e\n", 1, "#!/bin/bash -e", "fix: #!/bin/bash -e as first line"],
    ["# !/bin/bash\n", 1, "# !/bin/bash", "fix: #!/bin/bash as first line, from its first byte on"],
    ["# ! /bin/dash\n", 1, "# !/bin/dash", "fix: #!/bin/dash as first line"],
  ].map(
    ([start, line, shown, fix]) =>
      [
        `a first line that is not the first: ${JSON.stringify(start)}`,
        { "function.sh": `${start}${OK}` },
        `warning: function.sh:${line}: ${shown} is a comment here: the file is run by /bin/sh`,
        String(fix),
      ] as const,
  ),
  [
    "blanks around =",
    { "function.sh": "handler() { city = Rome; }\n" },
    "warning: function.sh:1: city = … runs a program named city",
    "fix: an assignment has no blanks around =: city=…",
  ],
  [
    "a response that is returned",
    { "function.sh": "handler() {\n  return '{}'\n}\n" },
    "warning: function.sh:2: return takes a status from 0 to 255",
    "fix: print the text",
  ],
  ...["aws", "jq"].flatMap((program) => [
    [
      `${program} with the runtime in the zip`,
      { "function.sh": `handler() {\n  x=$(${program} . < x)\n}\n` },
      `warning: function.sh:2: ${program} comes with the layer lambda-shell-runtime`,
      "fix: add the layer to the function",
      { withBootstrap: true },
    ] as const,
    [
      `${program} with the runtime in the zip, and a layer that it need not have`,
      { "function.sh": `handler() { ${program} .; }\n`, "template.yaml": template("") },
      `hint: function.sh:1: ${program} comes with the layer lambda-shell-runtime`,
      "fix: add the layer to the function",
      { withBootstrap: true },
    ] as const,
    [
      `${program} without a layer`,
      {
        "function.sh": `. ./lib.sh\nhandler() { call; }\n`,
        "lib.sh": `call() {\n  ${program} .\n}\n`,
        "bootstrap +x": "#!/bin/sh\n",
        "template.yaml": template("", "Runtime: provided.al2023"),
      },
      `warning: lib.sh:2: ${program} comes with the layer lambda-shell-runtime`,
      "fix: add the layer to the function",
    ] as const,
  ]),
  [
    "the event as the name of a file",
    { "function.sh": 'handler() { jq .a "$1"; }\n' },
    'warning: function.sh:1: jq … "$1" takes the event for the name of a file',
    'fix: leave "$1" away',
  ],
  [
    "a function that is not defined",
    { "function.sh": "handlr() { :; }\n" },
    'error: handler "handler" not found in function.sh',
    "set --handler function.handlr or rename the function",
  ],
  [
    "a function with a name that a shell takes, and that is not defined",
    { "function.sh": OK },
    'error: handler "1st" not found in function.sh',
    "set --handler function.handler or rename the function",
    { handler: "function.1st" },
  ],
  ...["my-handler", "aws::run", "a.b"].map(
    (name) =>
      [
        `a function ${name}, which only bash takes`,
        { "function.sh": `${OK}${name}() { :; }\n` },
        `error: function.sh:2: ${name} is not a name that sh takes for a function`,
        "not a valid identifier",
      ] as const,
  ),
  [
    "a function in place of a special builtin, in what sh loads",
    { "function.sh": `#!/bin/sh\n. ./lib.sh\n${OK}`, "lib.sh": "exit() { :; }\n" },
    "error: lib.sh:1: exit is not a name that sh takes for a function",
    "is a special builtin",
  ],
  [
    "no function at all",
    { "function.sh": ":\n" },
    'error: handler "handler" not found in function.sh',
    "define: handler() { … }",
  ],
  // The shell of the first line.
  [
    "zsh",
    { "function.sh": `#!/bin/zsh\n${OK}` },
    "error: the interpreter that function.sh names is missing or not executable: /bin/zsh",
    "fix: #!/bin/sh or #!/bin/bash",
  ],
  [
    "dash, which Debian has",
    { "function.sh": `#!/bin/dash\n${OK}` },
    "error: the interpreter that function.sh names is missing or not executable: /bin/dash",
    "fix: #!/bin/sh or #!/bin/bash",
  ],
  [
    "python as the shell of a function",
    { "function.sh": `#!/usr/bin/python3\n${OK}` },
    "error: the interpreter that function.sh names is missing or not executable: /usr/bin/python3",
    "fix: #!/bin/sh",
  ],
  [
    "env and python as the shell of a function",
    { "function.sh": `#!/usr/bin/env python3\n${OK}` },
    "error: function.sh: python3 is not a supported shell",
    "use sh, bash",
  ],
  [
    "awk as the shell of a function",
    { "function.sh": `#!/usr/bin/awk -f\n${OK}` },
    "error: function.sh: /usr/bin/awk is not a supported shell",
    "use sh, bash",
  ],
  [
    "bash of Homebrew",
    { "function.sh": `#!/opt/homebrew/bin/bash\n${OK}` },
    "error: the interpreter that function.sh names is missing",
    "fix: #!/bin/sh",
    { layer: [ROOT] },
  ],
  [
    "a shell in /usr/local",
    { "function.sh": `#!/usr/local/bin/bash\n${OK}` },
    "error: the interpreter that function.sh names is missing",
    "fix: #!/bin/sh",
  ],
  // File handlers.
  [
    "a program as handler that is not executable",
    { tool: elf(X86_64) },
    "error: tool is a program and not executable",
    "fix: chmod +x tool",
    { handler: "tool" },
  ],
  [
    "a script in Python as handler that is not executable",
    { "app.py": "#!/usr/bin/env python3\n" },
    "error: app.py: python3 is not a supported shell",
    "make it a file handler: chmod +x",
    { handler: "app.py" },
  ],
  [
    "an executable handler without a first line",
    { "report +x": "echo hi\n" },
    "error: report is executable and has no #! line (exec format error)",
    "fix: begin it with #!/bin/sh",
    { handler: "report" },
  ],
  [
    "env with several words and without -S",
    { "report +x": "#!/usr/bin/env bash -e\necho\n" },
    "error: report: #!/usr/bin/env bash -e: the kernel hands all words after env to it as one",
    "fix: #!/usr/bin/env -S bash -e",
    { handler: "report" },
  ],
  [
    "an interpreter that is only here",
    { "report +x": "#!/usr/bin/python3\n" },
    "error: the interpreter that report names is missing or not executable: /usr/bin/python3",
    "fix: #!/bin/sh",
    { handler: "report" },
  ],
  [
    "a handler with a blank",
    { "function.sh": OK },
    'error: the handler has a name that Lambda does not take: "my function.handler"',
    "fix: at most 128 characters, without white space",
    { handler: "my function.handler" },
  ],
  [
    "a handler with a longer name than Lambda takes",
    { [`${"f".repeat(121)}.sh`]: OK },
    `error: the handler has a name that Lambda does not take: "${"f".repeat(40)}"`,
    "fix: at most 128 characters",
    { handler: `${"f".repeat(121)}.handler` },
  ],
  // Text.
  [
    "a byte-order mark",
    { "function.sh": `\ufeff${OK}` },
    "error: function.sh begins with a byte-order mark",
    "fix: sed -i '1s/^\\xEF\\xBB\\xBF//' function.sh",
  ],
  [
    "UTF-16",
    { "function.sh": utf16(crlf(OK)) },
    "error: function.sh is UTF-16",
    "fix: save it as UTF-8 without BOM",
  ],
  [
    "UTF-16 in a file that is loaded",
    { "function.sh": `. ./lib.sh\n${OK}`, "lib.sh": utf16("a() { :; }\n") },
    "error: lib.sh is UTF-16",
    "iconv -f UTF-16 -t UTF-8 lib.sh",
  ],
  [
    "UTF-16 in a script that is run",
    { "function.sh": "handler() { ./bin/run; }\n", "bin/run +x": utf16("#!/bin/sh\n") },
    "error: bin/run is UTF-16",
    "iconv -f UTF-16 -t UTF-8 bin/run",
  ],
  [
    "CRLF",
    { "function.sh": crlf(OK) },
    "error: function.sh has CRLF line ends (first in line 1)",
    "fix: sed -i 's/\\r$//' function.sh",
  ],
  [
    "CRLF from the third line on",
    { "function.sh": `:\n:\n${crlf(OK)}` },
    "error: function.sh has CRLF line ends (first in line 3)",
    "fix: sed -i",
  ],
  [
    "CRLF in a file that is loaded",
    { "function.sh": `. ./lib.sh\n${OK}`, "lib.sh": crlf("a() { :; }\n") },
    "error: lib.sh has CRLF line ends (first in line 1)",
    "fix: sed -i 's/\\r$//' lib.sh",
  ],
  [
    "CRLF in a file without an extension that is loaded",
    { "function.sh": `. "$LAMBDA_TASK_ROOT/lib/common"\n${OK}`, "lib/common": crlf("a=1\n") },
    "error: lib/common has CRLF line ends",
    "fix: sed -i",
  ],
  [
    "CRLF in a script that is run",
    { "function.sh": "handler() { ./bin/run; }\n", "bin/run +x": crlf("#!/bin/sh\n") },
    "error: bin/run has CRLF line ends",
    "fix: sed -i",
  ],
  [
    "a syntax error",
    { "function.sh": "#!/bin/bash\nhandler() {\n" },
    "error: syntax error in function.sh | function.sh: line 3: syntax error: unexpected end of file",
    "Runtime.UserCodeSyntaxError",
  ],
  [
    "a syntax error in a file that is loaded",
    { "function.sh": `. ./lib.sh\n${OK}`, "lib.sh": "if; then\n" },
    "error: syntax error in lib.sh",
    "Runtime.UserCodeSyntaxError",
  ],
  [
    "what bash does not take where it is sh",
    { "function.sh": "#!/bin/sh\nmy-func() { :; }\nhandler() { :; }\nfor-each() ( :; \n" },
    "error: syntax error in function.sh",
    "Runtime.UserCodeSyntaxError",
  ],
  // Files that are loaded.
  [
    "a file that is loaded and not there",
    { "function.sh": `. ./lib.sh\n${OK}` },
    "error: function.sh:1: ./lib.sh: no such file in the function's folder",
    "fix: add the file",
  ],
  [
    "a file that is loaded by another and not there",
    { "function.sh": `. ./a.sh\n${OK}`, "a.sh": '\n. "$(dirname "$0")/b.sh"\n' },
    "error: a.sh:2: /var/task/b.sh: no such file",
    "fix: add the file",
  ],
  [
    "a file that is loaded and not there, by a name that begins with two dots",
    { "function.sh": `. ./..lib.sh\n${OK}` },
    "error: function.sh:1: ./..lib.sh: no such file in the function's folder",
    "fix: add the file",
  ],
  [
    "a file of this computer that is loaded",
    { "function.sh": `. /home/ada/lib.sh\n${OK}` },
    "error: function.sh:1: /home/ada/lib.sh is not a part of the function's folder",
    "fix: copy it into the folder",
  ],
  [
    "a file above the folder that is loaded",
    { "function.sh": `. ../common/lib.sh\n${OK}` },
    "error: function.sh:1: ../common/lib.sh is not a part of the function's folder",
    "fix: copy it into the folder",
  ],
  ...["./lib", "./lib/", '"$LAMBDA_TASK_ROOT"', "./linked"].map(
    (source) =>
      [
        `a folder that is loaded as if it were a file: ${source}`,
        {
          "function.sh": `. ${source}\n${OK}`,
          "lib/a.sh": "",
          linked: "-> lib",
        },
        "error: function.sh:1: ",
        "is a folder, not a file | on AWS this fails with: Is a directory | fix: name a file in it",
      ] as const,
  ),
  [
    "a file that sh looks for in PATH",
    { "function.sh": `. lib.sh\n${OK}`, "lib.sh": "" },
    "error: function.sh:1: . lib.sh is looked for in PATH only",
    "fix: . ./lib.sh",
  ],
  [
    "a file that sh looks for in PATH only, whatever layers there are",
    { "function.sh": `. lib.sh\n${OK}`, "lib.sh": "", "template.yaml": template("") },
    "error: function.sh:1: . lib.sh is looked for in PATH only",
    "fix: . ./lib.sh",
  ],
  [
    "a file that package leaves out",
    { "function.sh": `. ./.env\n${OK}`, ".env": "A=1\n" },
    "error: function.sh:1: ./.env is not in the zip: package leaves it out",
    "fix: set the variables",
  ],
  ...["Type: [", "Type: AWS::Lambda::Function", '"Type": { }'].map(
    (line) =>
      [
        `a template that cannot be read: ${line}`,
        {
          "function.sh": OK,
          "template.yaml": `Resources:\n  Probe:\n    Type: AWS::Serverless::Function\n    ${line}\n`,
        },
        "error: template.yaml: ",
        "on AWS the deployment fails",
      ] as const,
  ),
  // Programs.
  [
    "ssh without -n",
    { "function.sh": "handler() {\n  ssh host uptime\n}\n" },
    "warning: function.sh:2: ssh reads standard input, where the event is",
    "fix: ssh -n",
  ],
  [
    "ffmpeg without -nostdin, by way of others",
    { "function.sh": "handler() { timeout 5 env A=1 ffmpeg -i a b; }\n" },
    "warning: function.sh:1: ffmpeg reads standard input",
    "fix: ffmpeg -nostdin",
  ],
  [
    "ssh in a file that is loaded",
    { "function.sh": `. ./lib.sh\n${OK}`, "lib.sh": "up() { x=$(ssh host uptime); }\n" },
    "warning: lib.sh:1: ssh reads standard input",
    "fix: ssh -n",
  ],
  [
    "unzip, which is not there",
    { "function.sh": "handler() { unzip -q a.zip -d /tmp; }\n" },
    "warning: function.sh:1: unzip is not a part of provided.al2023",
    "fix: bring it in a layer",
  ],
  [
    "find and xargs, in a pipe",
    { "function.sh": "handler() { find . -type f | xargs wc -l; }\n" },
    "warning: function.sh:1: xargs is not a part of provided.al2023",
    "fix: bring it in a layer",
  ],
  [
    "sudo",
    { "function.sh": "handler() { sudo yum install -y git; }\n" },
    "warning: function.sh:1: sudo is not a part of provided.al2023",
    "fix: bring it in a layer",
  ],
  [
    "a program of the folder that is not executable",
    { "function.sh": "handler() { ./bin/tool; }\n", "bin/tool": "#!/bin/sh\n" },
    "warning: function.sh:1: ./bin/tool is not executable (mode 0644)",
    "fix: chmod +x bin/tool",
  ],
  [
    "a program of the folder that is not there",
    { "function.sh": 'handler() { "$LAMBDA_TASK_ROOT"/bin/tool; }\n' },
    "warning: function.sh:1: /var/task/bin/tool: no such file",
    "fix: add it",
  ],
  [
    "a program for the other architecture",
    { "function.sh": OK, "bin/tool +x": elf(X86_64) },
    "error: bin/tool is for x86_64, the function for arm64 (exec format error)",
    "fix: build it for arm64",
    { arch: "arm64" },
  ],
  [
    "a library for the other architecture",
    { "function.sh": OK, "lib/x.so": elf(ARM64) },
    "error: lib/x.so is for arm64, the function for x86_64",
    "fix: build it for x86_64",
  ],
  [
    "a program for a machine that Lambda has not",
    { "function.sh": OK, "bin/tool +x": elf(8) },
    "error: bin/tool is for another machine",
    "fix: build it for x86_64",
  ],
  [
    "a program that needs a newer glibc",
    { "function.sh": OK, "bin/tool +x": elf(X86_64, "GLIBC_2.2.5\0GLIBC_2.38") },
    "warning: bin/tool needs glibc 2.38, provided.al2023 has 2.34",
    "fix: build it on Amazon Linux 2023",
  ],
  [
    "a program that is linked with musl",
    { "function.sh": OK, "bin/tool +x": elf(X86_64, "", "/lib/ld-musl-x86_64.so.1") },
    "error: bin/tool is linked with musl",
    "fix: link it statically",
  ],
  [
    "a script whose interpreter is only here",
    { "function.sh": OK, "bin/report +x": "#!/usr/bin/python3\n" },
    "warning: bin/report names /usr/bin/python3, which provided.al2023 does not have",
    "fix: #!/usr/bin/env python3, and a layer with bin/python3",
  ],
  [
    "output into the function's folder",
    { "function.sh": "handler() { date > last-run; }\n" },
    "warning: function.sh:1: writes last-run into /var/task, which is read-only",
    "fix: write it to /tmp/last-run",
  ],
  [
    "output into a folder of the system",
    { "function.sh": "handler() { date >> /var/log/my.log; }\n" },
    "warning: function.sh:1: writes /var/log/my.log into /var/log, which is read-only",
    "fix: write it to /tmp/my.log",
  ],
  // The bootstrap.
  [
    "a bootstrap that is not executable",
    { "function.sh": OK, bootstrap: "#!/bin/sh\n" },
    "error: bootstrap is not executable: ./bootstrap (mode 0644)",
    "fix: chmod +x bootstrap",
  ],
  [
    "a bootstrap without a first line",
    { "function.sh": OK, "bootstrap +x": "echo\n" },
    "error: bootstrap has no #! line and is not an ELF binary",
    "fix: begin it with #!/bin/sh",
  ],
  [
    "a bootstrap with CRLF",
    { "function.sh": OK, "bootstrap +x": crlf("#!/bin/sh\n:\n") },
    "error: bootstrap has CRLF line ends",
    "fix: sed -i",
  ],
  [
    "a bootstrap for the other architecture",
    { "function.sh": OK, "bootstrap +x": elf(ARM64) },
    "error: bootstrap is for arm64, the function for x86_64",
    "fix: build it for x86_64",
  ],
  // The folder.
  [
    "a link out of the folder",
    { "function.sh": OK, data: "-> ../data" },
    "warning: data links outside the folder: ../data",
    "fix: rm data",
  ],
  [
    "a link to the folder that has the function's in it",
    { "function.sh": OK, "lib/up": "-> ../.." },
    "warning: lib/up links outside the folder: ../..",
    "fix: rm lib/up",
  ],
  [
    "a link to a place of this computer",
    { "function.sh": OK, "lib/data": "-> /etc/passwd" },
    "warning: lib/data links outside the folder: /etc/passwd",
    "fix: replace it by a copy: rm lib/data && cp -rL /etc/passwd lib/data",
  ],
  [
    "a link that leads nowhere",
    { "function.sh": OK, data: "-> nowhere" },
    "warning: data links to nowhere, which is not there",
    "fix: rm data",
  ],
  [
    "a link that leads back to itself",
    { "function.sh": OK, data: "-> data" },
    "warning: data links to data, which is not there",
    "fix: rm data",
  ],
  [
    "links that lead in a circle",
    { "function.sh": OK, one: "-> two", two: "-> one" },
    "warning: one links to two, which is not there",
    "fix: rm one",
  ],
  [
    "a file that others may not read",
    { "function.sh": OK, "data 600": "x" },
    "warning: data is not readable by others (mode 0600)",
    "fix: chmod a+r data",
  ],
  [
    "a folder that is too large",
    { "function.sh": OK, big: new Uint8Array(262_144_001) },
    "error: the folder has 262144018 bytes, Lambda takes at most 262144000, layers included",
    "fix: leave out what the function does not need",
  ],
  [
    "a folder that is too large for an upload",
    { "function.sh": OK, big: new Uint8Array(104_857_601) },
    "warning: the folder has 104857618 bytes",
    "fix: upload a larger zip to S3",
  ],
  [
    "a folder that is as large as may be",
    { "function.sh": OK, big: new Uint8Array(262_144_000 - OK.length) },
    "warning: the folder has 262144000 bytes",
    "fix: upload a larger zip to S3",
  ],
  // The configuration.
  [
    "variables that are too large",
    {
      "function.sh": OK,
      "template.yaml": template(`Environment: { Variables: { BIG: ${"x".repeat(4094)} } }`),
    },
    "error: the variables have 4097 bytes, Lambda takes at most 4096",
    "fix: put large values into a file",
  ],
  [
    "variables of lambda-shell.toml that are too large",
    { "function.sh": OK, "lambda-shell.toml": `[function.NAME.env]\nA1 = "${"x".repeat(4095)}"\n` },
    "error: the variables have 4097 bytes",
    "fix: put large values",
  ],
  [
    "a variable that Lambda sets itself",
    {
      "function.sh": OK,
      "template.yaml": template(
        "Environment: { Variables: { AWS_REGION: x, AWS_LAMBDA_METADATA_API: y } }",
      ),
    },
    "error: template.yaml: Probe: Environment: Lambda was unable to configure your environment variables",
    "Reserved keys used in this request: AWS_REGION, AWS_LAMBDA_METADATA_API",
  ],
  [
    "a variable with a name that Lambda does not take",
    { "function.sh": OK, "template.yaml": template("Environment: { Variables: { MY-NAME: x } }") },
    'error: the variable "MY-NAME" has a name that Lambda does not take',
    "fix: a letter, then letters, digits and underscores",
  ],
  [
    "a time that is too long",
    { "function.sh": OK, "template.yaml": template("Timeout: 1801") },
    'error: template.yaml: Probe: Timeout: "1801" is not a whole number of seconds from 1 to 1800',
    "on AWS the deployment fails",
  ],
  [
    "memory that is too large",
    { "function.sh": OK, "template.yaml": template("MemorySize: 32769") },
    'error: template.yaml: Probe: MemorySize: "32769" is not a whole number of MB from 128 to 32768',
    "on AWS the deployment fails",
  ],
  [
    "a mode of storage that S3 does not have",
    {
      "function.sh": OK,
      "template.yaml": template("CodeUri: { Bucket: b, Key: k, StorageMode: LINK }"),
    },
    'error: template.yaml: Probe: CodeUri.StorageMode: "LINK" is not COPY or REFERENCE',
    "on AWS the deployment fails",
  ],
  [
    "too large a /tmp",
    { "function.sh": OK, "template.yaml": template("EphemeralStorage: { Size: 32769 }") },
    'error: template.yaml: Probe: EphemeralStorage.Size: "32769" is not a whole number of MB from 512 to 10240, 32768 with AcceleratorConfig',
    "on AWS the deployment fails",
  ],
  [
    "a template for the other architecture",
    { "function.sh": OK, "template.yaml": template("Architectures: [arm64]") },
    "warning: template.yaml has the architecture arm64, this is a function for x86_64",
    "fix: Architectures: [x86_64]",
  ],
  [
    "a runtime of another language",
    { "function.sh": OK, "template.yaml": template("", "Runtime: python3.12") },
    "error: template.yaml: Probe: Runtime: python3.12 starts a bootstrap of its own",
    "fix: Runtime: provided.al2023",
  ],
  [
    "a runtime that has ended",
    { "function.sh": OK, "template.yaml": template("", "Runtime: provided.al2\nLayers: [a]") },
    "error: template.yaml: Probe: Runtime: provided.al2: no function can be created with it",
    "fix: Runtime: provided.al2023",
  ],
  [
    "a runtime that nobody knows",
    { "function.sh": OK, "template.yaml": template("", "Runtime: provided.al2025\nLayers: [a]") },
    'warning: template.yaml: Probe: Runtime: "provided.al2025" is not a runtime that Lambda is known to have',
    "fix: Runtime: provided.al2023",
  ],
  [
    "no runtime",
    { "function.sh": OK, "template.yaml": template("", "Layers: [a]") },
    "error: template.yaml: Probe: Runtime is missing",
    "fix: Runtime: provided.al2023",
  ],
  [
    "neither a bootstrap nor a layer",
    { "function.sh": OK, "template.yaml": template("", "Runtime: provided.al2023") },
    "warning: template.yaml: Probe: there is neither a bootstrap in the folder nor a layer",
    "fix: add the layer lambda-shell-runtime, or package it with lambda-shell package --with-bootstrap",
  ],
  [
    "six layers",
    {
      "function.sh": OK,
      "template.yaml": template("Layers: [a, b, c, d, e, f]", "Runtime: provided.al2023"),
    },
    "error: template.yaml: Probe: 6 layers, Lambda takes at most 5",
    "fix: put what belongs together into one layer",
  ],
  ...(
    [
      ["", "#!/bin/sh\n"],
      ["Layers: [a]", elf(X86_64)],
      ["CodeUri: .", "#!/bin/bash\nexec ./run\n"],
    ] as const
  ).map(
    ([properties, bootstrap]) =>
      [
        `a bootstrap beside a customer-managed runtime (${properties})`,
        {
          "function.sh": OK,
          "bootstrap +x": bootstrap,
          "template.yaml": template(properties, CUSTOM_RUNTIME),
        },
        "warning: template.yaml: Probe: the folder has a bootstrap, and Runtime: custom brings one",
        "fix: leave it out of the zip: lambda-shell package --exclude bootstrap",
      ] as const,
  ),
  [
    "a customer-managed runtime that is not named",
    { "function.sh": OK, "template.yaml": template("", "Runtime: custom") },
    "error: template.yaml: Probe: RuntimeConfig: Runtime: custom needs it",
    "on AWS the deployment fails",
  ],
];

test.each(MISTAKES)(
  "%s is found with its fix",
  async (_what, files, finding, fix, options = {}) => {
    const root = folder(files);
    const toml = join(root, "lambda-shell.toml");
    if (existsSync(toml)) {
      const name = root.slice(root.lastIndexOf("/") + 1);
      writeFileSync(toml, readFileSync(toml, "utf8").replace("NAME", name));
    }
    const all = await found(root, options);
    const told = all.find((each) => each.startsWith(finding));
    expect({ all, told: told ?? "nothing" }).toEqual({ all, told: expect.stringContaining(fix) });
  },
);

test.each(["my lib.sh", "it's.sh", "a\nb.sh", "$(id);.sh", "-n.sh", "back\\slash.sh"])(
  "a fix that is a command mends the file %j when it is run",
  async (name) => {
    const root = folder({ "function.sh": OK });
    writeFileSync(join(root, name), crlf("x=1\n"));
    chmodSync(join(root, name), 0o600);
    symlinkSync("nowhere", join(root, `${name}.link`));
    const fixes = (await checkFolder(checkTargets(root, { arch: "amd64" })))
      .map(({ message }) => /\n {2}fix: ((?:sed|chmod|rm) .*)$/s.exec(message)?.[1])
      .filter((fix) => fix !== undefined);
    expect(fixes.length).toBe(3);
    for (const fix of fixes) {
      const ran = Bun.spawnSync(["sh", "-c", fix], { cwd: root });
      expect([fix, ran.stderr.toString(), ran.exitCode]).toEqual([fix, "", 0]);
    }
    expect(await found(root)).toEqual([]);
  },
);

test.each(["a link", "-link", "it's"])(
  "the command that is recommended for the link %j to a file or a folder elsewhere leaves a copy",
  async (name) => {
    const parent = temporaryFolder("check");
    for (const elsewhere of ["file", "folder with a space/file"]) {
      mkdirSync(dirname(join(parent, elsewhere)), { recursive: true });
      writeFileSync(join(parent, elsewhere), "content");
    }
    const root = join(parent, "function");
    mkdirSync(join(root, "lib"), { recursive: true });
    writeFileSync(join(root, "function.sh"), OK);
    symlinkSync("../file", join(root, name));
    symlinkSync("../../folder with a space", join(root, "lib", name));
    symlinkSync(join(parent, "file"), join(root, "lib", "absolute"));
    const fixes = (await checkFolder(checkTargets(root, { arch: "amd64" })))
      .map(({ message }) => / by a copy: (.*)$/s.exec(message)?.[1])
      .filter((fix) => fix !== undefined);
    expect(fixes.length).toBe(parent.startsWith("/tmp/") ? 2 : 3);
    for (const fix of fixes) {
      const ran = Bun.spawnSync(["sh", "-c", fix], { cwd: root });
      expect([fix, ran.stderr.toString(), ran.exitCode]).toEqual([fix, "", 0]);
    }
    expect(lstatSync(join(root, name)).isFile()).toBe(true);
    expect(readFileSync(join(root, name), "utf8")).toBe("content");
    expect(lstatSync(join(root, "lib", name)).isDirectory()).toBe(true);
    expect(readFileSync(join(root, "lib", name, "file"), "utf8")).toBe("content");
    expect(await found(root)).toEqual([]);
  },
);

test("every option that check recommends is its own, or that of the command that it names", async () => {
  const help = async (command: string) => (await tool([command, "--help"])).out;
  const helps = new Map<string, string>();
  const recommended: string[] = [];
  for (const [, files, , , options = {}] of MISTAKES) {
    if (Object.values(files).some((content) => typeof content !== "string")) continue;
    for (const line of (await found(folder(files), options)).flatMap((each) => each.split(" | "))) {
      // What another program than ours is told.
      if (/^fix: (?:cp|sed|chmod) |ffmpeg|replace it by a copy/.test(line)) continue;
      for (const [option] of line.matchAll(/--[a-z][a-z-]+/g)) {
        const command =
          /lambda-shell (\w+)[^,]*$/.exec(line.slice(0, line.indexOf(option)))?.[1] ?? "check";
        if (!helps.has(command)) helps.set(command, await help(command));
        expect({
          line,
          is:
            helps.get(command)?.includes(`${option} `) ||
            helps.get(command)?.includes(`${option}\n`),
        }).toEqual({ line, is: true });
        recommended.push(`${command} ${option}`);
      }
    }
  }
  expect([...new Set(recommended)].sort()).toEqual([
    "check --arch",
    "check --handler",
    "package --exclude",
    "package --with-bootstrap",
  ]);
});

const FINE: readonly (readonly [what: string, files: PlantedFiles, options?: CheckOptions])[] = [
  ["a function", { "function.sh": OK }],
  [
    "commands with names that every object has",
    { "function.sh": "handler() { constructor a; __proto__; toString | valueOf; }\n" },
  ],
  [
    "a template with a resource of a type that every object has",
    {
      "function.sh": OK,
      "template.yaml": "Resources:\n  X: { Type: constructor, Properties: { Timeout: 9999 } }\n",
    },
  ],
  [
    "what only bash knows, in a script for bash",
    { "function.sh": "#!/bin/bash\nfunction handler { [[ $1 ]] && a=(1 2); }\n" },
  ],
  ...[
    "Runtime: !ImportValue x",
    "Runtime: !Sub '${AWS::StackId}'",
    "PackageType: !ImportValue x",
  ].map(
    (runtime) =>
      [
        `what only a deployment knows: ${runtime}`,
        { "function.sh": OK, "template.yaml": template("Layers: [a]", runtime) },
      ] as const,
  ),
  ...[
    "[ -f ./.env.sh ] && . ./.env.sh",
    "if test -r ./x; then . ./x; fi",
    "[ -e ./x ] || exit; . ./x",
  ].map(
    (script) =>
      [
        `a file that is looked for first: ${script}`,
        { "function.sh": `${script}\n${OK}` },
      ] as const,
  ),
  [
    "a file that sh finds in a PATH of the script's own",
    { "function.sh": `PATH=$LAMBDA_TASK_ROOT/lib:$PATH\n. common.sh\n${OK}` },
  ],
  [
    "a file that sh finds in the PATH of a layer",
    { "function.sh": `. common.sh\n${OK}` },
    { layer: [folder({ "bin/common.sh": "" })] },
  ],
  ["a file of another folder", { "function.sh": `cd /tmp; . ./made.sh\n${OK}` }],
  ["a file at home", { "function.sh": `. ~/.profile\n${OK}` }],
  ["names that bash takes", { "function.sh": `#!/bin/bash\n${OK}my-f() { :; }\na::b() { :; }\n` }],
  ["names in a subshell's text", { "function.sh": `${OK}x='my-f() { :; }'\n` }],
  ["env and bash", { "function.sh": `#!/usr/bin/env bash\n${OK}` }],
  [
    "links to layers, to the folder of temporary files, and within the folder",
    { "function.sh": OK, one: "-> /opt/lib/x", two: "-> /tmp/x", "lib/three": "-> ../function.sh" },
  ],
  ["a shell of a layer", { "function.sh": `#!/opt/bin/mksh\n${OK}` }, { layer: [LAYER] }],
  [
    "programs that are asked for first",
    {
      "function.sh":
        "handler() { command -v unzip > /dev/null && unzip -q a; type find; find .; }\n",
    },
  ],
  [
    "functions with the names of programs",
    { "function.sh": "find() { :; }\nhandler() { find; }\n" },
  ],
  [
    "programs that are kept from the event",
    {
      "function.sh":
        'handler() { ssh -n a b; ssh a < /dev/null; echo | ssh a; ffmpeg -nostdin -i a b; ffmpeg -i - b; while read -r h; do ssh "$h"; done < /tmp/h; }\n',
    },
    { layer: [LAYER] },
  ],
  [
    "programs with layers that are not here",
    { "function.sh": "handler() { git clone x; }\n", "template.yaml": template("") },
  ],
  [
    "output that may be written",
    { "function.sh": 'handler() { date > /tmp/x; date >&2; date > /dev/null; date > "$FILE"; }\n' },
  ],
  ["output after a change of the folder", { "function.sh": "cd /tmp\nhandler() { date > x; }\n" }],
  [
    "files that are loaded, in every way",
    {
      "function.sh": `. ./a.sh\n. "$LAMBDA_TASK_ROOT/b.sh"\n. "$(dirname "$0")/c.sh"\n. "\${0%/*}/d.sh"\n. /opt/lib/e.sh\n. "$LIB"\n. /etc/os-release\n${OK}`,
      "a.sh": "",
      "b.sh": "",
      "c.sh": "",
      "d.sh": "",
    },
  ],
  [
    "programs for both architectures side by side",
    {
      "function.sh": OK,
      "bin/tool-amd64 +x": elf(X86_64),
      "bin/tool-arm64 +x": elf(ARM64),
      "node_modules/x/prebuilt +x": elf(ARM64),
    },
  ],
  [
    "a program with an old glibc",
    { "function.sh": OK, "bin/tool +x": elf(X86_64, "GLIBC_2.34", "/lib64/ld-linux-x86-64.so.2") },
  ],
  [
    "scripts that nobody calls",
    {
      "function.sh": OK,
      "deploy.sh +x": "#!/bin/bash\nzip -r x.zip . && aws s3 cp x.zip s3://x > out\n",
    },
  ],
  [
    "a customer-managed runtime, and no bootstrap",
    { "function.sh": OK, "template.yaml": template("", CUSTOM_RUNTIME) },
  ],
  [
    "a bootstrap, and no customer-managed runtime",
    { "function.sh": OK, "bootstrap +x": "#!/bin/sh\n", "template.yaml": template("") },
  ],
  ["a bootstrap of its own", { "bootstrap +x": "#!/bin/sh\n" }, { handler: "app.main" }],
  ["a handler in a layer", { README: "" }, { handler: "/opt/handlers/x.main" }],
  [
    "a template for other folders",
    {
      "function.sh": OK,
      "template.yaml":
        "Resources:\n  F:\n    Type: AWS::Serverless::Function\n    Properties: { CodeUri: other, Handler: x.y }\n",
    },
  ],
  [
    "variables that are as large as may be",
    {
      "function.sh": OK,
      "template.yaml": template(`Environment: { Variables: { BIG: ${"x".repeat(4093)} } }`),
    },
  ],
  [
    "a folder that is as large as an upload may be",
    { "function.sh": OK, big: new Uint8Array(104_857_600 - OK.length) },
  ],
  [
    "a handler of 128 characters",
    { [`${"f".repeat(120)}.sh`]: OK },
    { handler: `${"f".repeat(120)}.handler` },
  ],
  ["a template of something else", { "function.sh": OK, "template.yaml": "a: {{ .Values.x }}\n" }],
  ["a file's name in another function", { "function.sh": `${OK}size() { jq .a "$1"; }\n` }],
  ["a function or program before =", { "function.sh": `${OK}city() { :; }\ncity = x; test = y\n` }],
  ["a first line of sh's that is late", { "function.sh": `\n#!/bin/sh\n${OK}` }],
  ["a #! line in a text", { "function.sh": `${OK}cat <<END\n#!/bin/bash\nEND\n` }],
  [
    "a file that can be run as well as loaded",
    { "function.sh": `${OK}[ "$0" != function.sh ] || handler "$@"\n` },
  ],
  ["programs of the layer", { "function.sh": "handler() { aws s3 ls | jq .; }\n" }],
  [
    "programs of the layer that the function may have elsewhere",
    {
      "function.sh":
        "handler() { if command -v aws; then aws s3 ls; fi; ./jq . < x; }\nyq() { jq .; }\njq() { :; }\n",
      "jq +x": "#!/bin/sh\n",
    },
    { withBootstrap: true },
  ],
  [
    "programs of the layer in a PATH of its own",
    { "function.sh": "PATH=$PATH:$LAMBDA_TASK_ROOT/bin\nhandler() { jq . < x; }\n" },
    { withBootstrap: true },
  ],
  [
    "programs of the layer in an image, and with a runtime that may have them",
    {
      "function.sh": "handler() { jq .; }\n",
      "template.yaml": template("", "PackageType: Image\nImageUri: a"),
    },
  ],
  [
    "a runtime in the zip, and no layer",
    { "function.sh": OK, "template.yaml": template("", "Runtime: provided.al2023") },
    { withBootstrap: true },
  ],
  [
    "files that programs write where they can",
    {
      "function.sh": `handler() {
  mkdir -p /tmp/a "$dir/b"; touch "$file" /tmp/x; tee /dev/stderr; tee; cp a /tmp/; mv -t /tmp a b; cp -r a "$to"
  ln -s a /tmp/b; curl -o /dev/null -s http://a; curl -so "$page" http://a -d out; curl -O http://a; echo mkdir data
  aws s3 cp x s3://bucket/x; aws s3 cp s3://bucket/x - --region a; aws s3 cp s3://bucket/x /tmp/x; aws s3 ls s3://a
  aws s3 cp --region a s3://bucket/x /tmp/x; mkdir -p /mnt/shared/a; date > /mnt/shared/now; touch -r a /tmp/b
}
`,
    },
  ],
  [
    "files in a folder that the script goes to",
    { "function.sh": "cd /tmp\nhandler() { mkdir a; cp x y; }\n" },
  ],
];

test.each(FINE)("%s: nothing is found", async (_what, files, options = {}) => {
  expect(await found(folder(files), options)).toEqual([]);
});

test.each([
  ["FileSystemConfigs: [{ Arn: !GetAtt A.Arn, LocalMountPath: /mnt/a }]", "FileSystemConfigs"],
  [
    "CodeUri: { Bucket: b, Key: k, StorageMode: REFERENCE }\nVpcConfig: { SubnetIds: [!Ref A] }",
    "VpcConfig, CodeUri.StorageMode",
  ],
  [
    "Tracing: Active\nDeadLetterQueue: { Type: SQS, TargetArn: !Ref A }",
    "DeadLetterQueue, Tracing",
  ],
  [
    "KmsKeyArn: !Ref A\nAcceleratorConfig: { AcceleratorMemorySize: 24 }",
    "AcceleratorConfig, KmsKeyArn",
  ],
  [
    "DurableConfig: { ExecutionTimeout: 60 }\nTenancyConfig: { TenantIsolationMode: PER_TENANT }\nPublishTo: LATEST_PUBLISHED",
    "DurableConfig, PublishTo, TenancyConfig",
  ],
])("what has no effect here is a hint, in one line: %s", async (properties, names) => {
  const files = { "function.sh": OK, "template.yaml": template(properties) };
  expect(await found(folder(files))).toEqual([
    `hint: template.yaml: Probe: without effect on this computer: ${names}`,
  ]);
});

/** A template with three functions, of which the last has its code elsewhere. */
function severalFunctions(second: string): string {
  const properties = "Runtime: provided.al2023, Layers: [a]";
  const resource = (name: string, more: string) =>
    `  ${name}:\n    Type: AWS::Serverless::Function\n    Properties: { ${properties}, ${more} }\n`;
  return (
    "Resources:\n" +
    resource("Elsewhere", "CodeUri: other, Handler: x.y, Timeout: 9999") +
    resource("First", "CodeUri: ., Handler: function.handler") +
    resource("Second", `CodeUri: ., ${second}`)
  );
}

test.each([
  ["Handler: second.main", "error: no file for the handler second.main"],
  ["Handler: function.main", 'error: handler "main" not found in function.sh'],
  ["Handler: function.handler, Timeout: 9999", "error: template.yaml: Second: Timeout"],
  ["Handler: function.handler, Runtime: custom", "error: template.yaml: Second: RuntimeConfig"],
  [
    "Handler: function.handler, Environment: { Variables: { A-B: x } }",
    'error: the variable "A-B" has a name',
  ],
])(
  "every function of the template whose code is in the folder is looked at: %s",
  async (second, finding) => {
    // No object has a member twice.
    const text = severalFunctions(second).replace(
      /Runtime: provided\.al2023(?=.*Runtime:)/,
      "Tags: {}",
    );
    const findings = await found(folder({ "function.sh": OK, "template.yaml": text }));
    expect(findings.map((each) => each.slice(0, finding.length))).toEqual([finding]);
  },
);

test("functions of one folder that are right have no findings, and what is wrong with it is said once", async () => {
  const text = severalFunctions("Handler: second.main");
  const files = { "function.sh": OK, "second.sh": "main() { :; }\n", "template.yaml": text };
  expect(await found(folder(files))).toEqual([]);
  const damaged = await found(folder({ ...files, "lib.sh": crlf("x\n") }));
  expect(damaged.length).toBe(1);
  // An option is for one function.
  const chosen = { handler: "function.handler" };
  expect(await found(folder({ "function.sh": OK, "template.yaml": text }), chosen)).toEqual([]);
});

test.each([...KNOWN_RUNTIMES].sort())("%s is known as a runtime of Lambda's", async (runtime) => {
  const config =
    "\nRuntimeConfig: { RuntimeArn: arn:aws:lambda:us-east-1:123456789012:runtime/shell, RuntimeAlias: a }";
  const properties = `Runtime: ${runtime}\nLayers: [a]${runtime === "custom" ? config : ""}`;
  const files = { "function.sh": OK, "template.yaml": template("", properties) };
  expect((await found(folder(files))).join()).not.toContain("is known to have");
});

test("AWS's tutorial function, without a first line, has no mistake, whatever sh is here", async () => {
  const findings = await found(join(ROOT, "fixtures/check/tutorial"));
  const here = otherSh();
  if (here === undefined) return expect(findings).toEqual([]);
  expect(findings).toEqual([
    `hint: function.sh:1: function is bash's: /bin/sh is bash on Lambda, and ${here} on this computer | ` +
      "it works there and may fail here; to have the same shell everywhere: #!/bin/bash as first line",
  ]);
});

const EXAMPLES = join(ROOT, "fixtures", "functions");

test.each(readdirSync(EXAMPLES).sort())("the example %s has no mistakes", async (name) => {
  // What a layer must bring is worth knowing, and no mistake.
  const findings = await found(join(EXAMPLES, name));
  expect(findings.filter((each) => !each.startsWith("hint: "))).toEqual([]);
});

test.each(["handler() {\n if true; then\n}\n", "handler() {\n", "handler() { echo 'a; }\n"])(
  "of a script with an error of syntax (%j) nothing else is said",
  async (script) => {
    const findings = await found(folder({ "function.sh": script }));
    expect(findings.length).toBe(1);
    expect(findings[0]).toStartWith("error: syntax error in function.sh");
  },
);

describe.each(["#!/bin/bash", "#!/bin/sh", ""])(
  "of patterns under %j that the script turns on",
  (line) => {
    const pattern =
      'handler() { case $1 in +([0-9])) echo "number" ;; !(x|y)) echo "$1" ;; esac; }';
    test.each([
      ["by themselves", "shopt -s extglob"],
      ["with another option", "shopt -s nullglob extglob"],
      ["in a command that may fail", "shopt -s extglob || exit"],
    ])("%s nothing is said", async (_, head) => {
      const findings = await found(folder({ "function.sh": `${line}\n${head}\n${pattern}\n` }));
      expect(findings.filter((each) => each.includes("syntax"))).toEqual([]);
    });

    test("and of others the syntax error, by its own line", async () => {
      const broken = await found(
        folder({ "function.sh": `${line}\nshopt -s extglob\n${pattern}\n)\n` }),
      );
      expect(broken[0]).toStartWith("error: syntax error in function.sh");
      expect(broken[0]).toContain("line 4");
      const without = await found(folder({ "function.sh": `${line}\n${pattern}\n` }));
      expect(without[0]).toStartWith("error: syntax error in function.sh");
    });
  },
);

test("a script that would take too long to be looked through is named, and nothing else is said of it", async () => {
  const open = "${a#(".repeat(10_000);
  const script = `#!/bin/bash\nhandler() {\nunzip x\ncat <<E\n${open}\nE\n}\n`;
  expect(await found(folder({ "function.sh": script }))).toEqual([
    "hint: function.sh is not looked through: that would take too long | the programs that it runs and the files that it loads and writes are not checked",
  ]);
  const made = `#!/bin/bash\neval "$(cat lib)"\n${script}`;
  const [hint, ...others] = await found(
    folder({ "function.sh": made.replace("handler", "other") }),
  );
  expect([hint?.slice(0, 6), others]).toEqual(["hint: ", []]);
  const broken = "case x in (".repeat(10_000);
  const findings = await found(folder({ "function.sh": `#!/bin/bash\n${broken}\n` }));
  expect(findings.map((each) => each.split(" | ", 1)[0])).toEqual([
    "error: syntax error in function.sh",
  ]);
});

test("all mistakes of one folder are found at once", async () => {
  const root = folder({
    "function.sh": `#!/bin/sh\n. ./lib.sh\n. ./.env\n. ../up.sh\nhandler() {\n  ssh host\n  unzip x\n  date > out\n  ./bin/run\n}\n`,
    "lib.sh": crlf("x=1\n"),
    ".env": "",
    "bin/run": "#!/bin/sh\n",
    "bin/tool +x": elf(ARM64),
    bootstrap: "#!/bin/sh\n",
    data: "-> /srv/data",
    "secret 600": "",
    "bin/report +x": "#!/usr/bin/python3\n",
    "template.yaml": template(
      "Timeout: 9999\nMemorySize: 99999\nHandler: function.main\nEnvironment: { Variables: { AWS_REGION: x } }\nArchitectures: [arm64]",
      "Runtime: provided.al2",
    ),
  });
  const findings = await found(root);
  expect(findings.length).toBeGreaterThanOrEqual(17);
  for (const words of [
    'handler "main" not found in function.sh',
    "lib.sh has CRLF line ends",
    "./.env is not in the zip",
    "../up.sh is not a part",
    "ssh reads standard input",
    "unzip is not a part",
    "writes out into /var/task",
    "./bin/run is not executable",
    "bin/tool is for arm64",
    "bootstrap is not executable",
    "data links outside",
    "secret is not readable",
    "bin/report names /usr/bin/python3",
    'Timeout: "9999"',
    'MemorySize: "99999"',
    "Reserved keys",
    "Runtime: provided.al2:",
    "architecture arm64",
  ]) {
    expect(findings.join("\n")).toContain(words);
  }
});
