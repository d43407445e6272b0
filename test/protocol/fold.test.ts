/** How the fold uses the protocol, where the explorer found it wanting. */
import { expect, test } from 'vitest';
import { OUTSIDE } from '../../core/address.ts';
import { applyRecord, type Folded, unborn, type Work } from '../../core/fold.ts';
import type { Step } from '../../core/logic.ts';
import { emptyOutbox, pendingSends } from '../../core/protocol/outbox.ts';
import type { InitData, LogRecord } from '../../core/record.ts';
import { reducer } from '../../core/reducer.ts';

const logic = reducer({
  id: 'counter',
  version: '1',
  init: () => ({ state: 0, effects: [] }),
  step: (n: number) => ({ state: n + 1, effects: [] }),
});
const init: InitData = {
  logic: 'counter',
  input: null,
  parent: { address: 'p', child: 'kid', via: 'p!1.0', sync: true },
};

/** Begins, then takes one event. */
function twoSteps(work: Work[] | undefined): Folded {
  const actor = unborn('p/kid@1.0', logic, { init });
  const meta = { ts: 0, seed: 0 };
  const common = { v: 1 as const, epoch: 1, digest: '', effectsDigest: '', meta };
  const first: LogRecord = { ...common, seq: 1, kind: 'init', init };
  applyRecord(actor, first, logic.init(actor.env, null, meta, '1'), work);
  const event = { type: 'up' };
  const second: LogRecord = { ...common, seq: 2, kind: 'event', event };
  applyRecord(actor, second, logic.step(actor.env, actor.snapshot, event, meta, '2'), work);
  return actor;
}
const pending = (actor: Folded): string[] => Array.from(pendingSends(actor.tables.outbox ?? emptyOutbox()), (send) => send.id);

// A child's snapshot takes the place of the one before it, and not before it is durable itself.
test('live, the earlier snapshot stays in the outbox until the later one is durable, and then does not leave any more', () => {
  const work: Work[] = [];
  expect(pending(twoSteps(work))).toEqual(['p/kid@1.0!1.0', 'p/kid@1.0!2.0']);
  expect(work.map((w) => (w.kind === 'send' ? w.send.id : w))).toEqual([
    { kind: 'replaced', id: 'p/kid@1.0!1.0' },
    'p/kid@1.0!1.0',
    'p/kid@1.0!2.0',
  ]);
});

test('in recovery, what is folded is durable: the later one alone is pending', () => {
  expect(pending(twoSteps(undefined))).toEqual(['p/kid@1.0!2.0']);
});

test('an actor that replies twice to a client has given the first reply', () => {
  const actor = unborn('a', logic, { init: { logic: 'counter', input: null } });
  const meta = { ts: 0, seed: 0, id: 'c1', from: OUTSIDE };
  const reply = (n: number): Step => ({
    snapshot: undefined,
    effects: [{ kind: 'send', to: { kind: 'address', address: `${OUTSIDE}!c1` }, event: { type: 'reply', n } }],
  });
  const common = { v: 1 as const, epoch: 1, digest: '', effectsDigest: '' };
  const work: Work[] = [];
  applyRecord(actor, { ...common, seq: 1, kind: 'event', event: { type: 'ask' }, meta }, reply(1), work);
  applyRecord(actor, { ...common, seq: 2, kind: 'event', event: { type: 'x' }, meta: { ts: 0, seed: 0 } }, reply(2), work);
  const first = { kind: 'reply', id: 'c1', event: { type: 'reply', n: 1 } };
  expect(work).toEqual([first, first]);
});
