/**
 * A function that runs one event with its trace on, and what can be said of that afterwards.
 *
 * @module
 */

import { readFileSync } from "node:fs";

import type { Handler } from "../handler/resolve.ts";
import type { FunctionSettings } from "../host/invocation/settings.ts";
import { estimateText, type PricedArchitecture } from "./price.ts";
import { type ProcessFacts, Profile, profileText, type Span, treeCpuMs } from "./profile.ts";
import type { TraceRecord } from "./trace-reader.ts";
import { type TracedFunction, traceFunction } from "./traced-function.ts";

/** Loading that took less is not shown command by command, in milliseconds. */
const LOADING_SHOWN_MS = 5;

/** How often it is looked at which processes have ended, in milliseconds. */
const WATCH_MS = 2;

/** Processes that are looked at; the ends of others are taken from the trace. */
const WATCHED_MAX = 500;

/** Measures one event; told of its moments as they come. */
export class ProfiledFunction {
  readonly settings: FunctionSettings;
  readonly #architecture: PricedArchitecture;
  readonly #profile = new Profile();
  readonly #traced: TracedFunction;
  readonly #processes = new Map<number, ProcessFacts>();
  #timer: Timer | undefined;
  #pid: number | undefined;
  #initMs = 0;
  #startedCpuMs = 0;
  #cpuMs = 0;
  /** From when on it waits for the event; what it runs from then on belongs to that. */
  #fromMs = 0;
  #deliveredMs = 0;
  #durationMs = 0;
  #toMs = 0;

  /** @param handler What the settings' handler is in their folder. */
  constructor(settings: FunctionSettings, handler: Handler, architecture: PricedArchitecture) {
    this.#architecture = architecture;
    this.#traced = traceFunction(settings.directory, [handler], (record) => {
      this.#profile.add(record);
      this.#watch(record.pid);
    });
    this.settings = { ...settings, directory: this.#traced.directory };
  }

  /** The function waits for the event. */
  ready({
    pid,
    initMs,
  }: {
    readonly pid?: number | undefined;
    readonly initMs?: number | undefined;
  }): void {
    // Asking for the next event it is ready again.
    if (this.#fromMs !== 0) return;
    this.#pid = pid;
    this.#initMs = initMs ?? 0;
    // The event is there already, and delivered next.
    this.#fromMs = now();
    this.#startedCpuMs = pid === undefined ? 0 : treeCpuMs(pid);
  }

  /** @param atMs When the function got the event, as `performance.now()` counts. */
  delivered(atMs: number): void {
    this.#deliveredMs = performance.timeOrigin + atMs;
  }

  /** The response is there. */
  ended(durationMs: number): void {
    this.#durationMs = durationMs;
    this.#toMs = this.#deliveredMs + durationMs;
    const cpuMs = this.#pid === undefined ? 0 : treeCpuMs(this.#pid);
    this.#cpuMs = Math.max(0, cpuMs - this.#startedCpuMs);
  }

  /** Ends the trace, also of an event that was broken off. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#traced.end();
  }

  /** Everything in words, when the function has ended. */
  async text(): Promise<string> {
    await this.close();
    const event = { fromMs: this.#fromMs, toMs: this.#toMs };
    const loading = { fromMs: this.#fromMs - this.#initMs, toMs: this.#fromMs };
    const durationMs = this.#durationMs;
    const time = { durationMs, cpuMs: this.#cpuMs };
    const [script] = this.#traced.scripts;
    const notes = [
      ...this.#traced.untraceable.map((reason) => `  commands not measured: ${reason}\n`),
      ...(script?.shell === "sh" ? [`  ${script.path} was run by bash as sh, as on Lambda\n`] : []),
      ...(this.#profile.lost > 0 ? [`  ${this.#profile.lost} more commands were not kept\n`] : []),
    ];
    return [
      `\nthe event took ${durationMs.toFixed(1)} ms (with the trace on, which adds some time)\n`,
      this.#table(event),
      ...(this.#initMs < LOADING_SHOWN_MS
        ? []
        : [
            `\nbefore the event, the start took ${this.#initMs.toFixed(1)} ms\n`,
            this.#table(loading),
          ]),
      ...notes,
      estimateText(time, this.settings.memoryMb, this.#architecture),
    ].join("");
  }

  /** Notices when a process ends: the trace only says when its commands begin. */
  #watch(pid: number): void {
    if (this.#processes.has(pid) || this.#processes.size >= WATCHED_MAX) return;
    const parentPid = runningParent(pid);
    this.#processes.set(pid, parentPid === undefined ? { endMs: now() } : { parentPid });
    this.#timer ??= setInterval(() => {
      for (const [each, facts] of this.#processes) {
        if (facts.endMs !== undefined || runningParent(each) !== undefined) continue;
        this.#processes.set(each, { ...facts, endMs: now() });
      }
    }, WATCH_MS);
  }

  #table(span: Span): string {
    const rows = this.#profile.rows(span, (record) => this.#placeOf(record), this.#processes);
    return rows.length > 1 ? profileText(rows, span) : "";
  }

  #placeOf({ file, line }: TraceRecord): string | undefined {
    const own = this.#traced.ownFile(file);
    if (own === undefined) return undefined;
    const added = this.#traced.scripts.find(({ path }) => path === own)?.addedLines ?? 0;
    return `${own}:${line - added}`;
  }
}

/** A time of day in milliseconds, as finely as the trace's. */
function now(): number {
  return performance.timeOrigin + performance.now();
}

/** The parent of a process that runs; a zombie has ended, even if its parent has not collected it. */
function runningParent(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    const [state = "Z", parent] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return /^[ZX]/.test(state) ? undefined : Number(parent);
  } catch {
    return undefined;
  }
}
