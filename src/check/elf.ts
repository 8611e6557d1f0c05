/**
 * Programs and libraries of the function's own: whether Lambda can run them.
 *
 * @module
 */

import { awsArchitecture, type ElfFile, type MachineArchitecture } from "../program.ts";
import { error, type Finding, warning } from "./finding.ts";

/** glibc of `provided.al2023` is 2.34. */
const LAMBDA_GLIBC_MINOR = 34;

/** Words in a path that say for which architecture a file is, so that others lie beside it. */
const NAMED: Readonly<Record<MachineArchitecture, RegExp>> = {
  amd64: /amd64|x86[-_]64|x64/i,
  arm64: /arm64|aarch64/i,
};

/**
 * What is wrong with a program or library of the function's.
 * @param wanted Architecture that the function will run on.
 */
export function checkElf(
  path: string,
  elf: ElfFile,
  wanted: MachineArchitecture,
): readonly Finding[] {
  const { architecture, loader, glibcMinor: minor } = elf;
  // One that is named by its architecture, and those of packages, may have another beside it.
  const isOneOfSeveral =
    /(^|\/)node_modules\//.test(path) ||
    (architecture !== undefined && NAMED[architecture].test(path));
  if (architecture !== wanted) {
    if (isOneOfSeveral) return [];
    const machine = architecture === undefined ? "another machine" : awsArchitecture(architecture);
    const aws = awsArchitecture(wanted);
    return [
      error(
        `${path} is for ${machine}, the function for ${aws} (exec format error)`,
        `fix: build it for ${aws}, or set Architectures: [${awsArchitecture(architecture ?? wanted)}]`,
      ),
    ];
  }
  if (loader !== undefined && /ld-musl/.test(loader)) {
    return [
      error(
        `${path} is linked with musl, which provided.al2023 does not have: no ${loader}`,
        "on AWS it fails with: No such file or directory",
        "fix: link it statically, or with glibc",
      ),
    ];
  }
  if (minor > LAMBDA_GLIBC_MINOR && !isOneOfSeveral) {
    return [
      warning(
        `${path} needs glibc 2.${minor}, provided.al2023 has 2.${LAMBDA_GLIBC_MINOR}`,
        `on AWS it may fail with: version \`GLIBC_2.${minor}' not found`,
        "fix: build it on Amazon Linux 2023, or link it statically",
      ),
    ];
  }
  return [];
}
