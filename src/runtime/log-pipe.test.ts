import { describe, expect, test } from "bun:test";
import { join } from "node:path";

import type { LogPipeTrial } from "../testing/log-pipe-program.ts";

/** What a log pipe makes of what is written to it. */
function logged(trial: LogPipeTrial): string {
  const program = join(import.meta.dir, "../testing/log-pipe-program.ts");
  const { stderr, exitCode } = Bun.spawnSync([process.execPath, program], {
    stdin: Buffer.from(JSON.stringify(trial)),
  });
  expect(exitCode).toBe(0);
  return stderr.toString();
}

/** The messages of records, or lines that are not a record of the runtime's, as they are. */
function messages(text: string): unknown[] {
  expect(text).toEndWith("\n");
  return text
    .slice(0, -1)
    .split("\n")
    .map((line) => {
      const record = JSON.parse(line) as Record<string, unknown>;
      if (!("timestamp" in record)) return line;
      expect(record).toMatchObject({ level: "INFO", requestId: "the-id" });
      expect(new Date(String(record["timestamp"])).toISOString()).toBe(String(record["timestamp"]));
      return record["message"];
    });
}

describe("as text", () => {
  test("what is written goes on as it is, with and without line ends", () => {
    const pieces = ["a\nb", "c\r\n\n", "\u0000\u001b[1m", null, "d"];
    expect(logged({ json: false, pieces })).toBe("a\nbc\r\n\n\u0000\u001b[1md");
  });

  test("what was read before comes first, and what does not belong in the log is removed", () => {
    const trial = {
      json: false,
      first: "first OURS",
      pieces: ["second", "OURS third"],
      left: "OURS",
    };
    expect(logged(trial)).toBe("first second third");
  });
});

describe("as JSON", () => {
  test("each line is a record, wherever it was cut", () => {
    expect(messages(logged({ json: true, pieces: ["a", "b\nc\n", "d", "e\n"] }))).toEqual([
      "ab",
      "c",
      "de",
    ]);
  });

  test("empty lines are left out", () => {
    expect(messages(logged({ json: true, pieces: ["\n\na\n\n"] }))).toEqual(["a"]);
  });

  test("an unfinished line ends with the event, and with the pipe", () => {
    expect(messages(logged({ json: true, pieces: ["a", null, "b\nc"] }))).toEqual(["a", "b", "c"]);
  });

  test("a JSON object stays as it is; what only looks like one is a message", () => {
    const pieces = ['{"level":"ERROR"}\n', '{"a":\n', "[1]\n", '"text"\n', " {} \n"];
    expect(messages(logged({ json: true, pieces }))).toEqual([
      '{"level":"ERROR"}',
      '{"a":',
      "[1]",
      '"text"',
      " {} ",
    ]);
  });

  test("quotes and control characters are escaped", () => {
    const text = '"a"\\\t\u0001\u007fé😀';
    expect(messages(logged({ json: true, pieces: [`${text}\n`] }))).toEqual([text]);
  });

  test("a line without an end is cut at 256 KiB", () => {
    const piece = "x".repeat(60_000);
    const found = messages(logged({ json: true, pieces: Array.from({ length: 10 }, () => piece) }));
    expect(found.join("")).toBe(piece.repeat(10));
    expect(found.map((message) => String(message).length)).toEqual([300_000, 300_000]);
  });

  test.each(["é", "€", "😀", "aé€😀"])(
    "a character that is written in pieces is whole: %s",
    (text) => {
      const bytes = Buffer.from(`${text}\n`, "utf8").toString("latin1");
      expect(messages(logged({ json: true, areBytes: true, pieces: [...bytes] }))).toEqual([text]);
    },
  );

  test.each(["é", "€", "😀"])("a long line is not cut inside a character: %s", (character) => {
    const line = character.repeat(400_000 / Buffer.byteLength(character));
    for (let shift = 0; shift < 4; shift += 1) {
      const text = "a".repeat(shift) + line;
      const bytes = Buffer.from(text, "utf8").toString("latin1");
      const pieces = bytes.match(/.{1,60000}/gs) ?? [];
      const found = messages(logged({ json: true, areBytes: true, pieces }));
      expect(found.length).toBe(2);
      expect(found.join("") === text).toBe(true);
    }
  });

  test("bytes that are not UTF-8 are cut anywhere", () => {
    for (const end of ["\xff", "\x80\x80\x80\x80", "\xc3"]) {
      const pieces = ["x".repeat(60_000).repeat(5).slice(end.length) + end];
      const found = messages(
        logged({ json: true, areBytes: true, pieces: pieces[0]?.match(/.{1,60000}/gs) ?? [] }),
      );
      expect(found.join("")).toStartWith("xxx");
      expect(found.join("").replace(/\ufffd+$/, "").length).toBe(300_000 - end.length);
    }
  });
});
