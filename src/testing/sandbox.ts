/**
 * The wrapper that runs a bootstrap in a sandbox like Lambda's; sandbox.sh says what that is.
 *
 * @module
 */

import { join } from "node:path";

/** What the sandbox's /tmp is like. */
export type SandboxTmp = "empty" | "full" | "readonly";

/**
 * The command in front of a bootstrap's path.
 * @throws {Error} When the tests do not run as root: only root can make a sandbox.
 */
export function sandbox(
  tmp: SandboxTmp,
  { withoutTaskRoot = false }: { readonly withoutTaskRoot?: boolean } = {},
): string[] {
  if (process.getuid?.() !== 0) throw new Error("failed to make a sandbox: run the tests as root");
  const script = join(import.meta.dir, "sandbox.sh");
  const root = withoutTaskRoot ? "without-task-root" : "with-task-root";
  return ["unshare", "--mount", "--propagation", "private", "/bin/sh", script, tmp, root];
}
