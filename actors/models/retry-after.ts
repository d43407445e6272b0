/** What HTTP headers say about when to try again. */

/** ms; undefined: nothing was said. A date is counted from the server's own. */
export function retryAfter(headers: Headers): number | undefined {
  const ms = Number(headers.get('retry-after-ms') ?? Number.NaN);
  if (ms >= 0) return ms;
  const text = headers.get('retry-after') ?? '';
  if (/^\d+(?:\.\d+)?$/.test(text)) return Number(text) * 1_000;
  const now = Date.parse(headers.get('date') ?? '');
  const until = Date.parse(text) - (Number.isNaN(now) ? Date.now() : now);
  return Number.isNaN(until) ? undefined : Math.max(0, until);
}

/** Statuses after which the same request may well succeed. */
export const isTransient = (status: number): boolean => status >= 500 || [408, 409, 425, 429].includes(status);
