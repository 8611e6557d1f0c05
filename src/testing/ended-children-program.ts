/**
 * Starts a child that ends at once, and waits in one of two ways meanwhile. Prints what has become of the wait.
 *
 *     bun ended-children-program.ts sleep
 *
 * @module
 */

import { elapsedMs } from "../runtime/clock.ts";
import { sleep } from "../runtime/libc.ts";
import { Poller } from "../runtime/poller.ts";
import { endOf, noticeEndedChildren, reap } from "../runtime/process.ts";
import { spawn } from "../runtime/spawn.ts";

/** Longer than the child takes, in milliseconds. */
export const WAIT_MS = 300;

/** Starts a child; returns its process id. */
function start(): number {
  const argv = ["sh", "-c", "sleep 0.05; exit 3"];
  return spawn({ path: "/bin/sh", argv, environment: [], cwd: "/", stdio: [0, 1, 2] });
}

if (import.meta.main) {
  noticeEndedChildren();
  if (process.argv[2] === "sleep") {
    start();
    const before = elapsedMs();
    sleep(WAIT_MS);
    console.log(elapsedMs() - before);
  } else {
    // Nothing is watched: only the child can end this wait.
    let isTold = false;
    const poller = new Poller(() => {
      reap();
      isTold = true;
    });
    const child = start();
    poller.waitUntil(() => isTold);
    console.log(JSON.stringify(endOf(child)));
  }
}
