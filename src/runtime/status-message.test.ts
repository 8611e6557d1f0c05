import { describe, expect, test } from "bun:test";

import { OutputSplitter, StatusMessage } from "./status-message.ts";

const MARK = "/proc/8/fd/11/ended-m3x8/";

/** How each shell writes that a fork has ended: the pieces that it writes at once. */
const SHELLS: Readonly<Record<string, readonly string[]>> = {
  dash: ["/var/task/f.h: 43: ", "cannot open /proc/8/fd/11/ended-m3x8/0/: No such file", "\n"],
  bash: ["/var/task/f.h: line 62: /proc/8/fd/11/ended-m3x8/0/: Not a directory\n"],
  "bash in German": [
    "/var/task/f.h: Zeile 62: /proc/8/fd/11/ended-m3x8/0/: Ist kein Verzeichnis\n",
  ],
  ash: [
    "/var/task/f.h: ",
    "line 42: ",
    "can't open /proc/8/fd/11/ended-m3x8/0/: no such file",
    "\n",
  ],
  ksh93: ["/var/task/f.h: line 42: /proc/8/fd/11/ended-m3x8/0/: cannot open [Not a directory]\n"],
  mksh: ["W: /var/task/f.h: /proc/8/fd/11/ended-m3x8/0/: open: Not a directory\n"],
};

function messageOf(pieces: readonly string[]): StatusMessage {
  const text = pieces.join("");
  return new StatusMessage(MARK, text.slice(0, text.indexOf(MARK)));
}

function withStatus(text: string, status: number): string {
  return text.replace("/ended-m3x8/0/", `/ended-m3x8/${status}/`);
}

interface Split {
  readonly output: string;
  readonly status: number | undefined;
  readonly rest: string;
}

/** What becomes of texts that are read one after the other. */
function split(message: StatusMessage, reads: readonly string[], isCut = false): Split {
  const splitter = new OutputSplitter(message);
  let output = "";
  for (const text of reads) {
    expect(splitter.status).toBeUndefined();
    output += splitter.take(Buffer.from(text, "latin1"), isCut).toString("latin1");
  }
  return { output, status: splitter.status, rest: splitter.rest.toString("latin1") };
}

describe.each(Object.entries(SHELLS))("%s", (_, pieces) => {
  const message = messageOf(pieces);
  const text = pieces.join("");

  test.each([0, 1, 7, 128, 137, 255])("a status of %d after an output", (status) => {
    const read = `output\n${withStatus(text, status)}`;
    expect(split(message, [read])).toEqual({ output: "output\n", status, rest: "" });
  });

  test("an output without a line end, and later words", () => {
    expect(split(message, [`{"a":1}${text}late\nwords`])).toEqual({
      output: '{"a":1}',
      status: 0,
      rest: "late\nwords",
    });
  });

  test("no output", () => {
    expect(split(message, [text])).toEqual({ output: "", status: 0, rest: "" });
  });

  test("pieces that come one by one", () => {
    expect(split(message, ["output", ...pieces])).toEqual({
      output: "output",
      status: 0,
      rest: "",
    });
    const joined = [`output${pieces[0]}`, ...pieces.slice(1)];
    expect(split(message, joined)).toEqual({ output: "output", status: 0, rest: "" });
  });

  test("reads that end anywhere, if they may", () => {
    const whole = `an output: /var/task/f${text}`;
    for (let at = 1; at < whole.length; at += 1) {
      const reads = [whole.slice(0, at), whole.slice(at)];
      const end = { output: "an output: /var/task/f", status: 0, rest: "" };
      expect([at, split(message, reads, true)]).toEqual([at, end]);
    }
  });

  test("output is passed on at once, unless the message may have begun with it", () => {
    for (const output of ["a", "/", "/var/task", "W", "line 42", "x: ", "\n"]) {
      expect(split(message, [output]).output).toBe(output);
    }
    const beginning = text.slice(0, text.indexOf(": ") + 2);
    expect(split(message, [`a${beginning}`]).output).toBe("a");
    // It has not.
    expect(split(message, [`a${beginning}`, "b"]).output).toBe(`a${beginning}b`);
  });

  test("the path without a number after it is output, wherever reads end", () => {
    const line = `while { ! { { \\:; } <"${MARK}$?/"; }; } 2>"/proc/8/fd/11"; do`;
    for (const output of [line, `${line}\n`, `${line}\0${line}`, MARK, `${MARK}x`, `${MARK}$?`]) {
      const whole = output + withStatus(text, 7);
      expect(split(message, [whole])).toEqual({ output, status: 7, rest: "" });
      for (let at = 1; at < output.length; at += 1) {
        const reads = [output.slice(0, at), whole.slice(at)];
        expect([at, split(message, reads)]).toEqual([at, { output, status: 7, rest: "" }]);
      }
      expect(message.removedFrom(Buffer.from(`${whole}late`)).toString()).toBe(`${output}late`);
    }
  });

  test("other messages of the shell are output", () => {
    const other = text.replace("/ended-m3x8/0/", "/other/0/");
    expect(split(message, [other, text])).toEqual({ output: other, status: 0, rest: "" });
  });
});

describe("a message that is not as it was learnt", () => {
  const message = messageOf(SHELLS["bash"] ?? []);

  test("with another number of a line", () => {
    const text = "out/var/task/f.h: line 7: /proc/8/fd/11/ended-m3x8/3/: Not a directory\n";
    expect(split(message, [text])).toEqual({ output: "out", status: 3, rest: "" });
  });

  test("with words of another process in it", () => {
    const dash = messageOf(SHELLS["dash"] ?? []);
    const text =
      "out/var/task/f.h: 43: latecannot open /proc/8/fd/11/ended-m3x8/3/: No such file\n";
    expect(split(dash, [text])).toEqual({ output: "out", status: 3, rest: "" });
  });

  test("with words that are in no way known", () => {
    expect(split(message, ["out/proc/8/fd/11/ended-m3x8/3/\n"])).toEqual({
      output: "out",
      status: 3,
      rest: "",
    });
  });

  test("with words that a regular expression would read otherwise", () => {
    const odd = new StatusMessage(MARK, "/a(b[c+*?.|^$\\{2}: line 5: ");
    const text = `out/a(b[c+*?.|^$\\{2}: line 66: ${MARK}9/\n`;
    expect(split(odd, [text])).toEqual({ output: "out", status: 9, rest: "" });
  });
});

test("only the first of several statuses counts, and others are taken out of what comes late", () => {
  const pieces = SHELLS["bash"] ?? [];
  const message = messageOf(pieces);
  const text = pieces.join("");
  const { output, status, rest } = split(message, [`a${withStatus(text, 4)}b${text}c${text}d`]);
  expect([output, status]).toEqual(["a", 4]);
  expect(message.removedFrom(Buffer.from(rest)).toString()).toBe("bcd");
  expect(message.removedFrom(Buffer.from("nothing of it")).toString()).toBe("nothing of it");
  expect(message.removedFrom(Buffer.from(`b${text.trimEnd()}`)).toString()).toBe("b");
});
