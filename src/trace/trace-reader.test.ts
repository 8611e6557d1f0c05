import { expect, test } from "bun:test";

import { tracedWord, TraceReader, type TraceRecord } from "./trace-reader.ts";

const TOKEN = "0123456789abcdef";

/** A record as bash writes it, at the first level. */
const record = (line: number, text: string, file = "/f/function.sh") =>
  `+\u001e${TOKEN}|${line}|77|1|1795888594.250000|${file}\u001f${text}\n`;

/** Reads a trace in pieces of some length. */
function read(trace: string, pieceLength: number): readonly TraceRecord[] {
  const records: TraceRecord[] = [];
  const reader = new TraceReader(TOKEN, (each) => records.push(each));
  const bytes = Buffer.from(trace);
  for (let at = 0; at < bytes.length; at += pieceLength) {
    reader.add(new Uint8Array(bytes.subarray(at, at + pieceLength)));
  }
  reader.end();
  return records;
}

const TRACE = [
  record(1, "echo a"),
  // Another level, a path with bars and letters, a text over several lines.
  `+${record(2, "printf 'x\ny'", "/f|g/ü.sh")}`,
  record(3, `handler '${"x".repeat(100_000)}'`),
  record(4, `echo ${"é".repeat(150)}`),
  // What only looks like a mark.
  record(5, "echo \u001e0123|9|9|9|9|/f\u001f no"),
].join("");

test.each([1, 2, 7, 64, 4096, 1_000_000])("a trace in pieces of %d bytes is the same", (length) => {
  const records = read(TRACE, length);
  expect(records.map(({ line, file, pid, depth, atMs }) => [line, file, pid, depth, atMs])).toEqual(
    [
      [1, "/f/function.sh", 77, 1, 1795888594250],
      [2, "/f|g/ü.sh", 77, 1, 1795888594250],
      [3, "/f/function.sh", 77, 1, 1795888594250],
      [4, "/f/function.sh", 77, 1, 1795888594250],
      [5, "/f/function.sh", 77, 1, 1795888594250],
    ],
  );
  const texts = records.map(({ text }) => text);
  expect(texts[0]).toBe("echo a");
  expect(texts[1]).toBe("printf 'x");
  expect(texts[2]).toHaveLength(200);
  expect(texts[3]).toStartWith("echo ééé");
  expect(texts[4]).toStartWith("echo \u001e0123|9");
});

test("a comma in the time is a point, as in some locales", () => {
  const [first] = read(record(1, "a").replace("4.25", "4,25"), 100);
  expect(first?.atMs).toBe(1795888594250);
});

test.each([
  ["echo a b", "echo"],
  ["'[' -n x ']'", "["],
  ["[[ -n x ]]", "[["],
  ["((  1 + 1  ))", "(("],
  ["x=1", "x"],
  ["x+=1", "x"],
  ["x[1 + 1]=2", "x"],
  ["for i in a b", "for"],
  ["case a in", "case"],
  ["a=b=c", "a"],
  ["./a=b c", "./a=b"],
])("%j is traced as %j", (text, word) => {
  expect(tracedWord(text)).toBe(word);
});
