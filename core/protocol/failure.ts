/** What follows when a step fails (DELIVERY §5). */

/** Failures of one event after which it is given up. */
export const ATTEMPTS_MAX = 3;
/** Deaths of a process in a row, each before the actor was ready, after which the actor is parked. */
export const STRIKES_MAX = 3;
export const THREE_STRIKES = 'three strikes: its process died each time before it was ready';

export interface Failure {
  /** 1-based: this failure included. */
  readonly attempt: number;
  /** The event answers an effect of this actor: it would be missed for ever. */
  readonly hasVia: boolean;
  /** A child that a chart spawned, without a policy that retries: its parent decides. */
  readonly chartChild: boolean;
}

/** `dead`: the message becomes a dead letter and the actor goes on. `park`: a person decides. `end`: the actor ends with this error. */
export function afterFailure({ attempt, hasVia, chartChild }: Failure): 'retry' | 'dead' | 'park' | 'end' {
  if (chartChild) return 'end';
  if (attempt < ATTEMPTS_MAX) return 'retry';
  return hasVia ? 'park' : 'dead';
}
