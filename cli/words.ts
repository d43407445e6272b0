/** Numbers in sentences. */
import type { MeshPlan } from '../core/config/plan.ts';

/** `1 actor`, `2 actors`. */
export const counted = (n: number, noun: string): string => `${n} ${noun}${n === 1 ? '' : 's'}`;

/** Actors that a mesh file declares, supervisors and what Reprise adds itself not counted. */
export const actorCount = (plan: MeshPlan): number =>
  plan.actors.filter(({ kind, logic }) => kind !== 'supervisor' && plan.logics[logic]?.from !== 'reprise').length;

/** `2 actors, 1 tool server, 0 models`. */
export const contentsOf = (plan: MeshPlan): string =>
  [counted(actorCount(plan), 'actor'), counted(plan.tools.length, 'tool server'), counted(plan.models.length, 'model')].join(
    ', ',
  );
