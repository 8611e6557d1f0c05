/**
 * What an event costs on AWS, as far as that can be said from here.
 *
 * @see https://aws.amazon.com/lambda/pricing/
 * @module
 */

/**
 * Dollars for a GB-second in US East (N. Virginia), of the first tier of use, without the free tier and
 * without savings plans; as published in 2025. Most regions have these prices, some up to a third more.
 */
const DOLLARS_PER_GB_SECOND = { x86_64: 0.0000166667, arm64: 0.0000133334 } as const;

/** Architectures with a price. */
export type PricedArchitecture = keyof typeof DOLLARS_PER_GB_SECOND;

/** Dollars for each request, whatever it takes, in the same region. */
const DOLLARS_PER_REQUEST = 0.2 / 1_000_000;

/**
 * Memory with which a function has one whole vCPU; less has a part of one.
 * @see https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
 */
const MEMORY_MB_PER_VCPU = 1769;

/** Memory sizes that are compared with the function's own, in MB. */
const MEMORY_SIZES_MB = [128, 256, 512, 1024, MEMORY_MB_PER_VCPU];

/** How an event's time was spent, in milliseconds. */
export interface EventTime {
  readonly durationMs: number;
  /** Of one processor or several. */
  readonly cpuMs: number;
}

/** One size of memory, and what an event would take and cost with it. */
export interface Estimate {
  readonly memoryMb: number;
  readonly durationMs: number;
  readonly dollars: number;
}

/**
 * Estimates an event for several sizes of memory, the function's own among them.
 *
 * The time that the event waits stays as it is; the time that it computes grows as the share of a vCPU
 * shrinks. A vCPU is taken to be as fast as a processor of this computer.
 */
export function estimates(
  time: EventTime,
  memoryMb: number,
  architecture: PricedArchitecture,
): readonly Estimate[] {
  const cpuMs = Math.min(time.cpuMs, time.durationMs);
  const sizes = [...new Set([...MEMORY_SIZES_MB, memoryMb])].sort((a, b) => a - b);
  return sizes.map((size) => {
    const slower = Math.max(1, MEMORY_MB_PER_VCPU / size);
    // Billed by the millisecond, rounded up.
    const durationMs = Math.ceil(time.durationMs - cpuMs + cpuMs * slower);
    const gbSeconds = (size / 1024) * (durationMs / 1000);
    const dollars = gbSeconds * DOLLARS_PER_GB_SECOND[architecture] + DOLLARS_PER_REQUEST;
    return { memoryMb: size, durationMs, dollars };
  });
}

/** The estimates in words. */
export function estimateText(
  time: EventTime,
  memoryMb: number,
  architecture: PricedArchitecture,
): string {
  const rows = estimates(time, memoryMb, architecture).map((estimate) => {
    const own = estimate.memoryMb === memoryMb ? "  <- this function" : "";
    return (
      `${`${estimate.memoryMb} MB`.padStart(10)}${`${estimate.durationMs} ms`.padStart(12)}` +
      `${`$${(estimate.dollars * 1_000_000).toFixed(2)}`.padStart(14)}${own}\n`
    );
  });
  return (
    `\nestimated cost on AWS (${architecture}, US East (N. Virginia), prices of 2025, without free tier)\n` +
    `    memory        time    1,000,000 events\n${rows.join("")}` +
    `  Of the time measured here, ${Math.round(time.cpuMs)} ms were computing (resolution 10 ms). That takes longer with\n` +
    `  less than ${MEMORY_MB_PER_VCPU} MB, which is one vCPU; waiting does not. A cold start is not included.\n`
  );
}
