/**
 * The architecture of a zip, of its template and of what `check` looks for are one.
 *
 * @module
 */

import { expect, test } from "bun:test";
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { functionFolder, tool } from "../../testing/running-tool.ts";
import { bootstrapFix } from "./architecture.ts";

const HERE = process.arch === "arm64" ? "arm64" : "x86_64";

/** A folder with a function, the beginning of an ELF file as its bootstrap, and a template. */
function packaged(properties: string, machine: number): string {
  const text = `
Parameters: { Arch: { Default: arm64 } }
Resources:
  Function:
    Type: AWS::Serverless::Function
    Properties: { Runtime: provided.al2023, Handler: function.handler${properties} }
`;
  const folder = functionFolder({ "function.sh": "handler() { :; }\n", "template.yaml": text });
  const elf = new Uint8Array(64);
  elf.set([0x7f, 0x45, 0x4c, 0x46, 2, 1]);
  elf[18] = machine;
  writeFileSync(join(folder, "bootstrap"), elf);
  chmodSync(join(folder, "bootstrap"), 0o755);
  return folder;
}

const X86_64 = 62;
const ARM64 = 183;

test("init writes a template for this computer, with which check agrees", async () => {
  const cwd = functionFolder({ "x/.keep": "" });
  await tool(["init", "hello"], { cwd });
  const template = await Bun.file(join(cwd, "hello", "template.yaml")).text();
  expect(template).toContain(`Architectures: [${HERE}]\n`);
  expect(template).toContain(`lambda-shell-runtime layer for ${HERE}\n`);
  expect((await tool(["check", "hello"], { cwd })).errors).toBe("hello: no problems found\n");
});

test.each([
  [", Architectures: [arm64]", ARM64, X86_64],
  [", Architectures: [x86_64]", X86_64, ARM64],
  [", Architectures: [!Ref Arch]", ARM64, X86_64],
  ["", X86_64, ARM64],
])("check and package are for the architecture of the template%s", async (text, right, wrong) => {
  for (const command of [["check"], ["package", "-o", "/dev/null"]]) {
    expect((await tool(command, { cwd: packaged(text, right) })).status).toBe(0);
    const { status, errors } = await tool(command, { cwd: packaged(text, wrong) });
    expect(status).toBe(1);
    expect(errors).toContain("error: bootstrap is for ");
  }
});

test("check warns of a template of another architecture, by any name of it", async () => {
  const cwd = packaged(", Architectures: [x86_64]", ARM64);
  const warning = `warning: template.yaml has the architecture x86_64, this is a function for arm64
  on AWS a bootstrap for the other one fails with: Runtime.InvalidEntrypoint
  fix: Architectures: [arm64], or --arch x86_64
`;
  for (const name of ["arm64", "aarch64", "ARM64"]) {
    expect(await tool(["check", "--arch", name], { cwd })).toMatchObject({
      status: 0,
      errors: `${warning}no errors\n`,
    });
  }
  for (const name of ["x86_64", "x86-64", "amd64", "x64", "AMD64"]) {
    const { status, errors } = await tool(["check", "--arch", name], { cwd });
    expect(status).toBe(1);
    expect(errors).toContain("error: bootstrap is for arm64, the function for x86_64 ");
  }
  for (const name of ["mips", "i386", "arm", ""]) {
    const wrong = await tool(["check", "--arch", name], { cwd });
    expect(wrong.status).toBe(2);
    expect(wrong.errors).toContain("It must be x86_64 or arm64.");
  }
});

test("an architecture has one name in all that is said of it, AWS's", async () => {
  const right = HERE === "arm64" ? ARM64 : X86_64;
  const said: string[] = [
    (await tool(["check", "--help"])).out,
    (await tool(["package", "--help"])).out,
  ];
  for (const arch of ["amd64", "aarch64"]) {
    for (const properties of ["", ", Architectures: [arm64]", ", Architectures: [x86_64]"]) {
      const cwd = packaged(properties, arch === "amd64" ? ARM64 : X86_64);
      said.push((await tool(["check", "--arch", arch], { cwd })).errors);
      said.push((await tool(["package", "-o", "/dev/null", "--arch", arch], { cwd })).errors);
    }
  }
  const own = packaged("", right);
  said.push((await tool(["package", "-o", "/dev/null", "--with-bootstrap"], { cwd: own })).errors);
  const words = said.join("\n").match(/\b(?:amd64|x64|x86[-_]64|aarch64|arm64)\b/gi) ?? [];
  expect([...new Set(words)].sort()).toEqual(["arm64", "x86_64"]);
});

test("templates that are for something else say nothing", async () => {
  for (const uri of ["other", "s3://bucket/key"]) {
    const text = `, CodeUri: ${uri}, Architectures: [arm64]`;
    const folder = packaged(text, HERE === "arm64" ? ARM64 : X86_64);
    expect((await tool(["check", folder])).errors).toBe(`${folder}: no problems found\n`);
  }
});

test.each([
  ["/a/node_modules/@lambda-shell-runtime/linux-x64/bin/lambda-shell", "arm64", "npm", "-arm64"],
  ["/a b/@lambda-shell-runtime/linux-arm64/bin/lambda-shell", "amd64", "npm", "-x64"],
  ["/root/.local/lib/lambda-shell-runtime/lambda-shell", "arm64", "make", ""],
  ["/lambda-shell", "amd64", "make", ""],
] as const)("a missing bootstrap is had as the tool %s was, for %s", (path, wanted, way, end) => {
  expect(bootstrapFix(wanted, path)).toBe(
    way === "npm"
      ? `install it with: npm install @lambda-shell-runtime/bootstrap${end}`
      : "build it, in a clone, with: make bootstrap",
  );
});
