/**
 * Which packet numbers of one key have been taken: a sliding bitmap as in RFC 6479, over the last 4096 numbers.
 *
 * `isNew` is asked before the tag of a packet is checked, `take` only after it held: a forged number moves nothing (A2).
 */

/** As far behind the highest as a packet may come. */
export const WINDOW_PACKETS = 4096;
const WORD_BITS = 32;
/** One word more than the window has: where it does not begin at the start of a word, it lies in so many. */
const WORDS = WINDOW_PACKETS / WORD_BITS + 1;

export class ReplayWindow {
  private readonly words = new Uint32Array(WORDS);
  private highest = -1;

  /** Whether `pn` is within the window or ahead of it, and was not taken. Changes nothing. */
  isNew(pn: number): boolean {
    if (pn > this.highest) return true;
    if (pn <= this.highest - WINDOW_PACKETS) return false;
    return ((this.words[wordOf(pn) % WORDS] as number) & bitOf(pn)) === 0;
  }

  /** `pn` came with a good tag. It must be new. */
  take(pn: number): void {
    if (pn > this.highest) {
      const from = wordOf(this.highest);
      const entered = Math.min(wordOf(pn) - from, WORDS);
      for (let i = 1; i <= entered; i++) this.words[(wordOf(pn) - entered + i) % WORDS] = 0;
      this.highest = pn;
    }
    const at = wordOf(pn) % WORDS;
    this.words[at] = (this.words[at] as number) | bitOf(pn);
  }
}

const wordOf = (pn: number): number => Math.floor(pn / WORD_BITS);
const bitOf = (pn: number): number => 1 << (pn % WORD_BITS);
