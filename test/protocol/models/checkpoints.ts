/**
 * DELIVERY §5 and D14: checkpoints and truncation on their way, a zombie that saves, a tombstone. What the stream's letters spell is the
 * state of the actor, so recovery must spell all that ever became durable.
 */
import { claimEpoch } from '../../../core/protocol/ownership.ts';
import { at, less, memo, type Model, put, Sets, type State, type To, Values } from '../explore.ts';
import { aboveOf, append, emptyStore, headOf, save, type Saved, type Store, truncate } from '../store.ts';

export interface CheckpointsOptions {
  readonly name: string;
  readonly claimFence: boolean;
  /** @default 4 */
  readonly records?: number;
  /** @default 3 */
  readonly saves?: number;
  /** How often b is deleted: its tombstone keeps the tables. */
  readonly deletes?: number;
  readonly variant?:
    | 'unfenced'
    | 'no-epoch-check'
    | 'no-seq-check'
    | 'not-durable'
    | 'truncated-before-saved'
    | 'tombstone-beside';
}
interface Owner {
  /** 0: it has not claimed the shard. */
  readonly epoch: number;
  /** What it knows to be durable, and what it spells. */
  readonly seq: number;
  readonly spells: string;
  /** Stepped, on its way to the store. */
  readonly ahead: string;
}

const LETTERS = 'abcdefgh';
const NAMES = ['N1', 'N2'] as const;
const STORE = 0;
/** All that ever became durable: a ghost. */
const WHOLE = 1;
const SAVES = 2;
const TRUNCATIONS = 3;
const NEXT = 4;
/** Seq of the highest checkpoint ever saved: a ghost. */
const HIGHEST = 5;
const SAVES_LEFT = 6;
const DELETES = 7;
/** A tombstone that lies beside the checkpoint; 0: none. */
const BESIDE = 8;
const OWNERS = 9;

export function checkpoints(o: CheckpointsOptions): Model {
  const v = o.variant;
  const last = o.records ?? 4;
  const stores = new Values<Store>();
  const owners = new Values<Owner>();
  const texts = new Values<string>();
  const saves = new Values<Saved>();
  const besides = new Values<Saved | null>();
  const sets = new Sets();

  const recovered = memo((store, beside) => {
    const s = stores.at(store);
    const from = s.saved ?? besides.at(beside);
    const above = aboveOf(s, from?.seq ?? 0);
    return (from?.bytes ?? '') + above.map((r) => r.is).join('');
  });
  const appended = memo((store, owner) => {
    const { epoch, seq, ahead } = owners.at(owner);
    const next = append(stores.at(store), seq, epoch, [{ is: ahead, epoch }]);
    return next && stores.id(next);
  });
  /** Which of the store's checks a variant leaves out. */
  const unchecked = { epoch: v === 'unfenced' || v === 'no-epoch-check', seq: v === 'unfenced' || v === 'no-seq-check' };
  const saved = memo((store, saving) => {
    const s = stores.at(store);
    const what = saves.at(saving);
    const checked = {
      ...s,
      ...(unchecked.epoch && { claimFence: false, epoch: 0 }),
      ...(unchecked.seq && { saved: null }),
      // A store that believes what it is told of its head.
      ...(v === 'not-durable' && { base: what.seq }),
    };
    return save(checked, what) && stores.id({ ...s, saved: what, epoch: Math.max(s.epoch, what.epoch) });
  });
  const truncated = memo((store, seq) => {
    const s = stores.at(store);
    const ends =
      v === 'truncated-before-saved' ? { ...s, records: aboveOf(s, seq), base: Math.max(s.base, seq) } : truncate(s, seq);
    return ends && stores.id(ends);
  });

  function ownerSteps(state: State, to: To, i: number): void {
    const me = owners.at(at(state, OWNERS + i));
    if (me.epoch === 0) return claims(state, to, i);
    const letter = LETTERS[at(state, NEXT)] ?? '';
    if (me.ahead === '' && at(state, NEXT) < last) {
      const ahead = owners.id({ ...me, ahead: letter });
      to(`${NAMES[i]} steps ahead with ${letter}`, put(state, [OWNERS + i, ahead], [NEXT, at(state, NEXT) + 1]));
    }
    if (me.ahead !== '') appends(state, to, i, me);
    if (at(state, SAVES_LEFT) > 0) asks(state, to, NAMES[i], me);
    if (at(state, DELETES) > 0 && me.ahead === '' && at(state, SAVES) !== sets.empty) deletes(state, to, NAMES[i], me);
  }

  /** `activated` is the first append of its epoch. */
  function claims(state: State, to: To, i: number): void {
    const store = stores.at(at(state, STORE));
    const epoch = claimEpoch(store.claim, o.claimFence ? 0 : store.epoch);
    const claimed = append({ ...store, claim: epoch }, headOf(store), epoch, [{ is: '*', epoch }]) as Store;
    const spells = `${recovered(at(state, STORE), at(state, BESIDE))}*`;
    const owner = owners.id({ epoch, seq: headOf(claimed), spells, ahead: '' });
    const whole = texts.id(`${texts.at(at(state, WHOLE))}*`);
    const next = put(state, [STORE, stores.id(claimed)], [OWNERS + i, owner], [WHOLE, whole]);
    to(`${NAMES[i]} claims epoch ${epoch}, folds, is activated`, next);
  }

  function appends(state: State, to: To, i: number, me: Owner): void {
    const next = appended(at(state, STORE), at(state, OWNERS + i));
    const what = `${NAMES[i]} appends ${me.ahead} at ${me.seq + 1}`;
    if (next === undefined) {
      to(`${what}: refused`, put(state, [OWNERS + i, owners.id({ ...me, ahead: '' })]));
      return;
    }
    const owner = owners.id({ ...me, spells: me.spells + me.ahead, seq: me.seq + 1, ahead: '' });
    const whole = texts.id(texts.at(at(state, WHOLE)) + me.ahead);
    to(`${what}: done`, put(state, [STORE, next], [OWNERS + i, owner], [WHOLE, whole]));
  }

  /** By its owner, at rest. */
  function deletes(state: State, to: To, who: string | undefined, me: Owner): void {
    const store = stores.at(at(state, STORE));
    if (me.epoch !== store.claim || me.seq !== headOf(store)) return;
    const tomb: Saved = { seq: me.seq, epoch: me.epoch, leaf: false, bytes: me.spells };
    const isBeside = v === 'tombstone-beside';
    const gone = stores.id({ ...store, records: [], base: me.seq, saved: isBeside ? null : tomb });
    const beside = [BESIDE, isBeside ? besides.id(tomb) : at(state, BESIDE)] as const;
    const highest = [HIGHEST, isBeside ? 0 : Math.max(at(state, HIGHEST), me.seq)] as const;
    to(`${who} deletes b: a tombstone at ${me.seq}`, put(state, [STORE, gone], beside, highest, less(state, DELETES)), true);
  }

  function asks(state: State, to: To, who: string | undefined, me: Owner): void {
    const early = v === 'not-durable' ? me.ahead : '';
    const seq = me.seq + early.length;
    const saving = saves.id({ seq, epoch: me.epoch, leaf: false, bytes: me.spells + early });
    const filled = sets.with(at(state, SAVES), saving);
    if (seq === 0 || filled === at(state, SAVES)) return;
    const cut = v === 'truncated-before-saved' ? sets.with(at(state, TRUNCATIONS), seq) : at(state, TRUNCATIONS);
    to(`${who} asks for a checkpoint at ${seq}`, put(state, [SAVES, filled], [TRUNCATIONS, cut], less(state, SAVES_LEFT)));
  }

  function storeSteps(state: State, to: To): void {
    for (const saving of sets.of(at(state, SAVES))) {
      const { seq, epoch } = saves.at(saving);
      const gone = [SAVES, sets.without(at(state, SAVES), saving)] as const;
      const next = saved(at(state, STORE), saving);
      const what = `the checkpoint at ${seq} of epoch ${epoch}`;
      if (next === undefined) to(`${what} is refused`, put(state, gone));
      else {
        const highest = [HIGHEST, Math.max(at(state, HIGHEST), seq)] as const;
        const cut = v === 'truncated-before-saved' ? at(state, TRUNCATIONS) : sets.with(at(state, TRUNCATIONS), seq);
        to(`${what} is saved`, put(state, gone, [STORE, next], highest, [TRUNCATIONS, cut]));
        to(`${what} is saved, the answer is lost`, put(state, gone, [STORE, next], highest), true);
      }
      to(`${what} is lost`, put(state, gone), true);
    }
    for (const seq of sets.of(at(state, TRUNCATIONS))) {
      const gone = [TRUNCATIONS, sets.without(at(state, TRUNCATIONS), seq)] as const;
      to(`records up to ${seq} go`, put(state, gone, [STORE, truncated(at(state, STORE), seq) ?? at(state, STORE)]));
    }
  }

  return {
    name: o.name,
    init: [
      stores.id({ ...emptyStore(o.claimFence), claim: 1 }),
      texts.id(''),
      sets.empty,
      sets.empty,
      0,
      0,
      o.saves ?? 3,
      o.deletes ?? 0,
      besides.id(null),
      owners.id({ epoch: 1, seq: 0, spells: '', ahead: '' }),
      owners.id({ epoch: 0, seq: 0, spells: '', ahead: '' }),
    ],
    steps(state, to) {
      ownerSteps(state, to, 0);
      ownerSteps(state, to, 1);
      storeSteps(state, to);
    },
    broken(state) {
      const { saved: kept, base } = stores.at(at(state, STORE));
      const covered = kept?.seq ?? besides.at(at(state, BESIDE))?.seq ?? 0;
      if (covered < at(state, HIGHEST)) return `the checkpoint goes back from ${at(state, HIGHEST)} to ${covered}`;
      if (base > covered) return `records ${covered + 1} to ${base} are lost: truncated, and in no checkpoint`;
      const spelt = recovered(at(state, STORE), at(state, BESIDE));
      const whole = texts.at(at(state, WHOLE));
      return spelt === whole ? undefined : `recovery spells '${spelt}', durable is '${whole}'`;
    },
    settled: (state) =>
      at(state, NEXT) === last &&
      at(state, SAVES) === sets.empty &&
      at(state, TRUNCATIONS) === sets.empty &&
      [0, 1].every((i) => owners.at(at(state, OWNERS + i)).ahead === ''),
  };
}
