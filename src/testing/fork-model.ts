/**
 * A model of the loaded shell, its forks and somebody who kills them, small enough to try every order of
 * their steps against every step of the runtime's own code (fork-turns.ts).
 *
 * @module
 */

import {
  type EventOutput,
  type EventPipe,
  ForkTurns,
  type SharedPipes,
  type TurnEnd,
} from "../runtime/fork-turns.ts";

/** What the model must try. */
export interface ModelOptions {
  readonly events: number;
  /** How many times a fork may be killed, at any step. */
  readonly forkKills: number;
  /** Whether the loaded shell may be killed once. */
  readonly shellKill: boolean;
  /** Breaks the first invariant: OUTPUT is led to a new pipe before NEXT. The model has to find a fault. */
  readonly opensOutputFirst?: boolean;
  /** Breaks the second one: sending never fails. */
  readonly keepsReadEnd?: boolean;
}

const CONTROL = -1;
const KILLED = 137;

/** Something in a pipe: a message, an event's output, or a status with the event that the fork had. */
type Item =
  | { readonly kind: "output"; readonly event: number }
  | { readonly kind: "status"; readonly status: number };

interface Fork {
  step: "open" | "read" | "begin" | "write" | "end";
  /** The event pipe that it has opened. */
  pipe: number;
  event: number;
  output: number;
}

/** Everything outside the runtime. */
interface World {
  /** Where the paths lead. */
  next: number;
  outputPath: number;
  /** Events in event pipes, whether their line end was read, and whether the runtime has their write ends. */
  sent: (number | undefined)[];
  isRead: boolean[];
  isOpen: boolean[];
  control: Item[];
  outputs: (Item[] | undefined)[];
  shell: "report" | "write" | "fork" | "wait" | "dead";
  /** The pipe that OUTPUT led to when the shell opened it. */
  reportTo: number;
  lastStatus: number;
  fork: Fork | undefined;
  forkKills: number;
  /** How often each event was begun. */
  runs: number[];
  /** Events that a killed fork had, or could have taken. */
  struck: number[];
}

/** A step of the runtime, and what it got from it. */
type Step =
  | { readonly kind: "renewNext" | "openOutput" | "closeOutput" }
  | { readonly kind: "send"; readonly pipe: number; readonly event: number }
  | { readonly kind: "pass"; readonly output: number }
  | { readonly kind: "wait"; readonly output: number | undefined; readonly isNextKnown: boolean };
type Result =
  | boolean
  | { readonly from: "control" | "output" | "next" | "end"; readonly items: readonly Item[] };

/** Thrown by the runtime's step that has no result yet. */
class Paused {
  readonly step: Step;

  constructor(step: Step) {
    this.step = step;
  }
}

/** What was wrong, with the steps that led to it. */
export class ModelFault extends Error {
  override readonly name = "ModelFault";
}

/**
 * Tries every order.
 * @returns How many states there were.
 * @throws {ModelFault} For the first order in which something goes wrong.
 */
export function exploreForkModel(options: ModelOptions): number {
  const seen = new Set<string>();
  const first: World = {
    next: 0,
    outputPath: CONTROL,
    sent: [undefined],
    isRead: [false],
    isOpen: [true],
    control: [],
    outputs: [],
    shell: "fork",
    reportTo: CONTROL,
    lastStatus: 0,
    fork: undefined,
    forkKills: 0,
    runs: Array.from({ length: options.events }, () => 0),
    struck: [],
  };
  const explore = (results: readonly Result[], world: World): void => {
    const { step, state } = replay(options, results, world);
    if (step === undefined) return;
    const key = JSON.stringify([step, state, world]);
    if (seen.has(key)) return;
    seen.add(key);
    let isPossible = false;
    for (const later of reachable(options, world)) {
      for (const [result, after] of take(options, step, later)) {
        isPossible = true;
        explore([...results, result], after);
      }
    }
    if (!isPossible) throw fault("everybody waits", results, world);
  };
  explore([], first);
  return seen.size;
}

/**
 * Runs the runtime with the results of its steps so far; returns its next step, if it has not ended, and
 * all of its state on which its later steps depend.
 */
function replay(options: ModelOptions, results: readonly Result[], world: World) {
  const pipes = new ReplayedPipes(results);
  const turns = new ForkTurns(pipes);
  let event = 0;
  try {
    for (; event < options.events; event += 1) {
      const end = turns.run(Buffer.from([event]));
      checkEnd(event, end, pipes, results, world);
      if (end.kind === "shell ended") break;
    }
    return { step: undefined, state: undefined };
  } catch (error) {
    if (!(error instanceof Paused)) throw error;
    return { step: error.step, state: [event, pipes.state] };
  }
}

class ModelOutput implements EventOutput {
  readonly number: number;
  readonly events: number[] = [];
  status: number | undefined;
  readonly #pipes: ReplayedPipes;

  constructor(number: number, pipes: ReplayedPipes) {
    this.number = number;
    this.#pipes = pipes;
  }

  pass(): void {
    this.take(this.#pipes.next({ kind: "pass", output: this.number }));
  }

  take(result: Result): void {
    if (typeof result === "boolean") return;
    for (const item of result.items) {
      if (this.status !== undefined) return;
      if (item.kind === "status") this.status = item.status;
      if (item.kind === "output") this.events.push(item.event);
    }
  }
}

class ReplayedPipes implements SharedPipes<ModelOutput> {
  /** The output of the event that is run, or was run last. */
  output: ModelOutput | undefined;
  readonly #results: readonly Result[];
  #at = 0;
  #pipes = 1;
  #outputs = 0;
  #isWatched = false;
  #isNextRead = false;

  constructor(results: readonly Result[]) {
    this.#results = results;
  }

  /** What later steps depend on. */
  get state(): unknown {
    const { status, events } = this.output ?? {};
    const seen = this.#isWatched ? [status, events] : [];
    return [this.#pipes, this.#outputs, this.#isWatched, this.#isNextRead, ...seen];
  }

  next(step: Step): Result {
    const result = this.#results[this.#at];
    if (result === undefined) throw new Paused(step);
    this.#at += 1;
    return result;
  }

  renewNext(): EventPipe {
    this.next({ kind: "renewNext" });
    const pipe = this.#pipes - 1;
    this.#pipes += 1;
    this.#isNextRead = false;
    return {
      send: (script) => this.next({ kind: "send", pipe, event: script[0] ?? 0 }) === true,
    };
  }

  isNextRead(): boolean {
    return this.#isNextRead;
  }

  openOutput(): ModelOutput {
    this.next({ kind: "openOutput" });
    this.output = new ModelOutput(this.#outputs, this);
    this.#outputs += 1;
    this.#isWatched = true;
    return this.output;
  }

  closeOutput(): void {
    this.next({ kind: "closeOutput" });
    this.#isWatched = false;
  }

  waitUntil(holds: () => boolean): boolean {
    for (;;) {
      if (holds()) return true;
      const output = this.#isWatched ? this.output : undefined;
      const isNextKnown = this.#isNextRead;
      const result = this.next({ kind: "wait", output: output?.number, isNextKnown });
      if (typeof result === "boolean") throw new Error("a wait has no such result");
      if (result.from === "end") return holds();
      if (result.from === "output") output?.take(result);
      if (result.from === "next") this.#isNextRead = true;
    }
  }
}

/** All worlds that steps of others can lead to, the given one included. */
function reachable(options: ModelOptions, world: World): World[] {
  const found = new Map([[JSON.stringify(world), world]]);
  for (const from of found.values()) {
    for (const change of changes(options, from)) {
      const to = structuredClone(from);
      change(to);
      found.set(JSON.stringify(to), to);
    }
  }
  return [...found.values()];
}

/** The steps that the shell, its fork and the killer can make next. */
function changes(options: ModelOptions, world: World): ((to: World) => void)[] {
  const possible: ((to: World) => void)[] = [];
  const { shell, fork } = world;
  if (shell !== "dead" && (shell !== "wait" || fork === undefined)) possible.push(stepShell);
  if (fork !== undefined && canStep(world, fork)) possible.push(stepFork);
  if (fork !== undefined && world.forkKills < options.forkKills) {
    possible.push((to) => {
      to.forkKills += 1;
      endFork(to, KILLED);
    });
  }
  if (options.shellKill && shell !== "dead") {
    possible.push((to) => {
      to.shell = "dead";
    });
  }
  return possible;
}

function stepShell(to: World): void {
  switch (to.shell) {
    case "report":
      to.reportTo = to.outputPath;
      to.shell = "write";
      break;
    case "write":
      put(to, to.reportTo, { kind: "status", status: to.lastStatus });
      to.shell = "fork";
      break;
    case "fork":
      to.fork = { step: "open", pipe: CONTROL, event: -1, output: CONTROL };
      to.shell = "wait";
      break;
    case "wait":
      to.shell = "report";
      break;
    case "dead":
      break;
  }
}

/** A fork waits for an event, or for the end of the pipe. */
function canStep(world: World, { step, pipe }: Fork): boolean {
  if (step !== "read" || world.isRead[pipe] === false) return true;
  return world.sent[pipe] !== undefined || world.isOpen[pipe] === false;
}

function stepFork(to: World): void {
  const { fork } = to;
  if (fork === undefined) return;
  switch (fork.step) {
    case "open":
      fork.pipe = to.next;
      fork.step = "read";
      break;
    case "read": {
      if (to.isRead[fork.pipe] === false) {
        to.isRead[fork.pipe] = true;
        break;
      }
      const event = to.sent[fork.pipe];
      if (event === undefined) {
        endFork(to, 0);
        break;
      }
      to.sent[fork.pipe] = undefined;
      fork.event = event;
      fork.step = "begin";
      break;
    }
    case "begin":
      to.runs[fork.event] = (to.runs[fork.event] ?? 0) + 1;
      fork.output = to.outputPath;
      fork.step = "write";
      break;
    case "write":
      put(to, fork.output, { kind: "output", event: fork.event });
      fork.step = "end";
      break;
    case "end":
      endFork(to, fork.event);
      break;
  }
}

function endFork(to: World, status: number): void {
  const { fork } = to;
  if (fork === undefined) return;
  const waiting = fork.pipe === CONTROL ? undefined : to.sent[fork.pipe];
  if (status === KILLED) to.struck.push(fork.event, waiting ?? -1);
  // A pipe that nobody has open is gone with what is in it.
  if (waiting !== undefined && to.isOpen[fork.pipe] === false) to.sent[fork.pipe] = undefined;
  to.lastStatus = status;
  to.fork = undefined;
}

function put(to: World, pipe: number, item: Item): void {
  if (pipe === CONTROL) to.control.push(item);
  else to.outputs[pipe]?.push(item);
}

/** What a step of the runtime can get, and the world behind it; nothing if it has to wait. */
function take(options: ModelOptions, step: Step, world: World): [Result, World][] {
  const after = structuredClone(world);
  switch (step.kind) {
    case "renewNext":
    case "openOutput":
      if ((step.kind === "renewNext") === (options.opensOutputFirst === true)) {
        after.outputs.push([]);
        after.outputPath = after.outputs.length - 1;
      } else {
        after.sent.push(undefined);
        after.isRead.push(false);
        after.isOpen.push(true);
        after.next = after.sent.length - 1;
      }
      return [[true, after]];
    case "closeOutput":
      after.outputPath = CONTROL;
      // Nobody looks any more.
      after.outputs[after.outputs.length - 1] = undefined;
      return [[true, after]];
    case "send": {
      const isRead = after.fork?.pipe === step.pipe || options.keepsReadEnd === true;
      if (isRead) after.sent[step.pipe] = step.event;
      after.isOpen[step.pipe] = false;
      return [[isRead, after]];
    }
    case "pass":
      return [[{ from: "output", items: emptied(after, step.output) }, after]];
    case "wait":
      return waited(step.output, step.isNextKnown, world);
  }
}

function waited(output: number | undefined, isNextKnown: boolean, world: World): [Result, World][] {
  const possible: [Result, World][] = [];
  if (!isNextKnown && world.isRead[world.next] === true) {
    possible.push([{ from: "next", items: [] }, structuredClone(world)]);
  }
  if (world.control.length > 0) {
    const after = structuredClone(world);
    possible.push([{ from: "control", items: emptied(after, CONTROL) }, after]);
  }
  if (output !== undefined && (world.outputs[output] ?? []).length > 0) {
    const after = structuredClone(world);
    possible.push([{ from: "output", items: emptied(after, output) }, after]);
  }
  if (world.shell === "dead") possible.push([{ from: "end", items: [] }, structuredClone(world)]);
  return possible;
}

function emptied(world: World, pipe: number): Item[] {
  return (pipe === CONTROL ? world.control : (world.outputs[pipe] ?? [])).splice(0);
}

function checkEnd(
  event: number,
  end: TurnEnd,
  { output }: ReplayedPipes,
  results: readonly Result[],
  world: World,
): void {
  const runs = world.runs[event] ?? 0;
  const events = output?.events ?? [];
  const said = JSON.stringify(end);
  if (runs > 1) throw fault(`event ${event} ran ${runs} times`, results, world);
  switch (end.kind) {
    case "status lost":
      throw fault(`the status of event ${event} is lost`, results, world);
    case "shell ended":
      if (world.shell !== "dead") throw fault(`${said}, and it has not`, results, world);
      return;
    case "ended":
      if (events.some((other) => other !== event)) {
        throw fault(`event ${event} got the output of ${events}`, results, world);
      }
      if (end.status === event && runs === 1 && events.length === 1) return;
      if (end.status === KILLED && world.struck.includes(event)) return;
      throw fault(`event ${event} ended as ${said} with the output of [${events}]`, results, world);
  }
}

function fault(what: string, results: readonly Result[], world: World): ModelFault {
  return new ModelFault(`${what}\nresults: ${JSON.stringify(results)}\n${JSON.stringify(world)}`);
}
