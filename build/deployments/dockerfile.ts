/**
 * Makes the roots of a Dockerfile's stages as folders, by its own steps, without a container
 * engine.
 *
 * It knows the instructions that our Dockerfiles use and refuses all others. A base image is stood
 * in for by this machine's programs (enter-root.sh), busybox by busybox, so that what is tested are
 * our steps, the files that they place, and the entry point; not the base images themselves.
 *
 * @see {@link https://docs.docker.com/reference/dockerfile/} Dockerfile reference
 * @module
 */

import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";

import { temporaryFolder } from "../../src/testing/temporary-folder.ts";
import { HOST_ARCHITECTURE } from "../architectures.ts";

/** A stage's root and what its image is run with. */
export interface Image {
  readonly root: string;
  readonly environment: Map<string, string>;
  readonly labels: Map<string, string>;
  user: string;
  directory: string;
  entrypoint: readonly string[];
  command: readonly string[];
}

/** What a build is given. */
export interface BuildOptions {
  /** The folder that COPY reads from. */
  readonly context: string;
  /** `--build-arg`, and TARGETARCH as BuildKit sets it. */
  readonly arguments: Readonly<Record<string, string>>;
  /** Images that an earlier build made, by name. */
  readonly images?: ReadonlyMap<string, Image>;
  /** Folders of the context that are elsewhere, by their first name. */
  readonly contextFolders?: Readonly<Record<string, string>>;
}

/** AWS's base image of OS-only functions: what its configuration says that our steps build on. */
const LAMBDA_BASE = "public.ecr.aws/lambda/provided:al2023";
const LAMBDA_ENTRYPOINT = ["/lambda-entrypoint.sh"];

/** Before the name of a base: the stage is for the computer that builds, whatever the image is for. */
const ON_THIS_COMPUTER = "--platform=${BUILDPLATFORM} ";

const HOST = HOST_ARCHITECTURE?.name;

const ENTER_ROOT = join(import.meta.dir, "enter-root.sh");

/** The command line by which root runs something in an image. */
export function commandInImage(image: Image, command: readonly string[]): string[] {
  return [
    ...["unshare", "--mount", "sh", ENTER_ROOT],
    ...[image.root, image.user, image.directory, ...command],
  ];
}

/**
 * Builds the last stage of a Dockerfile.
 * @throws {Error} When it has an instruction that is not known here, or a step fails.
 */
export function buildImage(dockerfile: string, options: BuildOptions): Image {
  const stages = new Map<string, Image>(options.images);
  const globals = new Map<string, string>();
  let image: Image | undefined;
  let variables = new Map<string, string>();
  /** Whether the stage is for another architecture than this computer's. */
  let foreign = false;
  for (const { instruction, text } of parse(readFileSync(dockerfile, "utf8"))) {
    const value = expand(text, image === undefined ? globals : variables);
    if (instruction === "ARG") {
      const [name = "", otherwise] = value.split("=");
      const given = options.arguments[name] ?? globals.get(name) ?? otherwise;
      if (given !== undefined) (image === undefined ? globals : variables).set(name, given);
      continue;
    }
    if (instruction === "FROM") {
      const native = text.startsWith(ON_THIS_COMPUTER);
      const words = native ? text.slice(ON_THIS_COMPUTER.length) : text;
      const [from = "", , name] = expand(words, globals).split(/\s+/);
      image = stageFrom(from, stages.get(from));
      foreign = !native && (options.arguments["TARGETARCH"] ?? HOST) !== HOST;
      variables = new Map(image.environment);
      if (name !== undefined) stages.set(name, image);
      continue;
    }
    if (image === undefined) throw new Error(`${instruction} stands before FROM in ${dockerfile}`);
    if (foreign && instruction === "RUN") {
      throw new Error(
        `failed to build for another architecture: RUN in ${dockerfile} would need an emulator; ` +
          `put it into a stage with ${ON_THIS_COMPUTER.trim()}`,
      );
    }
    applyStep(image, instruction, value, stages, options);
    if (instruction === "ENV") variables.set(...assignment(value));
  }
  if (image === undefined) throw new Error(`failed to find FROM in ${dockerfile}`);
  // Hundreds of megabytes each, which nothing asks for any more.
  const kept = new Set([image, ...(options.images?.values() ?? [])]);
  for (const stage of stages.values()) {
    if (!kept.has(stage)) rmSync(stage.root, { recursive: true, force: true });
  }
  return image;
}

function applyStep(
  image: Image,
  instruction: string,
  value: string,
  stages: ReadonlyMap<string, Image>,
  options: BuildOptions,
): void {
  switch (instruction) {
    case "COPY":
      return copy(image, value, stages, options);
    case "RUN":
      return run(image, value);
    case "ENV":
      image.environment.set(...assignment(value));
      return;
    case "LABEL":
      image.labels.set(...assignment(value));
      return;
    case "WORKDIR":
      image.directory = value;
      mkdirSync(join(image.root, value), { recursive: true });
      return;
    case "USER":
      image.user = value;
      return;
    case "EXPOSE":
      return;
    case "ENTRYPOINT":
      image.entrypoint = JSON.parse(value);
      return;
    case "CMD":
      image.command = JSON.parse(value);
      return;
    default:
      throw new Error(`failed to build: the instruction ${instruction} is not known here`);
  }
}

function parse(text: string): { instruction: string; text: string }[] {
  return text
    .replace(/\\\n/g, " ")
    .split("\n")
    .filter((line) => line.trim() !== "" && !line.startsWith("#"))
    .map((line) => {
      const [, instruction = "", rest = ""] = /^(\S+)\s+(.*)$/.exec(line) ?? [];
      return { instruction, text: rest };
    });
}

function expand(text: string, variables: ReadonlyMap<string, string>): string {
  return text.replace(/\$\{(\w+)\}/g, (_, name: string) => variables.get(name) ?? "");
}

function assignment(value: string): [string, string] {
  const at = value.indexOf("=");
  return [value.slice(0, at), value.slice(at + 1).replace(/^"(.*)"$/, "$1")];
}

/** A copy of an image that was made here, or an empty root with the shape of a base image. */
function stageFrom(name: string, base: Image | undefined): Image {
  const root = temporaryFolder("image");
  // mkdtemp's own mode would keep the image's user out of its root.
  chmodSync(root, 0o755);
  if (base !== undefined) {
    cpSync(base.root, root, { recursive: true, verbatimSymlinks: true });
    return {
      ...base,
      root,
      environment: new Map(base.environment),
      labels: new Map(base.labels),
    };
  }
  for (const folder of ["usr/bin", "usr/lib", "usr/lib64", "etc/alternatives", "proc", "dev"]) {
    mkdirSync(join(root, folder), { recursive: true });
  }
  mkdirSync(join(root, "tmp"));
  chmodSync(join(root, "tmp"), 0o1777);
  for (const each of ["bin", "lib", "lib64"]) symlinkSync(`usr/${each}`, join(root, each));
  if (name.includes("/busybox:")) installBusybox(root);
  return {
    root,
    environment: new Map([["PATH", "/usr/local/bin:/usr/bin:/bin"]]),
    labels: new Map(),
    user: "0:0",
    directory: "/",
    entrypoint: name === LAMBDA_BASE ? LAMBDA_ENTRYPOINT : [],
    command: [],
  };
}

/** Gives a root busybox's own programs, whose unzip and mv know less than those of this machine. */
function installBusybox(root: string): void {
  const program = Bun.which("busybox");
  if (program === null) throw new Error("failed to find busybox: install it");
  cpSync(program, join(root, "usr/bin/busybox"), { dereference: true });
  // enter-root.sh changes the folder with GNU's env.
  cpSync("/usr/bin/env", join(root, "usr/bin/env"), { dereference: true });
  for (const applet of Bun.spawnSync([program, "--list"]).stdout.toString().trim().split("\n")) {
    const path = join(root, "usr/bin", applet);
    if (!existsSync(path)) symlinkSync("busybox", path);
  }
}

/** COPY of files or folders: a source that ends in a slash gives its content. */
function copy(
  image: Image,
  value: string,
  stages: ReadonlyMap<string, Image>,
  options: BuildOptions,
): void {
  const words = value.split(/\s+/);
  const stage = words[0]?.startsWith("--from=")
    ? words.shift()?.slice("--from=".length)
    : undefined;
  const target = words.pop() ?? "";
  const from = stage === undefined ? undefined : stages.get(stage);
  if (stage !== undefined && from === undefined) throw new Error(`no stage is called ${stage}`);
  for (const source of words) {
    for (const path of from === undefined ? match(source, options) : [join(from.root, source)]) {
      const into = join(image.root, target);
      const folder = statSync(path).isDirectory();
      mkdirSync(folder ? into : dirname(into), { recursive: true });
      const to = !folder && target.endsWith("/") ? join(into, basename(path)) : into;
      cpSync(path, to, { recursive: true, verbatimSymlinks: true });
    }
  }
}

/** Files of the context; like Docker, refuses a source that fits nothing. */
function match(source: string, options: BuildOptions): readonly string[] {
  const [first = "", ...rest] = source.split("/");
  const moved = options.contextFolders?.[first];
  const cwd = moved ?? options.context;
  const pattern = moved === undefined ? source : rest.join("/");
  if (!pattern.includes("*")) return [join(cwd, pattern)];
  const found = [...new Bun.Glob(pattern).scanSync({ cwd })].map((name) => join(cwd, name));
  if (found.length !== 1) {
    throw new Error(`failed to copy ${source}: ${found.length} files fit, it must be one`);
  }
  return found;
}

function run(image: Image, script: string): void {
  const command = commandInImage(image, ["sh", "-c", script]);
  const { exitCode, stderr } = Bun.spawnSync(command, {
    env: Object.fromEntries(image.environment),
    stdin: "ignore",
  });
  if (exitCode !== 0) throw new Error(`failed to run ${script}: ${stderr.toString()}`);
}
