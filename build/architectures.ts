/**
 * The three names that each architecture has: in our files, at AWS, in Bun.
 *
 * @module
 */

/** One architecture that we build for. */
export interface Architecture {
  /** Our name, in file names: Debian's and the layer's. */
  readonly name: "arm64" | "amd64";
  /** AWS's name, as in `Architectures: [x86_64]`. */
  readonly aws: "arm64" | "x86_64";
  /** Bun's compile target; x64 is the baseline build, since Lambda does not promise AVX2. */
  readonly bunTarget: "bun-linux-arm64" | "bun-linux-x64-baseline";
  /** Package on the npm registry that holds Bun's executable. */
  readonly bunPackage: "@oven/bun-linux-aarch64" | "@oven/bun-linux-x64";
  /** The name that it has in package.json, in the version that our executables are compiled with. */
  readonly compilerPackage: "bun-compiler-linux-arm64" | "bun-compiler-linux-x64";
  /** The package of package.json with Closure Compiler's executable. */
  readonly optimizerPackage:
    "google-closure-compiler-linux-arm64" | "google-closure-compiler-linux";
  /** `process.arch` on such a machine. */
  readonly node: "arm64" | "x64";
  /** The machine name of ELF tools and qemu, as in `qemu-aarch64-static`. */
  readonly machine: "aarch64" | "x86_64";
}

/** Every architecture that Lambda has. */
export const ARCHITECTURES: readonly Architecture[] = [
  {
    name: "amd64",
    aws: "x86_64",
    bunTarget: "bun-linux-x64-baseline",
    bunPackage: "@oven/bun-linux-x64",
    compilerPackage: "bun-compiler-linux-x64",
    optimizerPackage: "google-closure-compiler-linux",
    node: "x64",
    machine: "x86_64",
  },
  {
    name: "arm64",
    aws: "arm64",
    bunTarget: "bun-linux-arm64",
    bunPackage: "@oven/bun-linux-aarch64",
    compilerPackage: "bun-compiler-linux-arm64",
    optimizerPackage: "google-closure-compiler-linux-arm64",
    node: "arm64",
    machine: "aarch64",
  },
];

/**
 * Finds an architecture by our name.
 * @throws {RangeError} When there is no such architecture.
 */
export function architecture(name: string): Architecture {
  const found = ARCHITECTURES.find((candidate) => candidate.name === name);
  if (found === undefined) {
    throw new RangeError(`unknown architecture ${name}: it is one of amd64, arm64`);
  }
  return found;
}

/** The architecture of the machine that this program runs on. */
export const HOST_ARCHITECTURE = ARCHITECTURES.find(({ node }) => node === process.arch);
