/**
 * Events in several loops while one of them is killed, or stopped for a while, again and again: each
 * event gets exactly one answer, its own or the error of a loop that has ended.
 *
 * @module
 */

import { expect } from "bun:test";

import { PATH, STATUS } from "../runtime-api/contract.ts";
import { EnvironmentUnderTest } from "./environment-under-test.ts";
import { commandOf, descendants, parentOf } from "./process-facts.ts";
import type { Random } from "./random.ts";
import type { ScriptedInvocation } from "./scripted-invocation.ts";
import type { ShellName } from "./shells.ts";

const LOOPS = 4;
const STOP_MS = 100;
const HOUR_MS = 3_600_000;
/** Answers at once, after a while, with many bytes, or with a stream. */
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
  return descendants(supervisor).filter(
    (pid) => parentOf(pid) === supervisor && commandOf(pid).startsWith("bootstrap --"),
  );
}

/** Strikes so often, while events are handled without a pause. */
export async function tryKilledLoops(
  random: Random,
  shell: ShellName,
  strikes: number,
): Promise<void> {
  await using environment = await EnvironmentUnderTest.start({
    shell,
    files: { "function.sh": SCRIPT },
    env: { AWS_LAMBDA_MAX_CONCURRENCY: String(LOOPS) },
  });
  const { api, bootstrap } = environment;
  await api.idle(LOOPS);
  const invocations: ScriptedInvocation[] = [];
  let isOver = false;
  const feed = async () => {
    for (let at = 0; !isOver; at += 1) {
      const body = `${random.pick(KINDS)} ${at}`;
      const invocation = api.enqueue({ body, timeoutMs: HOUR_MS });
      invocations.push(invocation);
      await invocation.answered;
    }
  };
  const feeds = Array.from({ length: LOOPS }, feed);
  for (let strike = 0; strike < strikes; strike += 1) {
    await Bun.sleep(50 + random.below(100));
    const victim = random.pick(loopIds(bootstrap.pid));
    if (victim === undefined) continue;
    const isStopped = random.below(2) === 0;
    signal(victim, isStopped ? "SIGSTOP" : "SIGKILL");
    if (!isStopped) continue;
    await Bun.sleep(random.below(STOP_MS));
    signal(victim, random.below(2) === 0 ? "SIGCONT" : "SIGKILL");
  }
  isOver = true;
  await Promise.all(feeds);
  expect(bootstrap.ended).toBe(false);
  for (const invocation of invocations) expectOneAnswer(invocation);
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It has ended meanwhile.
  }
}

function expectOneAnswer({ requestId, body, posts }: ScriptedInvocation): void {
  const text = body.toString();
  const [first, ...others] = posts;
  if (first === undefined) throw new Error(`${text} was never answered`);
  const isError = first.path === PATH.error(requestId);
  if (isError) {
    expect(first.json()).toMatchObject({ errorType: "Runtime.ExitError" });
    expect(others.length).toBe(0);
  } else if (first.complete) {
    expect(first.latin1.endsWith(text)).toBe(true);
    // A loop that is killed at this very moment is taken for one that has not sent all: it is refused.
    expect(others.filter(({ answeredStatus }) => answeredStatus !== STATUS.forbidden)).toEqual([]);
  } else {
    // Its loop was killed while it sent the answer; no error may follow the beginning of a stream.
    const isStream = text.startsWith("stream");
    expect([text, others.map(({ path }) => path)]).toEqual([
      text,
      isStream ? [] : [PATH.error(requestId)],
    ]);
  }
}
