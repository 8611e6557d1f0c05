/**
 * Why an event is not JSON, with the place.
 *
 * @module
 */

/** A complaint with the place of the fault; nothing when the bytes are JSON. */
export function payloadComplaint(bytes: Uint8Array, source: string): string | undefined {
  const text = new TextDecoder().decode(bytes);
  try {
    JSON.parse(text);
    return undefined;
  } catch {
    const at = faultOffset(text);
    const what = at >= text.length ? "unexpected end" : `unexpected ${JSON.stringify(text[at])}`;
    const lines = [`payload is not valid JSON (offset ${at}: ${what})`];
    if (source.startsWith("-d ") && !text.includes("\n")) {
      lines.push(`  ${source}`, `  ${" ".repeat("-d ".length + at)}^`);
    }
    lines.push("hint: use -f event.json, -d @event.json or pipe with -d -");
    return lines.join("\n");
  }
}

/** Length of the longest beginning that could still become JSON. */
function faultOffset(text: string): number {
  let low = 0;
  let high = text.length;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (couldBecomeJson(text.slice(0, middle))) low = middle;
    else high = middle - 1;
  }
  return low;
}

const COMPLETIONS = [
  "",
  "0",
  '"',
  "}",
  "]",
  ":0",
  "rue",
  "ue",
  "e",
  "alse",
  "lse",
  "se",
  "ull",
  "ll",
  "l",
];

/** True when some continuation makes a document of it: open strings, arrays and objects are closed. */
function couldBecomeJson(beginning: string): boolean {
  const closings = openClosings(beginning);
  return COMPLETIONS.some((completion) => {
    for (const middle of [
      completion,
      `${completion}:0`,
      `${completion}"":0`,
      `${completion}"a":0`,
    ]) {
      try {
        JSON.parse(beginning + middle + closings.structure);
        return true;
      } catch {
        // Another completion may do.
      }
    }
    return false;
  });
}

function openClosings(text: string): { readonly structure: string } {
  const open: string[] = [];
  let inString = false;
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at];
    if (inString && character === "\\") at += 1;
    else if (character === '"') inString = !inString;
    else if (inString) continue;
    else if (character === "{") open.push("}");
    else if (character === "[") open.push("]");
    else if (character === "}" || character === "]") open.pop();
  }
  return { structure: open.reverse().join("") };
}
