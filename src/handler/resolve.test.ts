import { expect, test } from "bun:test";

import { type Files, type Handler, resolveHandler } from "./resolve.ts";

const ROOT = "/var/task";

/** Files by their path: the text, with a star before it when it is executable. */
function files(texts: Readonly<Record<string, string>>): Files {
  const all: Readonly<Record<string, string>> = {
    "/bin/sh": "*",
    "/bin/bash": "*",
    "/usr/bin/env": "*",
    "/usr/bin/python3": "*",
    ...texts,
  };
  return {
    isFile: (path) => path in all,
    mayExecute: (path) => all[path]?.startsWith("*") === true,
    start: (path) => all[path]?.replace(/^\*/, ""),
    program: (name) => (`/bin/${name}` in all ? `/bin/${name}` : undefined),
    searchPath: () => "/usr/bin:/bin",
  };
}

const SH = { path: "/bin/sh", options: [] };

const RESOLVED: readonly (readonly [
  name: string,
  texts: Readonly<Record<string, string>>,
  handler: Handler,
])[] = [
  [
    "function.handler",
    { "/var/task/function.sh": "handler() { :; }\n" },
    { kind: "function", script: "/var/task/function.sh", functionName: "handler", shell: SH },
  ],
  [
    "function.sh.handler",
    { "/var/task/function.sh": "" },
    { kind: "function", script: "/var/task/function.sh", functionName: "handler", shell: SH },
  ],
  [
    "src/app.main",
    { "/var/task/src/app.sh": "#!/bin/bash -e\n" },
    {
      kind: "function",
      script: "/var/task/src/app.sh",
      functionName: "main",
      shell: { path: "/bin/bash", options: ["-e"] },
    },
  ],
  [
    "/opt/app.main",
    { "/opt/app.sh": "#!/usr/bin/env -S bash -u\n" },
    {
      kind: "function",
      script: "/opt/app.sh",
      functionName: "main",
      shell: { path: "/bin/bash", options: ["-u"] },
    },
  ],
  [
    "app.main",
    { "/var/task/app.sh": "#!/bin/sh -\n" },
    { kind: "function", script: "/var/task/app.sh", functionName: "main", shell: SH },
  ],
  [
    "a.main",
    { "/var/task/a.sh": "#! /bin/busybox sh\n", "/bin/busybox": "*" },
    {
      kind: "function",
      script: "/var/task/a.sh",
      functionName: "main",
      shell: { path: "/bin/busybox", options: ["sh"] },
    },
  ],
  ...["my-handler", "aws::handler", "1st", "größe", "a+b@c%d,e^f"].map(
    (functionName) =>
      [
        `function.${functionName}`,
        { "/var/task/function.sh": "" },
        { kind: "function", script: "/var/task/function.sh", functionName, shell: SH },
      ] as const,
  ),
  ...["ksh93", "bash-5.2", "mksh-static", "bash5", "ksh"].map(
    (program) =>
      [
        "a.main",
        { "/var/task/a.sh": `#!/bin/${program}\n`, [`/bin/${program}`]: "*" },
        {
          kind: "function",
          script: "/var/task/a.sh",
          functionName: "main",
          shell: { path: `/bin/${program}`, options: [] },
        },
      ] as const,
  ),
  // A program may begin with a NUL.
  [
    "tool",
    { "/var/task/tool": "*\0asm\u0001\0\0\0" },
    { kind: "file", script: "/var/task/tool", command: ["/var/task/tool"], shell: SH },
  ],
  // A file of exactly that name comes first, whatever it is called.
  [
    "function.handler",
    { "/var/task/function.handler": "*#!/usr/bin/python3\n", "/var/task/function.sh": "" },
    {
      kind: "file",
      script: "/var/task/function.handler",
      command: ["/var/task/function.handler"],
      shell: SH,
    },
  ],
  [
    "main.sh",
    { "/var/task/main.sh": "echo\n" },
    {
      kind: "file",
      script: "/var/task/main.sh",
      command: ["/bin/sh", "/var/task/main.sh"],
      shell: SH,
    },
  ],
];

test.each(RESOLVED)("the handler %s of %j is found", (name, texts, handler) => {
  expect(resolveHandler(name, ROOT, files(texts))).toEqual(handler);
});

/** Texts in UTF-16, as they are when they are read as UTF-8. */
const UTF16 = [
  (text: string) => text.replaceAll(/./gs, "$&\0"),
  (text: string) => text.replaceAll(/./gs, "\0$&"),
  (text: string) => `\ufffd\ufffd${text.replaceAll(/./gs, "$&\0")}`,
  (text: string) => `\ufffd\ufffd${text.replaceAll(/./gs, "\0$&")}`,
];

const REJECTED: readonly (readonly [
  name: string,
  texts: Readonly<Record<string, string>>,
  type: string,
  words: string,
])[] = [
  ["", {}, "MalformedHandlerName", "is empty"],
  ["handler", {}, "MalformedHandlerName", "not of the form FILE.FUNCTION"],
  ["function.", {}, "MalformedHandlerName", "not of the form FILE.FUNCTION"],
  [".handler", {}, "MalformedHandlerName", "not of the form FILE.FUNCTION"],
  ["folder.d/handler", {}, "MalformedHandlerName", "not of the form FILE.FUNCTION"],
  ["function.a b", {}, "MalformedHandlerName", "cannot name a function"],
  ["function.$x", {}, "MalformedHandlerName", "cannot name a function"],
  ["function.a;b", {}, "MalformedHandlerName", "cannot name a function"],
  ["function.a'b", {}, "MalformedHandlerName", "cannot name a function"],
  ["function.*", {}, "MalformedHandlerName", "cannot name a function"],
  ...[" function.handler", "function.handler ", "function.handler\n", "\tapp", "function.\n"].map(
    (name) =>
      [
        name,
        {},
        "MalformedHandlerName",
        `name ${JSON.stringify(name)} begins or ends with a blank`,
      ] as const,
  ),
  ["function.1st", {}, "NoSuchHandler", "/var/task/function.sh"],
  ["function.handler", {}, "NoSuchHandler", "/var/task/function.sh"],
  ["a.f", { "/var/task/a.sh": "#!/bin/zsh\n" }, "InvalidEntrypoint", "missing or not executable"],
  [
    "a.f",
    { "/var/task/a.sh": "#!/usr/bin/python3\n" },
    "InvalidEntrypoint",
    "is not a supported shell",
  ],
  ...["zsh", "static", "-static", "93", "bashful", "ksh93x", "fish5"].map(
    (program) =>
      [
        "a.f",
        { "/var/task/a.sh": `#!/bin/${program}\n`, [`/bin/${program}`]: "*" },
        "InvalidEntrypoint",
        "is not a supported shell",
      ] as const,
  ),
  ["a.f", { "/var/task/a.sh": "#!/usr/bin/env dash\n" }, "InvalidEntrypoint", "does not find dash"],
  ...["", " -", " -i bash", " -vS bash", " -S A=1 bash", " A=1 bash", " --split-string=bash"].map(
    (words) =>
      [
        "a.f",
        { "/var/task/a.sh": `#!/usr/bin/env${words}\n` },
        "InvalidEntrypoint",
        "must name a shell after env, or after env -S, as in #!/usr/bin/env bash",
      ] as const,
  ),
  ["a.f", { "/var/task/a.sh": "f() {\r\n}\r\n" }, "UserCodeSyntaxError", "CRLF"],
  ["a.f", { "/var/task/a.sh": "\ufefff() { :; }\n" }, "UserCodeSyntaxError", "byte-order mark"],
  ["tool", { "/var/task/tool": "*#!/bin/sh\r\n" }, "UserCodeSyntaxError", "CRLF"],
  ["tool", { "/var/task/tool": "*echo\r\n" }, "UserCodeSyntaxError", "CRLF"],
  ["tool", { "/var/task/tool": "echo\r\n" }, "UserCodeSyntaxError", "CRLF"],
  ["tool", { "/var/task/tool": "*\ufeffecho\n" }, "UserCodeSyntaxError", "byte-order mark"],
  ["tool", { "/var/task/tool": "\ufeffecho\n" }, "UserCodeSyntaxError", "byte-order mark"],
  [
    "tool",
    { "/var/task/tool": "\x7fELF\x02\x01\x01\0\r\n" },
    "InvalidEntrypoint",
    "is a program and not executable",
  ],
  ...UTF16.flatMap(
    (text) =>
      [
        ["a.f", { "/var/task/a.sh": text("f() { :; }\r\n") }, "UserCodeSyntaxError", "is UTF-16"],
        ["a.f", { "/var/task/a.sh": text("#!/bin/sh\n") }, "UserCodeSyntaxError", "is UTF-16"],
        ["tool", { "/var/task/tool": text(":\n") }, "UserCodeSyntaxError", "is UTF-16"],
        ["tool", { "/var/task/tool": `*${text("#!/bin/sh\n")}` }, "UserCodeSyntaxError", "UTF-16"],
      ] as const,
  ),
  ["tool", { "/var/task/tool": "*#!/bin/none\n" }, "InvalidEntrypoint", "/bin/none"],
];

test.each(REJECTED)("the handler %j of %j is refused: %s, %s", (name, texts, type, words) => {
  const handler = resolveHandler(name, ROOT, files(texts));
  expect(handler).toMatchObject({ kind: "rejected", errorType: `Runtime.${type}` });
  expect(handler.kind === "rejected" && handler.errorMessage).toContain(words);
});

test("a file whose name begins or ends with a blank is found", () => {
  for (const name of [" tool", "tool ", "a.f\n"]) {
    const handler = resolveHandler(name, ROOT, files({ [`/var/task/${name}`]: "*" }));
    expect(handler).toMatchObject({ kind: "file", script: `/var/task/${name}` });
  }
});

test("a program may have what would be wrong in a text", () => {
  for (const text of ["\x7fELF\0\r\n", "MZ\r\n\0"]) {
    const handler = resolveHandler("tool", ROOT, files({ "/var/task/tool": `*${text}` }));
    expect(handler).toMatchObject({ kind: "file" });
  }
});

test.each([
  ["function.handler", "/var/task/function.handler and /var/task/function.sh"],
  ["function.sh", "/var/task/function.sh"],
])("each path that was tried for %s is named once", (name, paths) => {
  const errorMessage = `no file for the handler ${name}: tried ${paths}`;
  expect(resolveHandler(name, ROOT, files({}))).toMatchObject({ errorMessage });
});

test("what cannot be read is refused, unless it is executable", () => {
  const all = files({ "/var/task/a.sh": "", "/var/task/tool": "*" });
  const unreadable: Files = { ...all, start: () => undefined };
  expect(resolveHandler("a.f", ROOT, unreadable)).toMatchObject({
    errorType: "Runtime.InvalidEntrypoint",
    script: "/var/task/a.sh",
  });
  expect(resolveHandler("tool", ROOT, unreadable)).toMatchObject({ kind: "file" });
});
