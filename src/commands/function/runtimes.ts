/**
 * The runtimes that Lambda has, by the names that functions give them.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html
 * @module
 */

/** Runtimes that take a bootstrap of the function's or of a layer's. */
export const OS_ONLY_RUNTIMES: readonly string[] = ["provided.al2023", "provided.al2", "provided"];

/** Those of them that no function can be created with any more, and when they ended. */
export const ENDED_RUNTIMES: ReadonlyMap<string, string> = new Map([
  ["provided", "January 2024"],
  ["provided.al2", "July 2026"],
]);

/** What is said of a name that is not among {@link KNOWN_RUNTIMES}. */
export function unknownRuntime(name: string): string {
  return `Runtime: "${name}" is not a runtime that Lambda is known to have`;
}

/** All names: those that are new come without notice, so that another name is not an error. */
export const KNOWN_RUNTIMES: ReadonlySet<string> = new Set([
  ...OS_ONLY_RUNTIMES,
  // A customer-managed runtime, which `RuntimeConfig` names.
  "custom",
  ...["nodejs18.x", "nodejs20.x", "nodejs22.x", "nodejs24.x", "nodejs26.x"],
  ...[
    "python3.9",
    "python3.10",
    "python3.11",
    "python3.12",
    "python3.13",
    "python3.14",
    "python3.15",
  ],
  ...["java8.al2", "java8.al2023", "java11", "java11.al2023", "java17", "java17.al2023"],
  ...["java21", "java25", "dotnet6", "dotnet8", "dotnet9", "dotnet10"],
  ...["ruby3.2", "ruby3.3", "ruby3.4", "ruby4.0"],
]);
