/**
 * What the operating system refused, in words.
 *
 * @module
 */

/** A refusal of the operating system. */
export interface SystemFault {
  /** Its name in errno(3), such as `ENOENT`. */
  readonly code: string;
  /** What is the matter, without the path. */
  readonly fact: string;
}

/** Where the system's own words would not help. */
const FACTS: Readonly<Record<string, string>> = {
  EISDIR: "it is a folder, not a file",
  ENOENT: "no such file or folder",
  ENOTDIR: "a part of the path is no folder",
};

/** Reads a refusal from an error; nothing when the error is of another kind. */
export function systemFault(error: unknown): SystemFault | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  const { code, message } = error;
  // `ERR_…` is what the libraries call misuse.
  if (typeof code !== "string" || !/^E[A-Z0-9]+$/.test(code)) return undefined;
  const words = message.replace(`${code}: `, "").replace(/, [a-z]+( '.*')?$/, "");
  return { code, fact: FACTS[code] ?? words };
}

/** What was being done, as far as the error tells: `open function.sh`. */
export function attemptedCall(error: unknown): string {
  if (!(error instanceof Error)) return "go on";
  const syscall = "syscall" in error ? String(error.syscall) : "go on";
  const verb = syscall === "scandir" ? "list" : syscall;
  return "path" in error && error.path !== undefined ? `${verb} ${String(error.path)}` : verb;
}
