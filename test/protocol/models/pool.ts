/** A pool's route (D8): the member that it chose is recorded, and a message that comes again is never routed anew. */
import { at, less, type Model, put, Sets } from '../explore.ts';
import { isKnown, isSent } from './one-message.ts';

export interface PoolOptions {
  readonly name: string;
  readonly variant?: 'chosen-again' | 'choice-not-recorded';
}

/** a sends m1 to a pool, which records the member that it chose and forwards under its own id. */
export function pool({ name, variant }: PoolOptions): Model {
  /** Nobody has taken m1; else 0, 1: the member; 2: taken, and the member is not recorded. */
  const NONE = 3;
  const [HEARD, NET, ACK, LOG, MEMORY, FORWARDS, MEMBER_ACK, MEMBER_HEARD, TAKES, CRASHES] = [
    0, 1, 2, 3, 4, 5, 6, 7, 8, 9,
  ] as const;
  const sets = new Sets();
  return {
    name,
    init: [0, 0, 0, NONE, NONE, sets.empty, 0, 0, sets.empty, 2],
    steps(state, to) {
      if (isSent(at(state, HEARD)) && at(state, NET) === 0) to('a sends m1 to the pool', put(state, [NET, 1]));
      if (at(state, NET) === 1) {
        to('the network loses m1', put(state, [NET, 0]), true);
        if (isKnown(at(state, LOG) === NONE ? 0 : 1)) to('the pool acks m1 again', put(state, [NET, 0], [ACK, 1]));
        else
          for (const member of [0, 1]) {
            const kept = variant === 'choice-not-recorded' ? 2 : member;
            to(`the pool takes m1, chooses member ${member}`, put(state, [NET, 0], [LOG, kept], [MEMORY, member], [ACK, 1]));
          }
      }
      if (at(state, ACK) === 1) {
        to('a hears the ack', put(state, [ACK, 0], [HEARD, 1]));
        to('the network loses the ack', put(state, [ACK, 0]), true);
      }
      const forwards = at(state, LOG) !== NONE && isSent(at(state, MEMBER_HEARD));
      const choices = variant === 'chosen-again' || at(state, MEMORY) === 2 ? [0, 1] : [at(state, MEMORY)];
      for (const member of forwards ? choices : []) {
        const filled = sets.with(at(state, FORWARDS), member);
        if (filled !== at(state, FORWARDS))
          to(`the pool forwards m1 to member ${member}`, put(state, [FORWARDS, filled], [MEMORY, member]));
      }
      for (const member of sets.of(at(state, FORWARDS))) {
        const gone = [FORWARDS, sets.without(at(state, FORWARDS), member)] as const;
        const taken = put(state, [TAKES, sets.with(at(state, TAKES), member)], [MEMBER_ACK, 1]);
        to(`member ${member} meets m1`, put(taken, gone));
        to(`member ${member} meets m1; a copy stays on its way`, taken, true);
        to(`the network loses m1 to member ${member}`, put(state, gone), true);
      }
      if (at(state, MEMBER_ACK) === 1) {
        to("the pool hears the member's ack", put(state, [MEMBER_ACK, 0], [MEMBER_HEARD, 1]));
        to("the network loses the member's ack", put(state, [MEMBER_ACK, 0]), true);
      }
      if (at(state, CRASHES) === 0) return;
      to('the pool crashes and recovers', put(state, [MEMORY, at(state, LOG)], [MEMBER_HEARD, 0], less(state, CRASHES)), true);
      to('a crashes and recovers', put(state, [HEARD, 0], less(state, CRASHES)), true);
    },
    broken: (state) => (sets.of(at(state, TAKES)).length > 1 ? 'two members took m1' : undefined),
    settled: (state) => at(state, HEARD) === 1 && at(state, MEMBER_HEARD) === 1 && sets.of(at(state, TAKES)).length === 1,
  };
}
