/**
 * What a record says of the step that it stands for: digests of the state and of the effects. Live it is sealed; in a replay the same step
 * is held against it.
 */
import { type Address, checkTarget, EFFECTS_MAX } from '../address.ts';
import { effectsDigest } from '../digest.ts';
import { type Effect, isDelayed } from '../effect.ts';
import { type ErrorData, errorData, MeshError } from '../errors.ts';
import type { Folded } from '../fold.ts';
import type { Step } from '../logic.ts';
import type { LogRecord } from '../record.ts';
import { thrownAt } from '../thrown.ts';

/** The seal of a step. Or why it cannot be recorded. */
export type Sealed =
  | {
      readonly digest: string;
      readonly effectsDigest: string;
      readonly delays?: readonly number[];
      readonly failed?: undefined;
    }
  | { readonly failed: ErrorData };

export function seal(actor: Folded, step: Step): Sealed {
  const failed = step.failed ?? checkEffects(actor, step.effects);
  if (failed !== undefined) return { failed };
  try {
    const digest = actor.logic.digest(step.snapshot, actor.snapshot);
    const sealed = { digest, effectsDigest: effectsDigest(step.effects) };
    return step.effects.some(isDelayed) ? { ...sealed, delays: step.effects.filter(isDelayed).map((e) => e.delay) } : sealed;
  } catch (error) {
    return { failed: errorData(error) };
  }
}

/** Why these effects cannot be entered: then the step counts as failed. */
function checkEffects(actor: Folded, effects: readonly Effect[]): ErrorData | undefined {
  const { address } = actor.env;
  if (effects.length >= EFFECTS_MAX - 16)
    return errorData(new MeshError('STEP_BUDGET', `${address} made ${effects.length} effects in one step`));
  for (const e of effects) {
    if (e.kind === 'send' && e.to.kind === 'address') {
      const error = wrongTarget(address, e.to.address);
      if (error !== undefined) return error;
    }
    if (e.kind === 'spawn' && actor.logic.source(e.src) === undefined)
      return errorData(
        new MeshError(
          'LOGIC_NOT_FOUND',
          `${address} spawns '${e.child}' from '${e.src}', which '${actor.logic.id}' does not define`,
        ),
      );
  }
  return undefined;
}

/** What is sent there would make an actor that nobody can name. */
function wrongTarget(from: Address, target: Address): ErrorData | undefined {
  try {
    checkTarget(target);
    return undefined;
  } catch (error) {
    const { code, message } = error as MeshError;
    return errorData(new MeshError(code, `${from} sends to nobody: ${message}`));
  }
}

export interface Divergence {
  readonly seq: number;
  readonly what: 'state' | 'effects' | 'throw' | 'checkpoint';
  readonly expected: string;
  readonly actual: string;
  /** Where it throws: `/srv/shop/order.ts:12:30`. */
  readonly at?: string;
}

/** Does this step do what the record says it did? */
export function divergence(actor: Folded, record: LogRecord, step: Step): Divergence | undefined {
  if (record.kind !== 'init' && record.kind !== 'event') return undefined;
  if (step.failed !== undefined) {
    const at = thrownAt(step.thrown);
    const bad = { seq: record.seq, what: 'throw', expected: 'no error', actual: step.failed.message } as const;
    return at === undefined ? bad : { ...bad, at };
  }
  const state = actor.logic.digest(step.snapshot, actor.snapshot);
  if (state !== record.digest) return { seq: record.seq, what: 'state', expected: record.digest, actual: state };
  const effects = effectsDigest(step.effects);
  return effects === record.effectsDigest
    ? undefined
    : { seq: record.seq, what: 'effects', expected: record.effectsDigest, actual: effects };
}

/** What REPLAY_DIVERGED says. Its data have the digests, which say nothing to people. */
export const explain = (actor: Address, { seq, what, actual, at }: Divergence): string =>
  `${actor} does not fit the edited code from seq ${seq} on${what === 'throw' ? `: it throws: ${actual}${at === undefined ? '' : ` (${at})`}` : ''}`;
