/** `goals.json`: what each metric should be, by its name. Speed is never asserted: a goal that is missed is printed, and that is all. */
import { readFileSync } from 'node:fs';
import type { Summary } from './statistics.ts';
import { shown } from './statistics.ts';

export interface Goal {
  readonly atLeast?: number;
  readonly atMost?: number;
  /** Which promise it stands for. */
  readonly why: string;
}
export type Goals = Readonly<Record<string, Goal>>;

export const readGoals = (): Goals => JSON.parse(readFileSync(new URL('../goals.json', import.meta.url), 'utf8')) as Goals;

/** The median counts. */
export const isMet = ({ atLeast = -Infinity, atMost = Infinity }: Goal, { median }: Summary): boolean =>
  median >= atLeast && median <= atMost;

export function goalText({ atLeast, atMost }: Goal): string {
  return [atLeast === undefined ? '' : `>= ${shown(atLeast)}`, atMost === undefined ? '' : `<= ${shown(atMost)}`]
    .join(' ')
    .trim();
}
