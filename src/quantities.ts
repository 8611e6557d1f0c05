/**
 * Times and sizes as people write them, and the advice for those that are written in another form.
 *
 * @module
 */

const MS_PER_UNIT: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

/**
 * Reads a time: bare seconds (`10`, `0.5`) or Go's form (`10s`, `1m30s`, `250ms`).
 * @returns Milliseconds, or nothing when it is not a time.
 */
export function parseTime(text: string): number | undefined {
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text) * 1000;
  if (!/^(\d+(\.\d+)?(ns|us|µs|ms|s|m|h))+$/.test(text)) return undefined;
  let sumMs = 0;
  for (const [, count, , unit] of text.matchAll(/(\d+(\.\d+)?)(ns|us|µs|ms|s|m|h)/g)) {
    sumMs += Number(count) * (MS_PER_UNIT[unit ?? ""] ?? 0);
  }
  return sumMs;
}

/** Other names of units, and the ones that are read. */
const TIME_UNITS = [
  [/milli(?:second|sec)?s?|msecs?/g, "ms"],
  [/sec(?:ond)?s?/g, "s"],
  [/min(?:ute)?s?/g, "m"],
  [/hours?|hrs?/g, "h"],
] as const;

/** The least number of seconds that may be meant as milliseconds, and what such a number ends with. */
const ROUND_MS = /^\d+00$/;
const ROUND_MS_MIN = 1000;

/**
 * The advice for a text that is not a time within bounds, as a further line of its message.
 * @returns An empty text where nobody can say what is meant.
 */
export function timeFix(text: string, minMs: number, maxMs: number): string {
  const isWithin = (ms: number | undefined) => ms !== undefined && ms >= minMs && ms <= maxMs;
  if (parseTime(text) === undefined) {
    const meant = meantTime(text);
    return isWithin(parseTime(meant)) ? `\n  write: ${meant}` : "";
  }
  const isRound = ROUND_MS.test(text) && Number(text) >= ROUND_MS_MIN;
  if (!isRound || !isWithin(Number(text))) return "";
  return `\n  without a unit it is seconds; for milliseconds write: ${text}ms`;
}

/** A time in the form that is read, where it only has other names of units, spaces, or a decimal comma. */
function meantTime(text: string): string {
  const joined = text
    .toLowerCase()
    .replaceAll(/\s+/g, "")
    .replaceAll(/(?<=\d),(?=\d)/g, ".");
  return TIME_UNITS.reduce((time, [names, unit]) => time.replace(names, unit), joined);
}

const MB_PER_UNIT: Readonly<Record<string, number>> = { b: 2 ** -20, k: 2 ** -10, m: 1, g: 1024 };

/** A number with one of their names, as `512MB`, `1 GiB` and `134217728 bytes`. */
const SIZE = /^\s*(\d+(?:[.,]\d+)?)\s*(?:(b)(?:ytes?)?|(k|m|g)(?:i?b|i)?)\s*$/i;

/** The advice for a text that is not a whole number of MB within bounds; as {@link timeFix}. */
export function megabytesFix(text: string, min: number, max: number): string {
  const [, number = "", ...units] = SIZE.exec(text) ?? [];
  const unit = units.find((each) => each !== undefined)?.toLowerCase() ?? "";
  const mb = Number(number.replace(",", ".")) * (MB_PER_UNIT[unit] ?? 0);
  return Number.isInteger(mb) && mb >= min && mb <= max ? `\n  write: ${mb}` : "";
}

/** The advice for a text that is not a whole number of seconds within bounds; as {@link timeFix}. */
export function secondsFix(text: string, min: number, max: number): string {
  const seconds = (parseTime(meantTime(text)) ?? 0) / 1000;
  return Number.isInteger(seconds) && seconds >= min && seconds <= max
    ? `\n  write: ${seconds}`
    : "";
}
