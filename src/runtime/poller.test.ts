import { describe, expect, test } from "bun:test";

import { close, pipe, read, writeAll } from "./libc.ts";
import { Poller } from "./poller.ts";

const scratch = Buffer.alloc(64);

/** A pipe whose read end a poller watches: each read is noted under its name. */
function watched(poller: Poller, name: string, seen: string[], onRead: () => void = () => {}) {
  const [readEnd, writeEnd] = pipe();
  poller.watch(readEnd, () => {
    const count = read(readEnd, scratch);
    seen.push(`${name}: ${scratch.toString("utf8", 0, Math.max(0, count))}`);
    if (count <= 0) poller.unwatch(readEnd);
    onRead();
  });
  return {
    write: (text: string) => writeAll(writeEnd, Buffer.from(text)),
    hangUp: () => close(writeEnd),
  };
}

describe("a poller", () => {
  test("serves every watched descriptor until the condition holds", () => {
    const poller = new Poller();
    const seen: string[] = [];
    const first = watched(poller, "first", seen);
    const second = watched(poller, "second", seen);
    first.write("a");
    second.write("b");
    poller.waitUntil(() => seen.length === 2);
    expect(seen.toSorted()).toEqual(["first: a", "second: b"]);
  });

  test("calls back for a descriptor whose last writer has gone", () => {
    const poller = new Poller();
    const seen: string[] = [];
    watched(poller, "gone", seen).hangUp();
    poller.waitUntil(() => seen.length > 0);
    expect(seen).toEqual(["gone: "]);
  });

  test("serves the others while it waits for one descriptor", () => {
    const poller = new Poller();
    const seen: string[] = [];
    const [readEnd, writeEnd] = pipe();
    const other = watched(poller, "other", seen, () => writeAll(writeEnd, Buffer.from("go")));
    other.write("a");
    poller.waitReadable(readEnd);
    expect(seen).toEqual(["other: a"]);
  });

  test("does not call a callback again while it waits, but serves all others", () => {
    const poller = new Poller();
    const seen: string[] = [];
    const [readEnd, writeEnd] = pipe();
    const other = watched(poller, "other", seen, () => writeAll(writeEnd, Buffer.from("go")));
    const waiting = watched(poller, "waiting", seen, () => {
      // More for this one, which must not be called inside itself; the other ends the wait.
      if (seen.length > 1) return;
      waiting.write("second");
      other.write("a");
      poller.waitReadable(readEnd);
      seen.push("waited");
    });
    waiting.write("first");
    poller.waitUntil(() => seen.length === 4);
    expect(seen).toEqual(["waiting: first", "other: a", "waited", "waiting: second"]);
  });

  test("can stop watching any descriptor in a callback", () => {
    for (const stopped of [0, 1, 2]) {
      const poller = new Poller();
      const seen: number[] = [];
      const ends = [0, 1, 2].map((index) => {
        const [readEnd, writeEnd] = pipe();
        writeAll(writeEnd, Buffer.from("a"));
        poller.watch(readEnd, () => {
          read(readEnd, scratch);
          seen.push(index);
          if (index === stopped) poller.unwatch(readEnd);
        });
        return { readEnd, writeEnd };
      });
      poller.waitUntil(() => new Set(seen).size === ends.length);
      for (const { writeEnd } of ends) writeAll(writeEnd, Buffer.from("b"));
      seen.length = 0;
      poller.waitUntil(() => seen.length === 2);
      expect(seen.toSorted()).toEqual([0, 1, 2].filter((index) => index !== stopped));
    }
  });

  test("calls back once when a descriptor takes bytes", () => {
    const poller = new Poller();
    const [, writeEnd] = pipe();
    let calls = 0;
    poller.watchOnceWritable(writeEnd, () => {
      calls += 1;
    });
    poller.waitUntil(() => calls === 1);
    const seen: string[] = [];
    watched(poller, "later", seen).write("a");
    poller.waitUntil(() => seen.length === 1);
    expect(calls).toBe(1);
  });
});
