/**
 * Random numbers that a seed repeats, for tests that try many inputs.
 *
 * @module
 */

/** A generator by its seed (mulberry32): the same seed gives the same numbers. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  /** A whole number from 0 to below the limit. */
  below(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  }

  /** One of some items. */
  pick<Item>(items: readonly Item[]): Item {
    return items[this.below(items.length)] as Item;
  }
}

/**
 * Repeats a trial with other random numbers for the minutes that FUZZ_MINUTES names. The seed is printed
 * before a trial fails: with SEED in the environment the same trials run again.
 */
export async function fuzz(trial: (random: Random) => void | Promise<void>): Promise<void> {
  const endMs = performance.now() + Number(process.env["FUZZ_MINUTES"] ?? 1) * 60_000;
  const first = Number(process.env["SEED"] ?? Date.now() % 1_000_000_000);
  let seed = first;
  for (; performance.now() < endMs; seed += 1) {
    try {
      await trial(new Random(seed));
    } catch (cause) {
      throw new Error(
        `failed with SEED=${seed}: ${cause instanceof Error ? cause.message : cause}`,
        {
          cause,
        },
      );
    }
  }
  console.log(`seeds ${first} to ${seed - 1} passed`);
}
