/** Small steps from what a mesh file says to what a plan says. Their input is checked already. */
import { type Backoff, defaultFlags } from '../supervision/child-spec.ts';
import { durationMs } from './units.ts';

export const ms = (value: number | string): number => durationMs(value) as number;
export const msOr = (value: number | string | undefined, otherwise: number | string): number => ms(value ?? otherwise);

/** Members that are there, without those that are undefined. */
export function given<T extends object>(members: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}

interface BackoffEntry {
  readonly min?: number | string | undefined;
  readonly max?: number | string | undefined;
  readonly factor?: number | undefined;
  readonly jitter?: number | undefined;
}

export function backoffOf(backoff: BackoffEntry): Partial<Backoff> {
  const minMs = backoff.min === undefined ? undefined : ms(backoff.min);
  // A first wait above the default maximum raises it: who writes only `min: 1m` means it.
  const maxMs =
    backoff.max === undefined ? (minMs !== undefined && minMs > defaultFlags.backoff.maxMs ? minMs : undefined) : ms(backoff.max);
  return given({ minMs, maxMs, factor: backoff.factor, jitter: backoff.jitter });
}

/** `./file.ts#name` */
export function moduleRef(text: string): { readonly file: string; readonly name?: string } {
  const hash = text.lastIndexOf('#');
  return hash < 0 ? { file: text } : { file: text.slice(0, hash), name: text.slice(hash + 1) };
}
