/** Numbers in sentences. */
import type { MeshPlan } from '../core/config/plan.ts';

/** `1 actor`, `2 actors`. */
export const counted = (n: number, noun: string): string => `${n} ${noun}${n === 1 ? '' : 's'}`;

/** Actors that a mesh file declares, supervisors and what Reprise adds itself not counted. */
export const actorCount = (plan: MeshPlan): number =>
  plan.actors.filter(({ kind, logic }) => kind !== 'supervisor' && plan.logics[logic]?.from !== 'reprise').length;

/** Of them, those that stand for any number of actors, one a key. */
export const kindCount = (plan: MeshPlan): number => plan.actors.filter(({ kind }) => kind === 'keyed').length;

/** `2 actors, 1 kind of actor`: `actors` of the mesh file, of which `kinds` are kinds. */
export function actorsText(actors: number, kinds: number): string {
  const parts = [
    ...(actors > kinds || kinds === 0 ? [counted(actors - kinds, 'actor')] : []),
    ...(kinds > 0 ? [kinds === 1 ? '1 kind of actor' : `${kinds} kinds of actors`] : []),
  ];
  return parts.join(', ');
}

/** `2 actors, 1 tool server, 0 models`. */
export const contentsOf = (plan: MeshPlan): string =>
  [
    actorsText(actorCount(plan), kindCount(plan)),
    counted(plan.tools.length, 'tool server'),
    counted(plan.models.length, 'model'),
  ].join(', ');
