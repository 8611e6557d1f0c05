/**
 * Lays out a task root (Lambda's /var/task) in a temporary folder from files given as data.
 *
 * @module
 */

import { chmodSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

import type { Shell } from "./shells.ts";
import { temporaryFolder } from "./temporary-folder.ts";

/** The folder of handlers that are more than a line or two. */
export const HANDLERS = join(import.meta.dir, "../../fixtures/handlers");

/** One file of a task root; a plain string is its text. */
export type TaskFile = string | TaskFileDetails;

/** A file with more to it than its text. */
export interface TaskFileDetails {
  /**
   * Its text, in UTF-8; `${SHEBANG}` in it becomes the shell's own first line,
   * `${TASK_ROOT}` the folder.
   */
  readonly text?: string;
  /** Its bytes, instead of a text. */
  readonly base64?: string;
  /** A file of fixtures/handlers with its text. */
  readonly from?: string;
  /** A file of the machine that is copied. */
  readonly copy?: string;
  /** Makes it a symbolic link to this instead. */
  readonly symlink?: string;
  /** Makes it a directory instead. */
  readonly directory?: true;
  /** Octal mode; 644 unless said otherwise. */
  readonly mode?: string;
  /** False: no shebang is put above a script that has none. */
  readonly shebang?: false;
  /** Ends its lines with CR LF. */
  readonly crlf?: true;
  /** Begins it with a UTF-8 byte-order mark. */
  readonly byteOrderMark?: true;
}

const DEFAULT_MODE = "644";

/** Writes the files into a new folder and returns its path; scripts get the shell's shebang. */
export function taskRoot(files: Readonly<Record<string, TaskFile>>, shell: Shell): string {
  const root = temporaryFolder("task");
  // Others may enter it, as they may /var/task: mkdtemp's own mode is 700.
  chmodSync(root, 0o755);
  for (const [name, file] of Object.entries(files)) {
    const path = join(root, name);
    mkdirSync(dirname(path), { recursive: true });
    const details = typeof file === "string" ? { text: file } : file;
    place(path, name, details, { shell, root });
  }
  return root;
}

/** For whom and where a file is. */
interface Place {
  readonly shell: Shell;
  readonly root: string;
}

function place(path: string, name: string, file: TaskFileDetails, where: Place): void {
  if (file.directory) {
    mkdirSync(path, { recursive: true });
    return;
  }
  if (file.symlink !== undefined) {
    symlinkSync(file.symlink, path);
    return;
  }
  writeFileSync(path, content(name, file, where));
  chmodSync(path, Number.parseInt(file.mode ?? DEFAULT_MODE, 8));
}

function content(name: string, file: TaskFileDetails, { shell, root }: Place): Buffer {
  if (file.base64 !== undefined) return Buffer.from(file.base64, "base64");
  if (file.copy !== undefined) return readFileSync(file.copy);
  let text = file.from === undefined ? file.text : readFileSync(join(HANDLERS, file.from), "utf8");
  if (text === undefined) throw new Error(`file ${name} has no text, base64, from or copy`);
  text = text.replaceAll("${SHEBANG}", shell.shebang).replaceAll("${TASK_ROOT}", root);
  if (name.endsWith(".sh") && file.shebang !== false && !text.startsWith("#!")) {
    text = `${shell.shebang}\n${text}`;
  }
  if (file.crlf) text = text.replaceAll("\n", "\r\n");
  if (file.byteOrderMark) text = `\uFEFF${text}`;
  return Buffer.from(text, "utf8");
}
