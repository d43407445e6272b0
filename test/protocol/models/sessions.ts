/**
 * DELIVERY §2, sessions: one holder, one observer, the directory between them; renewals and their answers take any time or are lost,
 * machines are suspended, wall clocks jump. Driven by `core/protocol/ownership.ts`. Time is in ticks, and only what has elapsed is kept.
 */
import { type Holder, mayAct, newHolder, observe, type Observed, renewed } from '../../../core/protocol/ownership.ts';
import { at, less, memo, type Model, put, type State, type To, Values } from '../explore.ts';

export interface SessionsOptions {
  readonly name: string;
  /** How often the holder's machine is suspended, or its wall clock (the observer's too) jumps. */
  readonly upsets?: number;
  /** How many requests and answers are lost. */
  readonly losses?: number;
  readonly crashes?: number;
  readonly variant?:
    | 'counts-from-answer'
    | 'monotonic-only'
    | 'wall-only'
    | 'end-without-counter'
    | 'ended-is-renewed'
    | 'observer-by-wall'
    | 'no-deadline';
}

/** Elapsed since an instant, by the holder's two clocks. */
interface Elapsed {
  readonly monotonic: number;
  readonly wall: number;
}
interface HolderState {
  /** It took another session, or is dead: it acts no more under this one. */
  readonly gone: boolean;
  /** Since its last renewal began; null: none has succeeded. */
  readonly since: Elapsed | null;
  /** A renewal: on its way, or answered. */
  readonly renewal: { readonly began: Elapsed; readonly answer: 'none' | 'renewed' | 'ended' } | null;
}
interface ObserverState {
  /** The counter that it saw last is the directory's, or an older one. */
  readonly seen: 'none' | 'same' | 'older';
  readonly since: number;
  /** It asks that the session be ended at this counter. */
  readonly ending: 'none' | 'same' | 'older';
}

const TTL = 3;
const MARGIN = 1;
/** Elapsed times beyond do not differ. */
const LONG = TTL + 1;
const JUMP = 2;
const OWN = 'observer';
const SESSION = 'holder';

const [HOLDER, OBSERVER, ALIVE, UPSETS, LOSSES, CRASHES] = [0, 1, 2, 3, 4, 5] as const;

export function sessions(o: SessionsOptions): Model {
  const v = o.variant;
  const holders = new Values<HolderState>();
  const observers = new Values<ObserverState>();

  // ---- the holder ------------------------------------------------------------------------------------------------------------

  const moved = (e: Elapsed, monotonic: number, wall: number): Elapsed => ({
    monotonic: Math.min(LONG, e.monotonic + monotonic),
    wall: Math.max(-LONG, Math.min(LONG, e.wall + wall)),
  });
  const timePasses = (id: number, monotonic: number, wall: number): number => {
    const h = holders.at(id);
    return holders.id({
      ...h,
      since: h.since && moved(h.since, monotonic, wall),
      renewal: h.renewal && { ...h.renewal, began: moved(h.renewal.began, monotonic, wall) },
    });
  };
  /** May it act? Its clocks stand at what has elapsed since the renewal. */
  const acts = memo((id) => {
    const { gone, since } = holders.at(id);
    if (gone || since === null) return false;
    if (v === 'no-deadline') return true;
    const holder: Holder = newHolder(TTL, MARGIN);
    renewed(holder, { monotonic: 0, wall: 0 });
    const { monotonic, wall } = since;
    return mayAct(holder, v === 'wall-only' ? wall : monotonic, v === 'monotonic-only' ? monotonic : wall);
  });
  const begins = memo((id) => holders.id({ ...holders.at(id), renewal: { began: { monotonic: 0, wall: 0 }, answer: 'none' } }));
  const hears = memo((id) => {
    const h = holders.at(id);
    if (h.renewal?.answer !== 'renewed') return holders.id({ gone: true, since: null, renewal: null });
    const holder = newHolder(TTL, MARGIN);
    renewed(holder, v === 'counts-from-answer' ? { monotonic: 0, wall: 0 } : negative(h.renewal.began));
    const { monotonic, wall } = holder.renewedAt as Elapsed;
    return holders.id({ ...h, since: { monotonic: -monotonic, wall: -wall }, renewal: null });
  });
  const answered = memo((id, isRenewed) => {
    const h = holders.at(id);
    return holders.id({ ...h, renewal: h.renewal && { ...h.renewal, answer: isRenewed === 1 ? 'renewed' : 'ended' } });
  });
  const loses = memo((id) => holders.id({ ...holders.at(id), renewal: null }));

  // ---- the observer ----------------------------------------------------------------------------------------------------------

  const looks = memo((id, alive) => {
    const s = observers.at(id);
    const observed: Observed = new Map();
    if (s.seen !== 'none') observed.set(SESSION, { counter: s.seen === 'same' ? 1 : 0, since: 0 });
    const session = { node: SESSION, session: SESSION, counter: 1, endpoint: '', groups: [] };
    const ended = observe(observed, alive === 1 ? [session] : [], OWN, s.since, TTL);
    const now = observed.get(SESSION);
    return observers.id({
      seen: now === undefined ? 'none' : 'same',
      since: now === undefined ? 0 : s.since - now.since,
      ending: ended.length > 0 ? 'same' : s.ending,
    });
  });
  const waits = memo((id, ticks) => {
    const s = observers.at(id);
    return observers.id({ ...s, since: s.seen === 'none' ? 0 : Math.min(LONG, s.since + ticks) });
  });
  /** The directory's counter moved: what it saw is older now. */
  const outdated = memo((id) => {
    const older = (x: 'none' | 'same' | 'older') => (x === 'same' ? 'older' : x);
    const s = observers.at(id);
    return observers.id({ ...s, seen: older(s.seen), ending: older(s.ending) });
  });
  const asked = memo((id) => observers.id({ ...observers.at(id), ending: 'none' }));

  // ---- steps -----------------------------------------------------------------------------------------------------------------

  function directorySteps(state: State, to: To): void {
    const { renewal } = holders.at(at(state, HOLDER));
    const observer = at(state, OBSERVER);
    if (renewal?.answer === 'none') {
      const ok = at(state, ALIVE) === 1 || v === 'ended-is-renewed';
      const answer = [HOLDER, answered(at(state, HOLDER), ok ? 1 : 0)] as const;
      if (ok) to('the directory renews the session', put(state, answer, [OBSERVER, outdated(observer)]));
      else to('the directory does not renew it', put(state, answer));
    }
    const { ending } = observers.at(observer);
    if (ending === 'none') return;
    const ends = ending === 'same' || v === 'end-without-counter';
    if (ends) to('the directory ends the session', put(state, [OBSERVER, asked(observer)], [ALIVE, 0]));
    else to('the directory does not end it: its counter has moved', put(state, [OBSERVER, asked(observer)]));
  }

  function faults(state: State, to: To): void {
    const holder = at(state, HOLDER);
    const { gone, renewal } = holders.at(holder);
    if (at(state, LOSSES) > 0 && renewal !== null)
      to('the renewal or its answer is lost', put(state, [HOLDER, loses(holder)], less(state, LOSSES)), true);
    if (at(state, CRASHES) > 0 && !gone) {
      const dead = holders.id({ gone: true, since: null, renewal: null });
      to('the holder dies', put(state, [HOLDER, dead], less(state, CRASHES)), true);
    }
    if (at(state, UPSETS) === 0) return;
    const fewer = less(state, UPSETS);
    const slept = put(state, [HOLDER, timePasses(holder, 0, TTL)], [OBSERVER, waits(at(state, OBSERVER), TTL)], fewer);
    to("the holder's machine is suspended for a TTL", slept, true);
    to("the holder's wall clock jumps back", put(state, [HOLDER, timePasses(holder, 0, -JUMP)], fewer), true);
    to("the holder's wall clock jumps forward", put(state, [HOLDER, timePasses(holder, 0, JUMP)], fewer), true);
    if (v === 'observer-by-wall')
      to("the observer's wall clock jumps forward", put(state, [OBSERVER, waits(at(state, OBSERVER), TTL)], fewer), true);
  }

  return {
    name: o.name,
    init: [
      holders.id({ gone: false, since: null, renewal: null }),
      observers.id({ seen: 'none', since: 0, ending: 'none' }),
      1,
      ...[o.upsets, o.losses, o.crashes].map((n) => n ?? 0),
    ],
    steps(state, to) {
      const holder = at(state, HOLDER);
      const { gone, renewal } = holders.at(holder);
      if (!gone && renewal === null) to('the holder begins a renewal', put(state, [HOLDER, begins(holder)]));
      if (renewal !== null && renewal.answer !== 'none')
        to(`the holder hears '${renewal.answer}'`, put(state, [HOLDER, hears(holder)]));
      to('the observer looks', put(state, [OBSERVER, looks(at(state, OBSERVER), at(state, ALIVE))]));
      to('a tick passes', put(state, [HOLDER, timePasses(holder, 1, 1)], [OBSERVER, waits(at(state, OBSERVER), 1)]));
      directorySteps(state, to);
      faults(state, to);
    },
    broken: (state) =>
      at(state, ALIVE) === 0 && acts(at(state, HOLDER)) ? 'the session has been ended, and its holder acts' : undefined,
    /** The holder acts, or another may take its shards. */
    settled: (state) => at(state, ALIVE) === 0 || acts(at(state, HOLDER)),
  };
}

const negative = ({ monotonic, wall }: Elapsed): Elapsed => ({ monotonic: -monotonic, wall: -wall });
