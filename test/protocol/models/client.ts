/** A client outside that asks until it hears a reply (D13), around `core/protocol/outside.ts`. */
import {
  acceptOutside,
  decodeOutside,
  encodeOutside,
  OUTSIDE_MS,
  recordOutside,
  recordReply,
} from '../../../core/protocol/outside.ts';
import { at, less, type Model, put, Sets, type State, type To, Values } from '../explore.ts';

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
