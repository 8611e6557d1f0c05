/**
 * Metrics in Prometheus' text form: TriggerMesh's three series, and the engine's own.
 *
 * @see https://prometheus.io/docs/instrumenting/exposition_formats/
 * @module
 */

import type { FunctionPool } from "./function-pool.ts";

/** Labels and prefix of TriggerMesh's series. */
interface MetricNames {
  /** `K_COMPONENT`. */
  readonly prefix: string;
  readonly name: string;
  readonly namespace: string;
  readonly resourceGroup: string;
}

/** Upper bounds of TriggerMesh's histogram, in milliseconds. */
const LATENCY_BUCKETS_MS = [0, 10, 20, 30, 40, 50, 100, 200, 500, 1000, 2000, 5000, 10000];

/** Upper bounds of this host's own histogram, in seconds. */
const DURATION_BUCKETS_S = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Distinct event types and sources that are counted apart; what comes after them is `other`. */
const LABEL_SETS_MAX = 200;

interface Histogram {
  readonly counts: number[];
  sum: number;
  count: number;
}

/** Counts what the host does. */
export class Metrics {
  readonly #names: MetricNames;
  #pools: readonly FunctionPool[] = [];
  readonly #successes = new Map<string, number>();
  readonly #errors = new Map<string, number>();
  readonly #latencies = new Map<string, Histogram>();
  readonly #duration: Histogram = newHistogram(DURATION_BUCKETS_S);
  readonly #exits = new Map<string, number>();
  #rejected = 0;
  #coldStarts = 0;

  constructor(names: MetricNames) {
    this.#names = names;
  }

  /** Adds the engines whose queues and environments are shown. */
  watch(pools: readonly FunctionPool[]): void {
    this.#pools = pools;
  }

  /** Counts one request with the CloudEvent's type and source, or what stands for them. */
  countRequest(type: string, source: string, failed: boolean, latencyMs: number): void {
    const labels = this.#labels(type, source);
    const counts = failed ? this.#errors : this.#successes;
    counts.set(labels, (counts.get(labels) ?? 0) + 1);
    let histogram = this.#latencies.get(labels);
    if (histogram === undefined) {
      histogram = newHistogram(LATENCY_BUCKETS_MS);
      this.#latencies.set(labels, histogram);
    }
    observe(histogram, LATENCY_BUCKETS_MS, latencyMs);
  }

  countInvocation(durationMs: number): void {
    observe(this.#duration, DURATION_BUCKETS_S, durationMs / 1000);
  }

  countRejection(): void {
    this.#rejected += 1;
  }

  countColdStart(): void {
    this.#coldStarts += 1;
  }

  countExit(reason: string): void {
    this.#exits.set(reason, (this.#exits.get(reason) ?? 0) + 1);
  }

  /** Everything, in the text form. */
  text(): string {
    const { prefix } = this.#names;
    const lines: string[] = [];
    const family = (name: string, type: string, help: string, samples: readonly string[]) => {
      lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...samples);
    };
    const success = `${prefix}_event_processing_success_count`;
    family(success, "counter", "Events that were processed", samples(success, this.#successes));
    const error = `${prefix}_event_processing_error_count`;
    const failed = new Map(
      [...this.#errors].map(([labels, count]) => [`${labels},user_managed="true"`, count]),
    );
    family(error, "counter", "Events that were not processed", samples(error, failed));
    const latency = `${prefix}_event_processing_latencies`;
    const latencies = [...this.#latencies].flatMap(([labels, histogram]) =>
      histogramSamples(latency, LATENCY_BUCKETS_MS, labels, histogram),
    );
    family(latency, "histogram", "Time of an event, in milliseconds", latencies);
    this.#engineFamilies(family);
    return `${lines.join("\n")}\n`;
  }

  #engineFamilies(
    family: (name: string, type: string, help: string, samples: readonly string[]) => void,
  ): void {
    const depth = this.#pools.reduce((sum, pool) => sum + pool.queueLength, 0);
    const states = { starting: 0, ready: 0, busy: 0 };
    for (const { counts } of this.#pools) {
      states.starting += counts.starting;
      states.ready += counts.ready;
      states.busy += counts.busy;
    }
    const queue = "lambda_shell_queue_depth";
    family(queue, "gauge", "Events that wait", [`${queue} ${depth}`]);
    const rejected = "lambda_shell_queue_rejected_total";
    family(rejected, "counter", "Events that were not accepted", [`${rejected} ${this.#rejected}`]);
    const workers = "lambda_shell_workers";
    const byState = Object.entries(states).map(([s, n]) => `${workers}{state="${s}"} ${n}`);
    family(workers, "gauge", "Execution environments", byState);
    const cold = "lambda_shell_cold_starts_total";
    family(cold, "counter", "Environments that became ready", [`${cold} ${this.#coldStarts}`]);
    const exits = "lambda_shell_worker_exits_total";
    const byReason = [...this.#exits].map(([r, n]) => `${exits}{reason="${escaped(r)}"} ${n}`);
    family(exits, "counter", "Environments that ended", byReason);
    const duration = "lambda_shell_invocation_duration_seconds";
    const own = histogramSamples(duration, DURATION_BUCKETS_S, "", this.#duration);
    family(duration, "histogram", "Time from delivery to response", own);
  }

  #labels(type: string, source: string): string {
    const { name, namespace, resourceGroup } = this.#names;
    const all = (eventType: string, eventSource: string) =>
      `name="${escaped(name)}",resource_group="${escaped(resourceGroup)}",` +
      `namespace_name="${escaped(namespace)}",event_type="${escaped(eventType)}",` +
      `event_source="${escaped(eventSource)}"`;
    const labels = all(type, source);
    const known = this.#latencies.has(labels) || this.#latencies.size < LABEL_SETS_MAX;
    return known ? labels : all("other", "other");
  }
}

function newHistogram(buckets: readonly number[]): Histogram {
  return { counts: buckets.map(() => 0), sum: 0, count: 0 };
}

function observe(histogram: Histogram, buckets: readonly number[], value: number): void {
  histogram.sum += value;
  histogram.count += 1;
  const at = buckets.findIndex((bound) => value <= bound);
  if (at !== -1) histogram.counts[at] = (histogram.counts[at] ?? 0) + 1;
}

function histogramSamples(
  name: string,
  buckets: readonly number[],
  labels: string,
  { counts, sum, count }: Histogram,
): string[] {
  const separator = labels === "" ? "" : ",";
  let below = 0;
  const lines = buckets.map((bound, at) => {
    below += counts[at] ?? 0;
    return `${name}_bucket{${labels}${separator}le="${bound}"} ${below}`;
  });
  const set = labels === "" ? "" : `{${labels}}`;
  lines.push(`${name}_bucket{${labels}${separator}le="+Inf"} ${count}`);
  return [...lines, `${name}_sum${set} ${sum}`, `${name}_count${set} ${count}`];
}

function samples(name: string, counts: ReadonlyMap<string, number>): string[] {
  return [...counts].map(([labels, count]) => `${name}{${labels}} ${count}`);
}

function escaped(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}
