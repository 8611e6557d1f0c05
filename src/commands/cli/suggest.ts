/**
 * What somebody probably meant.
 *
 * @module
 */

/** Edits between a name and the one that was meant, at most. */
const EDITS_MAX = 2;

/** The message for a function that is not there. */
export function unknownFunction(name: string, known: readonly string[]): string {
  return `function "${name}" not found (404)\n${available(name, known)}`;
}

/** The line that says which there are, and which one was probably meant. */
export function available(name: string, known: readonly string[]): string {
  const meant = closest(name, known);
  const hint = meant === undefined ? "" : `       did you mean "${meant}"?`;
  return `  available: ${known.join(", ")}${hint}`;
}

/** The name that is a slip or two of the finger away, the nearest of several. */
export function closest(name: string, known: readonly string[]): string | undefined {
  const distances = known.map((each) => [editDistance(each, name), each] as const);
  const near = distances.filter(([distance]) => distance <= EDITS_MAX);
  return near.sort(([a], [b]) => a - b)[0]?.[1];
}

/** Levenshtein's distance. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const replace = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next[j] = Math.min(replace, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1);
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

/** A text as one word of a shell's command line, quoted where that is needed. */
export function shellWord(text: string): string {
  return /^[\w./:@%+,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** The same of a path, which is not an option whatever it begins with. */
export function pathWord(path: string): string {
  return shellWord(path.startsWith("-") ? `./${path}` : path);
}
