/**
 * Folders that last as long as the test process.
 *
 * @module
 */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const folders: string[] = [];

/** Removes them all; Bun's test program ends without the event "exit", so it calls this itself. */
export function removeTemporaryFolders(): void {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
}

process.on("exit", removeTemporaryFolders);

/** Makes an empty folder that is removed when the test process ends. */
export function temporaryFolder(purpose: string): string {
  const folder = mkdtempSync(join(tmpdir(), `lambda-shell-test-${purpose}-`));
  folders.push(folder);
  return folder;
}
