/** Time and randomness of the machine: the only place where they enter, and only the composition root passes them on. */
import { webcrypto } from 'node:crypto';
import type { Clock } from '../core/ports/clock.ts';
import type { Entropy } from '../core/ports/entropy.ts';
import { uuidMaker } from '../core/uuid.ts';

/** Node fires a longer delay at once. */
const DELAY_MS_MAX = 2 ** 31 - 1;

/** `setTimeout` counts from the beginning of the turn, so it may be early; the port may not. */
function after(ms: number, fn: () => void): () => void {
  const due = performance.now() + ms;
  let timer: NodeJS.Timeout;
  const wait = (left: number): void => {
    timer = setTimeout(wake, Math.min(Math.max(0, Math.ceil(left)), DELAY_MS_MAX));
  };
  const wake = (): void => {
    const left = due - performance.now();
    if (left > 0) wait(left);
    else fn();
  };
  wait(ms);
  return () => clearTimeout(timer);
}

export const systemClock = (): Clock => ({
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after,
  soon: (fn) => void setImmediate(fn),
});

function randomWords(): () => number {
  const words = new Uint32Array(256);
  let next = words.length;
  return () => {
    if (next === words.length) {
      webcrypto.getRandomValues(words);
      next = 0;
    }
    return words[next++] as number;
  };
}

export const systemEntropy = (): Entropy => ({ random: () => Math.random(), id: uuidMaker(() => Date.now(), randomWords()) });
