/** UUID version 7 (RFC 9562, section 6.2, method 1): sorts by time, and within a millisecond by a counter. */

const hex = (n: number, digits: number): string => n.toString(16).padStart(digits, '0');

/** `random32` gives whole numbers below 2^32. Ids of one maker always grow, also when the clock steps back. */
export function uuidMaker(now: () => number, random32: () => number): () => string {
  let last = -1;
  let counter = 0;
  return () => {
    const ms = Math.floor(now());
    if (ms > last) {
      last = ms;
      // The top bit stays clear, so that a millisecond has room for 2,048 ids at least.
      counter = random32() & 0x7ff;
    } else if (++counter > 0xfff) {
      last++;
      counter = 0;
    }
    const time = hex(last, 12);
    const a = random32();
    return `${time.slice(0, 8)}-${time.slice(8)}-7${hex(counter, 3)}-${hex(0x8000 | (a >>> 18), 4)}-${hex(a & 0xffff, 4)}${hex(random32(), 8)}`;
  };
}
