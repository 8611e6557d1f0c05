import { describe, expect, test } from "bun:test";

import { close, pipe, read, writeAll } from "./libc.ts";
import { Poller } from "./poller.ts";
import { Timer } from "./timer.ts";

const BYTE = new Uint8Array([1]);
const BYTE_READ = new Uint8Array(1);

describe("a poller", () => {
  test("watches a thousand descriptors, and serves those that are ready", () => {
    const poller = new Poller();
    const served: number[] = [];
    const scratch = new Uint8Array(8);
    const pipes = Array.from({ length: 1000 }, (_, index) => {
      const ends = pipe();
      poller.watch(ends[0], () => {
        read(ends[0], scratch);
        served.push(index);
      });
      return ends;
    });
    const ready = [0, 63, 64, 127, 128, 999];
    for (const index of ready) writeAll(pipes[index]?.[1] ?? -1, BYTE);
    poller.waitUntil(() => served.length >= ready.length);
    expect(served.toSorted((one, other) => one - other)).toEqual(ready);
    for (const [readEnd, writeEnd] of pipes) {
      poller.unwatch(readEnd);
      close(readEnd);
      close(writeEnd);
    }
  });

  test("serves others while a callback waits, but not that callback again", () => {
    const poller = new Poller();
    const [first, firstWriter] = pipe();
    const [second, secondWriter] = pipe();
    const [awaited, awaitedWriter] = pipe();
    const order: string[] = [];
    const scratch = new Uint8Array(1);
    poller.watch(first, () => {
      order.push("first begins");
      poller.waitReadable(awaited);
      read(first, scratch);
      order.push("first ends");
    });
    poller.watch(second, () => {
      read(second, scratch);
      order.push("second");
      writeAll(awaitedWriter, BYTE);
    });
    writeAll(firstWriter, BYTE);
    const timer = new Timer(poller, () => writeAll(secondWriter, BYTE));
    timer.setIn(5);
    poller.waitUntil(() => order.includes("first ends"));
    expect(order).toEqual(["first begins", "second", "first ends"]);
    timer.close();
    for (const end of [first, firstWriter, second, secondWriter, awaited, awaitedWriter])
      close(end);
  });

  test("can stop watching any descriptor in a callback", () => {
    for (const stopped of [0, 1, 2]) {
      const poller = new Poller();
      const seen: number[] = [];
      const ends = [0, 1, 2].map((index) => {
        const [readEnd, writeEnd] = pipe();
        writeAll(writeEnd, Buffer.from("a"));
        poller.watch(readEnd, () => {
          read(readEnd, BYTE_READ);
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
    const [readEnd, writeEnd] = pipe();
    let calls = 0;
    poller.watchOnceWritable(writeEnd, () => {
      calls += 1;
    });
    poller.waitUntil(() => calls === 1);
    writeAll(writeEnd, BYTE);
    poller.waitReadable(readEnd);
    expect(calls).toBe(1);
    for (const end of [readEnd, writeEnd]) close(end);
  });
});

describe("a timer", () => {
  const expiry = (set: (timer: Timer) => void): number => {
    const poller = new Poller();
    let hasExpired = false;
    const timer = new Timer(poller, () => {
      hasExpired = true;
    });
    const start = performance.now();
    set(timer);
    poller.waitUntil(() => hasExpired);
    timer.close();
    return performance.now() - start;
  };

  test.each([0, 1, 20, 30.5])("expires after %d ms, not before", (ms) => {
    expect(expiry((timer) => timer.setIn(ms))).toBeGreaterThanOrEqual(ms);
  });

  test.each([0, 1, 20, 30.5])("expires at the wall clock's time in %d ms", (ms) => {
    const at = Date.now() + ms;
    expiry((timer) => timer.setAt(at));
    expect(Date.now()).toBeGreaterThanOrEqual(Math.floor(at));
  });

  test.each([-5, 0, 1, 1_000, Date.now() - 1, Date.now() - 86_400_000])(
    "expires at once at %d, which is over",
    (at) => {
      expiry((timer) => timer.setAt(at));
    },
  );

  test("that is set again, or cleared, forgets the time before", () => {
    const poller = new Poller();
    let expirations = 0;
    const timer = new Timer(poller, () => {
      expirations += 1;
    });
    timer.setIn(1);
    Bun.sleepSync(5);
    timer.setIn(20);
    poller.waitUntil(() => expirations > 0);
    timer.setIn(1);
    timer.clear();
    let isOver = false;
    const other = new Timer(poller, () => {
      isOver = true;
    });
    other.setIn(10);
    poller.waitUntil(() => isOver);
    expect(expirations).toBe(1);
    for (const each of [timer, other]) each.close();
  });
});
