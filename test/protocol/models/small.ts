/** The small ones: results of leaves (D1), mail for an actor that is gone (D30), a poison message (D9). */
import { advance, type Cursors, cursorKey, receive } from '../../../core/protocol/cursors.ts';
import { afterFailure, ATTEMPTS_MAX } from '../../../core/protocol/failure.ts';
import { at, less, type Model, put, Sets } from '../explore.ts';
import { HORIZON, isKnown, isSent } from './one-message.ts';

export interface LeavesOptions {
  readonly name: string;
  readonly variant?: 'through-cursor' | 'no-via-check';
}

/** Calls 10.0 and 10.1 of one actor. A crash leaves them in doubt: they are made again under the same keys. */
export function leaves({ name, variant }: LeavesOptions): Model {
  const sets = new Sets();
  const [ENDED, MAIL, TAKEN, TWICE, CRASHES, AGAINS] = [0, 1, 2, 3, 4, 5] as const;
  const takes = (taken: readonly number[], call: number): boolean => {
    if (variant === 'no-via-check') return true;
    if (variant === undefined) return !taken.includes(call);
    const cursors: Cursors = new Map();
    for (const one of taken) advance(cursors, 'a', 'user', one, 0);
    const arrival = { position: call, after: -1, ts: 0, expired: false, void: false };
    return receive(cursors.get(cursorKey('a', 'user')), arrival, 0, HORIZON).kind === 'take';
  };
  return {
    name,
    init: [sets.empty, sets.empty, sets.empty, 0, 1, 1],
    steps(state, to) {
      for (const call of [0, 1]) {
        const ended = sets.of(at(state, ENDED)).includes(call);
        const mail = [MAIL, sets.with(at(state, MAIL), call)] as const;
        if (!ended) to(`call 10.${call} ends`, put(state, [ENDED, sets.with(at(state, ENDED), call)], mail));
        else if (at(state, AGAINS) > 0) to(`call 10.${call} ends a second time`, put(state, mail, less(state, AGAINS)), true);
      }
      for (const call of sets.of(at(state, MAIL))) {
        const taken = sets.of(at(state, TAKEN));
        const met = put(state, [MAIL, sets.without(at(state, MAIL), call)]);
        if (!takes(taken, call)) to(`the result of 10.${call} is not taken`, met);
        else {
          const twice = taken.includes(call) ? 1 : at(state, TWICE);
          to(`the result of 10.${call} is taken`, put(met, [TAKEN, sets.with(at(state, TAKEN), call)], [TWICE, twice]));
        }
      }
      if (at(state, CRASHES) > 0)
        to(
          'the process crashes and recovers',
          put(state, [MAIL, sets.empty], [ENDED, at(state, TAKEN)], less(state, CRASHES)),
          true,
        );
    },
    broken: (state) => (at(state, TWICE) === 1 ? 'a result was taken twice' : undefined),
    settled: (state) => sets.of(at(state, TAKEN)).length === 2,
  };
}

export interface GoneOptions {
  readonly name: string;
  readonly variant?: 'nobody-records';
}

/** m1 is on its way to an actor that is deleted and that nobody creates again. */
export function gone({ name, variant }: GoneOptions): Model {
  const [THERE, TAKEN, DEAD, NET, HEARD] = [0, 1, 2, 3, 4] as const;
  return {
    name,
    init: [1, 0, 0, 0, 0],
    steps(state, to) {
      if (isSent(at(state, HEARD)) && at(state, NET) === 0) to('a sends m1 to b', put(state, [NET, 1]));
      if (at(state, THERE) === 1) to('b is deleted, its tombstone stays', put(state, [THERE, 0]), true);
      if (at(state, NET) === 0) return;
      to('the network loses m1', put(state, [NET, 0]), true);
      const recorded = at(state, TAKEN) + at(state, DEAD);
      if (isKnown(recorded)) to('m1 is acknowledged again', put(state, [NET, 0], [HEARD, 1]));
      else if (at(state, THERE) === 1) to('b takes m1', put(state, [NET, 0], [TAKEN, 1], [HEARD, 1]));
      else if (variant === undefined) to("the shard's owner records m1 as dead", put(state, [NET, 0], [DEAD, 1], [HEARD, 1]));
      else to('nobody is there', put(state, [NET, 0]));
    },
    broken: (state) => (at(state, TAKEN) + at(state, DEAD) > 1 ? 'm1 was taken and is dead' : undefined),
    settled: (state) => at(state, HEARD) === 1,
  };
}

export interface PoisonOptions {
  readonly name: string;
  /** The event answers an effect: a tool's result. */
  readonly hasVia?: boolean;
  readonly chartChild?: boolean;
  readonly crashes: number;
  readonly variant?: 'counted-in-memory' | 'dead-letter-alone';
}

/** m1 makes every step fail. What is recorded counts: a crash between two failures forgives none. */
export function poison({ name, hasVia = false, chartChild = false, crashes, variant }: PoisonOptions): Model {
  const ENDS = ['none', 'dead', 'park', 'end'] as const;
  /** Failures that are durable, and known to the cell; what is stepped ahead: a failure, an end. */
  const [FAILED, KNOWN, AHEAD, AHEAD_END, END, CRASHES] = [0, 1, 2, 3, 4, 5] as const;
  return {
    name,
    init: [0, 0, 0, 0, 0, crashes],
    steps(state, to) {
      if (at(state, END) === 0 && at(state, AHEAD) === 0) {
        const attempt = at(state, KNOWN) + 1;
        const verdict = afterFailure({ attempt, hasVia, chartChild });
        const end = verdict === 'retry' ? 0 : ENDS.indexOf(verdict);
        to(`step ${attempt} fails: ${verdict}`, put(state, [KNOWN, attempt], [AHEAD, 1], [AHEAD_END, end]));
      }
      if (at(state, AHEAD) === 1) {
        const failed = variant === 'dead-letter-alone' && at(state, AHEAD_END) > 0 ? 0 : 1;
        to(
          'that is durable',
          put(state, [FAILED, at(state, FAILED) + failed], [AHEAD, 0], [END, at(state, AHEAD_END)], [AHEAD_END, 0]),
        );
      }
      if (at(state, CRASHES) === 0) return;
      const known = variant === 'counted-in-memory' ? 0 : at(state, FAILED);
      to('the process crashes and recovers', put(state, [KNOWN, known], [AHEAD, 0], [AHEAD_END, 0], less(state, CRASHES)), true);
    },
    broken(state) {
      const max = chartChild ? 1 : ATTEMPTS_MAX;
      if (at(state, FAILED) > max) return `it failed ${at(state, FAILED)} times`;
      const end = ENDS[at(state, END)];
      if (end === 'dead' && hasVia) return 'a result that is waited for became a dead letter';
      return end !== 'none' && at(state, FAILED) < max ? `given up after ${at(state, FAILED)} failures` : undefined;
    },
    settled: (state) => at(state, END) > 0,
  };
}
