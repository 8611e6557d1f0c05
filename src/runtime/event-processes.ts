/**
 * The processes of one event, found in /proc: the fork of the loaded shell that handles it, and what
 * that has started.
 *
 * An event has no process group of its own, since only a shell with job control makes one, and not
 * every shell has that without a terminal. So its processes are those below the fork, and those that
 * have lost their parent: these are ours, as their subreaper, and younger than the fork. A process that has
 * made a session of its own (`setsid`) wants to outlive the event, and does. So does one that works for
 * another loop, in that loop's process group: the layer's preloaded `aws`, which the event may have
 * started, makes a fork of itself for each call, whichever loop's it is.
 *
 * @see https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
 * @module
 */

import { processId } from "./libc.ts";
import { childrenOf, kill, processText } from "./process.ts";

interface ProcessFacts {
  readonly pid: number;
  readonly state: string;
  readonly parent: number;
  readonly group: number;
  readonly session: number;
  /** When it was started, in clock ticks since the system's start. */
  readonly startTicks: number;
}

/** Where the fields stand in /proc/PID/stat after the command's name: state is the third of all. */
const FIELD = { state: 0, parent: 1, group: 2, session: 3, startTicks: 19 } as const;
const ZOMBIE = "Z";
/** Processes that start others without end are not followed any further. */
const ROUNDS_MAX = 10;

/** What was started for one event, and still runs. */
export class EventProcesses {
  readonly #shell: number;
  readonly #fork: ProcessFacts;
  /** The sessions that the event's processes belong to. */
  readonly #sessions: Set<number>;

  private constructor(shell: ProcessFacts, fork: ProcessFacts) {
    this.#shell = shell.pid;
    this.#fork = fork;
    this.#sessions = new Set([shell.session, fork.session]);
  }

  /**
   * Those of the event that a loaded shell has at this moment; undefined if it has none.
   * @param shell The loaded shell's process id.
   */
  static of(shell: number): EventProcesses | undefined {
    const loaded = factsOf(shell);
    // It may have older children: what its script has started in the background.
    const [fork] = childrenOf(shell)
      .flatMap((pid) => factsOf(pid) ?? [])
      .sort((one, other) => (isYounger(one, other) ? -1 : 1));
    return loaded && fork && new EventProcesses(loaded, fork);
  }

  /**
   * A shell that is being loaded for an event, and what its script has started; undefined if it has ended.
   * @param shell Its process id.
   */
  static ofLoading(shell: number): EventProcesses | undefined {
    const loading = factsOf(shell);
    return loading && new EventProcesses(loading, loading);
  }

  /** Those that live, parents before their children. */
  living(): number[] {
    const found: number[] = [];
    const fork = factsOf(this.#fork.pid);
    // The fork's number may have gone to another process.
    if (fork?.startTicks === this.#fork.startTicks) {
      // If it has become a program with a session of its own, it is still what the event waits for.
      this.#sessions.add(fork.session);
      this.#collect(fork, found);
    }
    for (const pid of childrenOf(processId())) {
      const facts = pid === this.#shell ? undefined : factsOf(pid);
      if (facts !== undefined && isYounger(facts, this.#fork)) this.#collect(facts, found);
    }
    return found;
  }

  /** Sends a signal to those that live, also to what they start meanwhile, within reason. */
  signal(signal: number): void {
    const reached = new Set<number>();
    for (let round = 0; round < ROUNDS_MAX; round += 1) {
      const unreached = this.living().filter((pid) => !reached.has(pid));
      if (unreached.length === 0) return;
      for (const pid of unreached) {
        kill(pid, signal);
        reached.add(pid);
      }
    }
  }

  #collect(facts: ProcessFacts, found: number[]): void {
    const isRunning = facts.state !== ZOMBIE && this.#sessions.has(facts.session);
    if (isRunning && isOwnGroup(facts.group)) found.push(facts.pid);
    for (const pid of childrenOf(facts.pid)) {
      const child = factsOf(pid);
      if (child !== undefined) this.#collect(child, found);
    }
  }
}

/** Whether a process group is not that of another loop: its leader is below this process, or gone. */
function isOwnGroup(group: number): boolean {
  const own = processId();
  let facts = factsOf(group);
  while (facts !== undefined && facts.pid !== own && facts.parent > 0)
    facts = factsOf(facts.parent);
  return facts === undefined || facts.pid === own;
}

/** Process ids are given in ascending order, and start again from the lowest: ticks go first. */
function isYounger(one: ProcessFacts, other: ProcessFacts): boolean {
  if (one.startTicks !== other.startTicks) return one.startTicks > other.startTicks;
  return one.pid > other.pid;
}

function factsOf(pid: number): ProcessFacts | undefined {
  const text = processText(pid, "stat");
  // The name stands in parentheses and may hold any character, these included.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const state = fields[FIELD.state];
  if (state === undefined || state === "") return undefined;
  return {
    pid,
    state,
    parent: Number(fields[FIELD.parent]),
    group: Number(fields[FIELD.group]),
    session: Number(fields[FIELD.session]),
    startTicks: Number(fields[FIELD.startTicks]),
  };
}
