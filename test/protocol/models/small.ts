/** The small ones: a pool's route, results of leaves (D1), mail for an actor that is gone (D30), a poison message (D9), a client outside (D13). */
import { effectId } from '../../../core/address.ts';
import { advance, type Cursors, cursorKey, receive } from '../../../core/protocol/cursors.ts';
import { afterFailure, ATTEMPTS_MAX } from '../../../core/protocol/failure.ts';
import { addSend, afterOf, emptyOutbox, heard, pendingSends } from '../../../core/protocol/outbox.ts';
import {
  acceptOutside,
  decodeOutside,
  encodeOutside,
  OUTSIDE_MS,
  recordOutside,
  recordReply,
} from '../../../core/protocol/outside.ts';
import { at, less, type Model, put, Sets, type State, type To, Values } from '../explore.ts';

const HORIZON = 1;
/** What a receiver that has taken up to `position` does with the first message of its sender. */
const meets = (position: number): 'known' | 'take' => {
  const cursors: Cursors = new Map();
  if (position > 0) advance(cursors, 'a', 'user', position, 0);
  const arrival = { position: 1, after: -1, ts: 0, expired: false, void: false };
  return receive(cursors.get(cursorKey('a', 'user')), arrival, 0, HORIZON).kind === 'known' ? 'known' : 'take';
};
/** A sender of one message that has heard the ack, or not: what it still sends. */
const unheard = (isHeard: number): number => {
  const outbox = emptyOutbox();
  addSend(outbox, { id: effectId('a', 1, 0), position: 1, to: 'b', lane: 'user', event: { type: 'm' }, ts: 0 });
  if (isHeard === 1) heard(outbox, 'b', 'user', 1);
  return [...pendingSends(outbox)].filter((send) => afterOf(send) === -1).length;
};

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
      if (unheard(at(state, HEARD)) > 0 && at(state, NET) === 0) to('a sends m1 to the pool', put(state, [NET, 1]));
      if (at(state, NET) === 1) {
        to('the network loses m1', put(state, [NET, 0]), true);
        if (meets(at(state, LOG) === NONE ? 0 : 1) === 'known') to('the pool acks m1 again', put(state, [NET, 0], [ACK, 1]));
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
      const forwards = at(state, LOG) !== NONE && unheard(at(state, MEMBER_HEARD)) > 0;
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
      if (unheard(at(state, HEARD)) > 0 && at(state, NET) === 0) to('a sends m1 to b', put(state, [NET, 1]));
      if (at(state, THERE) === 1) to('b is deleted, its tombstone stays', put(state, [THERE, 0]), true);
      if (at(state, NET) === 0) return;
      to('the network loses m1', put(state, [NET, 0]), true);
      const recorded = at(state, TAKEN) + at(state, DEAD);
      if (meets(recorded) === 'known') to('m1 is acknowledged again', put(state, [NET, 0], [HEARD, 1]));
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

export interface ClientOptions {
  readonly name: string;
  readonly crashes: number;
  readonly variant?: 'not-remembered' | 'remembered-in-memory' | 'reply-before-durable' | 'last-reply-counts';
}
interface Asked {
  /** The window as durable records tell it, and with the records ahead. */
  readonly durable: unknown;
  readonly window: unknown;
  /** Records, and how many of them are durable. */
  readonly log: readonly ('take' | 'reply')[];
  readonly flushed: number;
  /** Replies ever made, those that a crash took included: each is another one. */
  readonly made: number;
}

/** A client asks under its own id until it hears a reply, and maybe once more. The actor may reply twice. */
export function client({ name, crashes, variant }: ClientOptions): Model {
  const ID = 'client-id';
  const REPLIES_MAX = 2;
  const NEVER = 0;
  const actors = new Values<Asked>();
  const sets = new Sets();
  const [ACTOR, REQUEST, REPLIES, HEARD, WRONG, CRASHES, LOSSES] = [0, 1, 2, 3, 4, 5, 6] as const;

  const replyOf = (n: number) => ({ type: 'reply', n });
  const numberOf = (reply: unknown): number => (reply as { readonly n: number }).n;
  const records = (a: Asked, window: unknown, kind: 'take' | 'reply'): Asked => ({ ...a, window, log: [...a.log, kind] });
  const leaving = (state: State, n: number): readonly [number, number] => [REPLIES, sets.with(at(state, REPLIES), n)];

  function asked(state: State, to: To, a: Asked): void {
    const outside = decodeOutside(a.window);
    const verdict = acceptOutside(variant === 'not-remembered' ? undefined : outside, ID, OUTSIDE_MS);
    const met = put(state, [REQUEST, 0]);
    if (verdict === 'take') {
      recordOutside(outside, ID, OUTSIDE_MS, a.log.length + 1);
      to('the request is taken', put(met, [ACTOR, actors.id(records(a, encodeOutside(outside), 'take'))]));
    } else if (verdict !== 'busy' && verdict.reply !== undefined && a.flushed === a.log.length)
      to('the request is known: the reply leaves', put(met, leaving(state, numberOf(verdict.reply))));
    else to('the request is known', met);
  }
  function replies(state: State, to: To, a: Asked): void {
    const outside = decodeOutside(a.window);
    const made = a.made + 1;
    const counts = numberOf(recordReply(outside, ID, replyOf(made)));
    const window = variant === 'last-reply-counts' ? [[ID, OUTSIDE_MS, 1, replyOf(made)]] : encodeOutside(outside);
    const next = put(state, [ACTOR, actors.id({ ...records(a, window, 'reply'), made })]);
    to(`the actor replies with ${made}`, variant === 'reply-before-durable' ? put(next, leaving(state, counts)) : next);
  }
  /** The reply that leaves with the records that become durable; 0: none. */
  const answer = (a: Asked): number => {
    const entry = decodeOutside(a.window).ids.get(ID);
    return a.log.slice(a.flushed).includes('reply') && entry?.reply !== undefined ? numberOf(entry.reply) : NEVER;
  };

  return {
    name,
    init: [actors.id({ durable: [], window: [], log: [], flushed: 0, made: 0 }), 0, sets.empty, NEVER, 0, crashes, 2],
    steps(state, to) {
      const a = actors.at(at(state, ACTOR));
      if (at(state, REQUEST) === 0) to('the client asks', put(state, [REQUEST, 1]));
      else asked(state, to, a);
      const made = a.log.filter((kind) => kind === 'reply').length;
      if (a.log.includes('take') && made < REPLIES_MAX) replies(state, to, a);
      if (a.flushed < a.log.length) {
        const durable = variant === 'remembered-in-memory' ? [] : a.window;
        const flushed = put(state, [ACTOR, actors.id({ ...a, durable, flushed: a.log.length })]);
        to('what was recorded is durable', answer(a) === NEVER ? flushed : put(flushed, leaving(state, answer(a))));
      }
      for (const n of sets.of(at(state, REPLIES))) {
        const rest = [REPLIES, sets.without(at(state, REPLIES), n)] as const;
        const differs = at(state, HEARD) !== NEVER && at(state, HEARD) !== n;
        to(`the client hears reply ${n}`, put(state, rest, [HEARD, n], [WRONG, differs ? 1 : at(state, WRONG)]));
        if (at(state, LOSSES) > 0) to(`reply ${n} is lost`, put(state, rest, less(state, LOSSES)), true);
      }
      if (at(state, CRASHES) === 0) return;
      const back: Asked = { ...a, window: a.durable, log: a.log.slice(0, a.flushed) };
      to('the process crashes and recovers', put(state, [ACTOR, actors.id(back)], less(state, CRASHES)), true);
    },
    broken(state) {
      if (at(state, WRONG) === 1) return 'the client heard two replies';
      const { log, flushed } = actors.at(at(state, ACTOR));
      return log.slice(0, flushed).filter((kind) => kind === 'take').length > 1 ? 'the request was taken twice' : undefined;
    },
    settled: (state) => at(state, HEARD) !== NEVER,
  };
}
