/**
 * Medians and their spread, for machines that are shared and noisy.
 *
 * @module
 */

/** A sample's middle, with the middle half around it. */
export interface Summary {
  readonly median: number;
  /** First and third quartile. */
  readonly quartiles: readonly [number, number];
  readonly count: number;
}

/**
 * Summarizes a sample.
 * @throws {RangeError} When it is empty.
 */
export function summarize(sample: readonly number[]): Summary {
  if (sample.length === 0) throw new RangeError("failed to summarize a sample: it is empty");
  const sorted = sample.toSorted((a, b) => a - b);
  const at = (part: number) => sorted[Math.floor(part * (sorted.length - 1))] as number;
  return { median: at(0.5), quartiles: [at(0.25), at(0.75)], count: sorted.length };
}

/** Divides two samples that were taken in turns, pair by pair, and summarizes the ratios. */
export function summarizeRatios(of: readonly number[], to: readonly number[]): Summary {
  return summarize(of.slice(0, to.length).map((value, index) => value / (to[index] as number)));
}

/** Formats a summary as `median (first-third quartile)`. */
export function format({ median, quartiles: [first, third] }: Summary, digits: number): string {
  return `${median.toFixed(digits)} (${first.toFixed(digits)}-${third.toFixed(digits)})`;
}
