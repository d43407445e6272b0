/** Durations and sizes as people write them. Numbers are milliseconds and bytes. */

const DURATION = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/;
const SIZE = /^(\d+(?:\.\d+)?)(B|kB|KiB|MB|MiB|GB|GiB)$/;

export const DURATION_PATTERN = DURATION;
export const SIZE_PATTERN = SIZE;

const MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const BYTES: Readonly<Record<string, number>> = { B: 1, kB: 1e3, KiB: 1024, MB: 1e6, MiB: 1024 ** 2, GB: 1e9, GiB: 1024 ** 3 };

/** ms; undefined when the text is no duration such as `200ms`, `5s`, `2m`, `1h`, `7d`. */
export const durationMs = (value: number | string): number | undefined => measure(value, DURATION, MS);

/** Bytes; undefined when the text is no size such as `64KiB`, `16MiB`, `1MB`. */
export const sizeBytes = (value: number | string): number | undefined => measure(value, SIZE, BYTES);

function measure(value: number | string, pattern: RegExp, units: Readonly<Record<string, number>>): number | undefined {
  if (typeof value === 'number') return value;
  const [, amount, unit = ''] = pattern.exec(value) ?? [];
  const factor = units[unit];
  return amount === undefined || factor === undefined ? undefined : Math.round(Number(amount) * factor);
}
