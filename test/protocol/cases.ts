/** What is explored: configurations that must hold, and variants broken on purpose that must be caught, each with the length of its shortest trace. */
import type { Lane } from '../../core/effect.ts';
import type { Model } from './explore.ts';
import { checkpoints } from './models/checkpoints.ts';
import { client } from './models/client.ts';
import { horizon } from './models/horizon.ts';
import { type Message, messages, type MessagesOptions } from './models/messages.ts';
import { ownership } from './models/ownership.ts';
import { pool } from './models/pool.ts';
import { sessions } from './models/sessions.ts';
import { gone, leaves, poison } from './models/small.ts';
import { wake } from './models/wake.ts';

export interface Case {
  readonly name: string;
  /** In CI; else only in `npm run test:long`. */
  readonly ci: boolean;
  /** It holds, and this many states are the least: a model that has lost its way holds as well. */
  readonly states?: number;
  /** A variant: what is found, and in how many steps. */
  readonly caught?: { readonly what: RegExp; readonly steps: number };
  readonly make: (name: string) => Model;
}

const cases: Case[] = [];
const holds = (name: string, states: number, make: Case['make']): number => cases.push({ name, ci: true, states, make });
const holdsLong = (name: string, states: number, make: Case['make']): number => cases.push({ name, ci: false, states, make });
const caught = (name: string, what: RegExp, steps: number, make: Case['make']): number =>
  cases.push({ name, ci: true, caught: { what, steps }, make });

const STUCK = /^stuck/;
const TWICE = /taken twice/;
const SWALLOWED = /swallowed/;
const LOST = /neither taken nor dead/;
const REPEATED = /completed call is made again/;
const UNCAUSED = /before its cause is durable/;

// ---- messages ----------------------------------------------------------------------------------------------------------------

const user = (of: string, more: Partial<Message> = {}): Message => ({ of, lane: 'user', ...more });
const system = (of: string): Message => ({ of, lane: 'system' satisfies Lane });
type Scope = Omit<MessagesOptions, 'name'>;
const LANES: Scope = { scripts: [[user('m1'), system('s1'), user('m2')]], senderCrashes: 1, receiverCrashes: 1, net: 2 };
const TWO: Scope = { scripts: [[user('m1'), user('m2')], [user('n1')]], senderCrashes: 1, receiverCrashes: 1, net: 2 };
const ENDS: Scope = {
  scripts: [[user('m0', { may: 'expire' }), user('m1', { may: 'void' })]],
  receiverCrashes: 1,
  ends: 1,
  agains: 2,
  net: 2,
};
const REPLACED: Scope = {
  scripts: [[user('m1'), user('s2'), user('m3'), user('s4', { replaces: 's2' })]],
  senderCrashes: 1,
  net: 2,
};
const AHEAD: Scope = { ...REPLACED, stepsAhead: true };

holds('messages: two lanes, crashes', 48_000, (name) => messages({ ...LANES, name }));
holds('messages: two senders, crashes', 34_000, (name) => messages({ ...TWO, name }));
holds('messages: deadline or void, sent again', 28_000, (name) => messages({ ...ENDS, name }));
holds('messages: one replaces another, sender ahead of its log', 86_000, (name) => messages({ ...AHEAD, name }));
holdsLong('messages: two lanes, three on their way', 62_000, (name) => messages({ ...LANES, net: 3, name }));
holdsLong('messages: four in one lane', 140_000, (name) =>
  messages({ scripts: [[user('m1'), user('m2'), user('m3'), user('m4')]], senderCrashes: 1, receiverCrashes: 1, net: 2, name }),
);
holdsLong('messages: two senders, two lanes', 1_200_000, (name) =>
  messages({
    scripts: [
      [user('m1'), system('s1')],
      [user('n1'), user('n2')],
    ],
    receiverCrashes: 1,
    net: 2,
    name,
  }),
);
holdsLong('messages: two senders, two lanes, all crash', 3_100_000, (name) =>
  messages({
    scripts: [[user('m1'), system('s1'), user('m2')], [user('n1')]],
    senderCrashes: 1,
    receiverCrashes: 1,
    net: 2,
    name,
  }),
);
holdsLong('messages: three, deadline or void, sent again', 850_000, (name) =>
  messages({ ...ENDS, scripts: [[...(ENDS.scripts[0] ?? []), user('m2')]], name }),
);
holdsLong('messages: one replaces another, all crash', 170_000, (name) => messages({ ...AHEAD, receiverCrashes: 1, name }));
caught('ack before append', LOST, 4, (name) => messages({ ...LANES, variant: 'ack-before-append', name }));
caught('no after', SWALLOWED, 6, (name) => messages({ ...LANES, variant: 'no-after', name }));
caught('one cursor for both lanes', LOST, 6, (name) => messages({ ...LANES, variant: 'one-cursor', name }));
caught('PubAck counts as acknowledgement', LOST, 2, (name) => messages({ ...LANES, variant: 'pub-ack', name }));
caught('sender gives up silently at the deadline', LOST, 2, (name) => messages({ ...ENDS, variant: 'silent-deadline', name }));
caught('a void overtakes its after', SWALLOWED, 6, (name) => messages({ ...ENDS, variant: 'void-skips-after', name }));
caught('an ack of a voided send means dead', TWICE, 10, (name) => messages({ ...ENDS, variant: 'again-from-ack', name }));
caught('a dead letter may be sent again twice', TWICE, 12, (name) => messages({ ...ENDS, variant: 'again-twice', name }));
caught('what was replaced is forgotten by its successor', SWALLOWED, 7, (name) =>
  messages({ ...REPLACED, variant: 'replaced-is-forgotten', name }),
);
caught('replaced before that is durable', SWALLOWED, 11, (name) =>
  messages({ ...AHEAD, variant: 'replaced-before-durable', name }),
);

// ---- what wakes a sender -------------------------------------------------------------------------------------------------------

const WAKE = { crashes: 2, lapses: 2 };
holds('wake: passivation, crashes, sessions that run out', 3_400, (name) => wake({ ...WAKE, name }));
caught('what was due and could not be sent is due no more', STUCK, 4, (name) =>
  wake({ ...WAKE, variant: 'due-is-forgotten', name }),
);
caught('checkpoint before a send has left', STUCK, 4, (name) => wake({ ...WAKE, variant: 'checkpoint-before-it-left', name }));
caught('checkpoint that wakes nobody', STUCK, 3, (name) => wake({ ...WAKE, variant: 'checkpoint-without-wake', name }));

// ---- horizon -------------------------------------------------------------------------------------------------------------------

holds('horizon: cursors that are dropped', 38_000, (name) => horizon({ name }));
holds('horizon: two lives', 68_000, (name) => horizon({ lives: 1, ticks: 3, name }));
holdsLong('horizon: two lives, floor', 200_000, (name) => horizon({ lives: 1, name }));
holdsLong('horizon: two lives, crash', 440_000, (name) => horizon({ lives: 1, crashes: 1, name }));
holdsLong('horizon: given up, sent again', 790_000, (name) => horizon({ ticks: 3, agains: 1, voids: 1, name }));
caught('seq starts again at re-creation', LOST, 4, (name) => horizon({ lives: 1, variant: 'seq-restarts', name }));
caught('tombstone goes, floor not raised', LOST, 13, (name) => horizon({ lives: 1, variant: 'floor-not-raised', name }));
caught('cursor dropped too early', TWICE, 6, (name) => horizon({ variant: 'cursor-early', name }));
caught('ts renewed at each re-send', TWICE, 9, (name) => horizon({ variant: 'ts-renewed', name }));
caught('no age check', TWICE, 8, (name) => horizon({ variant: 'no-age-check', name }));
caught('age counts only without a cursor', TWICE, 12, (name) => horizon({ variant: 'age-only-without-cursor', name }));
caught('an old message does not wait for its after', SWALLOWED, 6, (name) => horizon({ variant: 'old-does-not-wait', name }));
caught('a life ends with its outbox forgotten', LOST, 2, (name) => horizon({ lives: 1, variant: 'outbox-forgotten', name }));
caught('what is too old may be sent again', TWICE, 11, (name) =>
  horizon({ sends: 1, agains: 1, variant: 'old-may-be-sent-again', name }),
);
caught('void is tested before age', TWICE, 13, (name) =>
  horizon({ sends: 1, agains: 1, voids: 1, variant: 'void-before-age', name }),
);

// ---- sessions ------------------------------------------------------------------------------------------------------------------

const SESSION = { upsets: 1, losses: 2, crashes: 1 };
const ENDED = /its holder acts/;
holds('sessions: renewals late or lost, clocks upset', 16_000, (name) => sessions({ ...SESSION, name }));
caught('the deadline counts from the answer', ENDED, 7, (name) => sessions({ ...SESSION, variant: 'counts-from-answer', name }));
caught('the holder goes by its monotonic clock alone', ENDED, 7, (name) =>
  sessions({ ...SESSION, variant: 'monotonic-only', name }),
);
caught('the holder goes by its wall clock alone', ENDED, 10, (name) => sessions({ ...SESSION, variant: 'wall-only', name }));
caught('the holder acts until it is told', ENDED, 7, (name) => sessions({ ...SESSION, variant: 'no-deadline', name }));
caught('a session is ended whatever its counter', ENDED, 7, (name) =>
  sessions({ ...SESSION, variant: 'end-without-counter', name }),
);
caught('a session that was ended is renewed', ENDED, 7, (name) => sessions({ ...SESSION, variant: 'ended-is-renewed', name }));
caught('the observer goes by its wall clock', ENDED, 7, (name) => sessions({ ...SESSION, variant: 'observer-by-wall', name }));

// ---- ownership -----------------------------------------------------------------------------------------------------------------

const FENCE = { claimFence: true };
const NO_FENCE = { claimFence: false };
const ALL = { crashes: 1, ends: 1, lost: 1 };
const D7 = { ends: 1, lost: 2, copies: 1, gate: 'outcome' } as const;
const SAVED = { crashes: 1, checkpoints: 1 };

for (const [store, fence] of [
  ['claimFence', FENCE],
  ['no claimFence', NO_FENCE],
] as const) {
  holds(`ownership: a copied append, ${store}`, 46_000, (name) => ownership({ ...fence, ends: 1, lost: 1, copies: 1, name }));
  holds(`ownership: checkpoint with a pending call, ${store}`, 3_000, (name) => ownership({ ...fence, ...SAVED, name }));
  holdsLong(`ownership: D7, ${store}`, 43_000, (name) => ownership({ ...fence, ...D7, name }));
  holdsLong(`ownership: checkpoint with a pending call, freeze, ${store}`, 180_000, (name) =>
    ownership({ ...fence, ...SAVED, ends: 1, name }),
  );
}
holds('ownership: crash, freeze, loss, claimFence', 140_000, (name) => ownership({ ...FENCE, ...ALL, name }));
holdsLong('ownership: crash, freeze, loss, no claimFence', 140_000, (name) => ownership({ ...NO_FENCE, ...ALL, name }));
holds('ownership: a cell breaks down, others in its batches', 15_000, (name) =>
  ownership({ ...FENCE, breaks: 1, others: 3, name }),
);
holds('ownership: drain', 12_000, (name) => ownership({ ...FENCE, releases: 1, lost: 1, crashes: 1, name }));
holds('ownership: the directory forgets its claims', 40_000, (name) =>
  ownership({ ...NO_FENCE, forgets: 1, ends: 1, crashes: 1, name }),
);
holdsLong('ownership: a cell breaks down, copies, crash', 100_000, (name) =>
  ownership({ ...FENCE, breaks: 1, lost: 1, copies: 1, crashes: 1, name }),
);
holdsLong('ownership: crash, freeze, loss, copy', 900_000, (name) => ownership({ ...FENCE, ...ALL, copies: 1, name }));
holdsLong('ownership: crash, freeze, loss, checkpoint', 870_000, (name) => ownership({ ...FENCE, ...ALL, checkpoints: 1, name }));
holdsLong('ownership: crash, two freezes', 530_000, (name) => ownership({ ...FENCE, crashes: 1, ends: 2, name }));
caught('no fence: appends without the epoch check', /stale epoch was accepted/, 10, (name) =>
  ownership({ ...NO_FENCE, ...ALL, variant: 'append-unfenced', name }),
);
caught('no activated first, and no claimFence', REPEATED, 15, (name) =>
  ownership({ ...NO_FENCE, ...ALL, variant: 'no-activated', name }),
);
caught('an identical record always counts as success', REPEATED, 17, (name) =>
  ownership({ ...FENCE, ...D7, variant: 'identical-is-done', name }),
);
caught('a durable prefix counts as all of it', /acknowledged, not durable/, 8, (name) =>
  ownership({ ...FENCE, ...ALL, variant: 'prefix-is-done', name }),
);
caught('effect before append', UNCAUSED, 5, (name) => ownership({ ...FENCE, ...ALL, variant: 'effect-before-append', name }));
caught('effects without ownership check', REPEATED, 17, (name) => ownership({ ...FENCE, ...ALL, gate: 'none', name }));
caught('a new session revives the cells of the old one', REPEATED, 18, (name) =>
  ownership({ ...FENCE, ...ALL, variant: 'session-revives', name }),
);
caught('a cell dropped with an open append opens plainly', REPEATED, 13, (name) =>
  ownership({ ...FENCE, breaks: 1, lost: 1, ends: 1, variant: 'reopens-plainly', name }),
);
caught('checkpoint at the head, a pending leaf is not dirty', STUCK, 11, (name) =>
  ownership({ ...FENCE, ...SAVED, variant: 'leaf-not-dirty', name }),
);
caught('a claim ignores the epochs in its streams', STUCK, 10, (name) =>
  ownership({ ...NO_FENCE, forgets: 1, ends: 1, crashes: 1, variant: 'claim-ignores-streams', name }),
);

// ---- checkpoints ---------------------------------------------------------------------------------------------------------------

const DELETED = { ...FENCE, records: 3, saves: 2, deletes: 1 };
holds('checkpoints: saves and truncations on their way, claimFence', 34_000, (name) => checkpoints({ ...FENCE, name }));
holds('checkpoints: the same, no claimFence', 34_000, (name) => checkpoints({ ...NO_FENCE, name }));
holds('checkpoints: the tombstone is the checkpoint of its head', 5_800, (name) => checkpoints({ ...DELETED, name }));
holdsLong('checkpoints: five records, four saves', 300_000, (name) => checkpoints({ ...FENCE, records: 5, saves: 4, name }));
caught('unfenced checkpoint: no epoch and no seq check', /goes back/, 7, (name) =>
  checkpoints({ ...FENCE, variant: 'unfenced', name }),
);
caught('checkpoint without seq check', /goes back/, 7, (name) => checkpoints({ ...FENCE, variant: 'no-seq-check', name }));
caught('checkpoint of records that are not durable', /recovery spells/, 3, (name) =>
  checkpoints({ ...FENCE, variant: 'not-durable', name }),
);
caught('truncation before the save is answered', /are lost/, 3, (name) =>
  checkpoints({ ...FENCE, variant: 'truncated-before-saved', name }),
);
caught('tombstone beside the checkpoint', /are lost/, 6, (name) =>
  checkpoints({ ...DELETED, variant: 'tombstone-beside', name }),
);

// ---- small ones ----------------------------------------------------------------------------------------------------------------

holds('pool', 420, (name) => pool({ name }));
caught('route of a pool chosen again', /two members/, 6, (name) => pool({ variant: 'chosen-again', name }));
caught('choice of a pool not recorded', /two members/, 7, (name) => pool({ variant: 'choice-not-recorded', name }));
holds('results of leaves', 47, (name) => leaves({ name }));
caught('results of leaves through the cursor', STUCK, 2, (name) => leaves({ variant: 'through-cursor', name }));
caught('results of leaves without the via check', TWICE, 4, (name) => leaves({ variant: 'no-via-check', name }));
holds('a receiver that is gone', 7, (name) => gone({ name }));
caught('nobody records mail for a tombstone', STUCK, 1, (name) => gone({ variant: 'nobody-records', name }));
holds('poison message', 35, (name) => poison({ crashes: 4, name }));
holds('poison result', 35, (name) => poison({ crashes: 4, hasVia: true, name }));
holds("poison in a chart's child", 15, (name) => poison({ crashes: 4, chartChild: true, name }));
caught('failures are counted in memory', /failed 4 times/, 9, (name) =>
  poison({ crashes: 4, variant: 'counted-in-memory', name }),
);
holds('client outside', 1_000, (name) => client({ crashes: 2, name }));
caught('ids from outside are not remembered', TWICE, 5, (name) => client({ crashes: 2, variant: 'not-remembered', name }));
caught('ids from outside are remembered in memory only', TWICE, 7, (name) =>
  client({ crashes: 2, variant: 'remembered-in-memory', name }),
);
caught('reply before it is durable', /two replies/, 8, (name) => client({ crashes: 2, variant: 'reply-before-durable', name }));
caught('the last reply counts', /two replies/, 8, (name) => client({ crashes: 2, variant: 'last-reply-counts', name }));

export const CASES: readonly Case[] = cases;
