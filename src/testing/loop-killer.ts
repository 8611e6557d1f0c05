/**
 * Events in several loops while loops, their loaded shells and the forks of these are killed, and loops are
 * stopped for a while: each event gets exactly one response, its own or an error with a type.
 *
 * @module
 */

import { expect } from "bun:test";

import { HEADER, PATH, STATUS } from "../runtime-api/contract.ts";
import type { FunctionError } from "../runtime-api/function-error.ts";
import { EnvironmentUnderTest } from "./environment-under-test.ts";
import { childrenOf, commandOf, signal } from "./process-facts.ts";
import type { Random } from "./random.ts";
import type { ScriptedInvocation } from "./scripted-invocation.ts";
import type { ShellName } from "./shells.ts";

const LOOPS = 4;
const STOP_MS = 100;
const HOUR_MS = 3_600_000;
/** Responds at once, after a while, with many bytes, or with a stream. */
const SCRIPT = `handler() {
  case $1 in
    slow*) sleep 0.05 ;;
    large*) head -c 2000000 /dev/zero ;;
    stream*) printf '{"statusCode":200}\\0\\0\\0\\0\\0\\0\\0\\0' ;;
  esac
  printf '%s' "$1"
}`;
const KINDS = ["quick", "quick", "quick", "slow", "large", "stream"];

/** The processes of the loops of a runtime that run at this moment. */
export function loopIds(supervisor: number): number[] {
  return childrenOf(supervisor).filter((pid) => commandOf(pid).startsWith("bootstrap --"));
}

/** What the runtime says of an event that it has not handled. */
const ERROR_TYPES = ["Runtime.ExitError", "Function.KilledBySignal", "Runtime.InitError"];
/** How long the killer waits, in ms, at most. */
const PAUSE_MS = 40;
/**
 * How many loops are killed, at most, evenly over the events: one that is killed often is started again after
 * ten seconds only, and a runtime all of whose loops are killed while they load gives up.
 */
const LOOPS_KILLED = 20;

/** How often something was struck. */
export interface LoopStrikes {
  forks: number;
  shells: number;
  loops: number;
  stops: number;
}

/** Has so many events handled without a pause, and strikes meanwhile. */
export async function tryKilledLoops(
  random: Random,
  shell: ShellName,
  events: number,
): Promise<LoopStrikes> {
  await using environment = await EnvironmentUnderTest.start({
    shell,
    files: { "function.sh": SCRIPT },
    env: { AWS_LAMBDA_MAX_CONCURRENCY: String(LOOPS) },
  });
  const { api, bootstrap, exited } = environment;
  await api.idle(LOOPS);
  let begun = 0;
  const feed = async () => {
    while (begun < events) {
      begun += 1;
      const body = `${random.pick(KINDS)} ${begun}`;
      const invocation = api.enqueue({ body, timeoutMs: HOUR_MS });
      const end = await Promise.race([invocation.posted, exited]);
      if ("signal" in end) throw new Error(`the runtime ended at ${body}: ${bootstrap.stderr}`);
      expectOwnResponse(invocation);
      // Thousands of large ones would take gigabytes.
      if (!isStream(invocation)) for (const post of invocation.posts) post.chunks.length = 0;
      invocations.push(invocation);
    }
  };
  const invocations: ScriptedInvocation[] = [];
  const feeds = Promise.all(Array.from({ length: LOOPS }, feed));
  let isOver = false;
  const noteEnd = () => {
    isOver = true;
  };
  feeds.then(noteEnd, noteEnd);
  const strikes = { forks: 0, shells: 0, loops: 0, stops: 0 };
  let handledAtKill = 0;
  while (!isOver) {
    await Bun.sleep(random.below(PAUSE_MS));
    const loop = random.pick(loopIds(bootstrap.pid));
    if (loop === undefined) continue;
    if (invocations.length - handledAtKill >= events / LOOPS_KILLED) {
      handledAtKill = invocations.length;
      await strikeLoop(loop, random, strikes);
    } else {
      await strikeBelow(loop, random, strikes);
    }
  }
  await feeds;
  // The supervisor may yet have to report what a loop was sending when it was killed.
  for (const invocation of invocations) await api.until(() => isSettled(invocation));
  expect(bootstrap.ended).toBe(false);
  for (const invocation of invocations) expectOneResponse(invocation);
  return strikes;
}

async function strikeLoop(loop: number, random: Random, strikes: LoopStrikes): Promise<void> {
  // It may have been given what it will never read.
  if (random.below(2) === 0) {
    signal(loop, "SIGSTOP");
    await Bun.sleep(random.below(STOP_MS));
  }
  signal(loop, "SIGKILL");
  strikes.loops += 1;
}

/** Strikes what a loop waits for; stops the loop itself now and then. */
async function strikeBelow(loop: number, random: Random, strikes: LoopStrikes): Promise<void> {
  const [loadedShell = 0] = childrenOf(loop);
  const killFork = () => signal(childrenOf(loadedShell).at(-1), "SIGKILL");
  switch (random.below(10)) {
    case 0:
      signal(loadedShell, "SIGKILL");
      strikes.shells += 1;
      break;
    case 1:
    case 2:
      signal(loop, "SIGSTOP");
      strikes.stops += 1;
      if (random.below(2) === 0) killFork();
      await Bun.sleep(random.below(STOP_MS));
      signal(loop, "SIGCONT");
      break;
    default:
      killFork();
      strikes.forks += 1;
  }
}

/** An event's first response, if it has come as a whole. */
function expectOwnResponse({ requestId, body, posts }: ScriptedInvocation): void {
  const text = body.toString();
  const [first] = posts;
  if (first === undefined) throw new Error(`${text} never got a response`);
  if (first.path === PATH.error(requestId)) {
    expect(ERROR_TYPES).toContain((first.json() as FunctionError).errorType);
  } else if (first.complete && first.trailers[HEADER.errorType.toLowerCase()] === undefined) {
    expect(first.latin1.endsWith(text)).toBe(true);
  }
}

/** That nothing has come after an event's response. */
function expectOneResponse(invocation: ScriptedInvocation): void {
  const { requestId, body, posts } = invocation;
  const text = body.toString();
  const [first, ...others] = posts;
  if (first?.complete === true) {
    // A loop that is killed at this very moment is taken for one that has not sent all: that report is refused.
    const refused = others.map(() => [PATH.error(requestId), STATUS.forbidden]);
    expect(others.map(({ path, responseStatus }) => [path, responseStatus])).toEqual(refused);
  } else {
    // Its loop was killed while it sent the response. No error may follow any of a stream; but of one whose head is
    // all that was sent the supervisor may not know.
    const error = PATH.error(requestId);
    const paths = others.map(({ path }) => path);
    const mayFollow = isStream(invocation) ? first?.latin1 === "" && paths.length > 0 : true;
    expect([text, paths]).toEqual([text, mayFollow ? [error] : []]);
  }
}

/** Whether what must follow an event's first response has come: the error of one that was cut off, a refused report. */
function isSettled(invocation: ScriptedInvocation): boolean {
  const [first, ...others] = invocation.posts;
  const isWhole = isStream(invocation) || first?.complete === true;
  return (isWhole || others.length > 0) && others.every(({ responseStatus }) => responseStatus > 0);
}

function isStream({ body }: ScriptedInvocation): boolean {
  return body.toString().startsWith("stream");
}
