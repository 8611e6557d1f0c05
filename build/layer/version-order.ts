/**
 * Which of two versions is newer.
 *
 * @module
 */

/** Whether a version is newer than another, by the numbers in them. */
export function isNewer(version: string, than: string): boolean {
  const [numbers, others] = [version, than].map((text) => text.split(/[^\d]+/).map(Number));
  for (let at = 0; at < Math.max(numbers?.length ?? 0, others?.length ?? 0); at += 1) {
    const difference = (numbers?.[at] ?? 0) - (others?.[at] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return false;
}
