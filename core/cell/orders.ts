/**
 * What a cell does with the orders of supervisors and of parents: begin a life, go on after a failure, stop, park. DELIVERY §6: an order
 * that the actor has outlived is answered with its present run. Orders of anybody else are dead letters.
 */
import { type Address, OUTSIDE, ROOT } from '../address.ts';
import type { Cell } from '../cell.ts';
import type { CellHost } from './host.ts';
import type { EventObject } from '../effect.ts';
import type { Envelope } from '../envelope.ts';
import { type ErrorData, errorData, MeshError } from '../errors.ts';
import { type Folded, stampOf, stopsOf, unborn } from '../fold.ts';
import { seal } from '../fold/seal.ts';
import type { Logic } from '../logic.ts';
import { NOBODY, nobody } from '../recovery.ts';
import { STRIKES_MAX, THREE_STRIKES } from '../protocol/failure.ts';
import type { InitData, MarkedSend, RecordMeta } from '../record.ts';
import { supervisorOf } from '../supervisor.ts';
import { AGAIN, REST } from '../supervision/restarts.ts';
import { SUPERVISION_EVENTS } from '../supervision/supervision.ts';
import { isFailing } from '../tables.ts';

interface StartOrder {
  readonly run?: string;
  readonly logic: string;
  readonly input?: unknown;
  readonly marks?: true;
  readonly parent?: InitData['parent'];
  readonly system?: InitData['system'];
  readonly mode?: 'fresh' | 'history';
}

/** What a child tells its supervisor: each about itself alone. */
const REPORTS: ReadonlySet<string> = new Set([
  'reprise.started',
  'reprise.ready',
  'reprise.failed',
  'reprise.stopped',
  'reprise.taken',
]);

/** What an actor is told by those above it; and what supervisors and pools tell themselves, which comes from nobody. */
const ORDERS: ReadonlySet<string> = new Set([...SUPERVISION_EVENTS, AGAIN, REST, 'reprise.start', 'reprise.park']);

/** Those from outside are of the node itself: its door lets no reserved type in. */
function isEntitled(cell: Cell, e: Envelope): boolean {
  const { from, event } = e;
  if (from === OUTSIDE || !event.type.startsWith('reprise.')) return true;
  if (REPORTS.has(event.type)) return event['child'] === from;
  if (!ORDERS.has(event.type)) return true;
  // Also the parent of a child of a chart, which is where it stands.
  if (from === supervisorOf(cell.address)) return true;
  const { supervisor, parent } = cell.actor.tables.init;
  // Nobody's yet: the first that starts it is its supervisor. Charts have no lane but `user`.
  if (supervisor === undefined && parent === undefined) return e.lane === 'system';
  return from === supervisor?.address || from === parent?.address;
}

/** True: it was an order, or a report of somebody else than it says, and is dealt with. */
export function obey(cell: Cell, host: CellHost, e: Envelope): boolean {
  if (!isEntitled(cell, e)) {
    const why = `EVENT_REJECTED: ${cell.address} does not take '${e.event.type}' from ${e.from}`;
    cell.dead(e, 'rejected', why);
    return true;
  }
  switch (e.event.type) {
    case 'reprise.start':
      if (e.event['keyed'] !== true) start(cell, host, e);
      else {
        cell.mark(e);
        host.wakeBelow(cell.address);
      }
      return true;
    case 'reprise.park':
      parkOrder(cell, e);
      return true;
    case 'reprise.stop':
      if (e.event['keyed'] === true) {
        // To the address of a keyed kind. Taken at once: if it is not answered, whoever ordered it has a deadline.
        cell.mark(e);
        host.restBelow(cell.address, Number(e.event['deadlineMs'] ?? 0), stoppedReport(cell, e, 'stopped'));
        return true;
      }
      // Supervisors and pools stop those below them first. Nobody waits outside for an answer: whoever asks there hears that nobody is here.
      if (cell.actor.logic.controls === true && cell.actor.tables.status === 'active') return false;
      if (cell.actor.logic === NOBODY && e.from === OUTSIDE) return false;
      stop(cell, e);
      return true;
    default:
      return false;
  }
}

function start(cell: Cell, host: CellHost, e: Envelope): void {
  const t = cell.actor.tables;
  const order = e.event as unknown as StartOrder;
  const supervisor = order.run === undefined ? undefined : { address: e.from, run: order.run };
  const alive = cell.actor.logic !== NOBODY && t.status === 'active';
  if (alive && order.parent !== undefined) return void cell.mark(e);
  if (alive && order.mode !== 'fresh') {
    if (supervisor !== undefined && (cell.waits || t.parked !== undefined || isFailing(t))) {
      const wasParked = t.parked !== undefined;
      cell.record({ kind: 'activated', reason: 'restart', node: host.node, run: supervisor.run, meta: cell.metaOf(e) });
      cell.busy.failures.goOn();
      if (wasParked) cell.goOnWhenDurable();
      return;
    }
    const run = t.init.supervisor?.run;
    if (run === undefined) return void cell.mark(e);
    const event = { type: 'reprise.started', run, child: cell.address };
    return void cell.mark(e, [{ to: e.from, event, lane: 'system' }]);
  }
  // One keyed actor is ordered without an input: it keeps that of its first message. A child of a chart may have none.
  const given = order.input !== undefined || order.parent !== undefined;
  const input = given ? order.input : t.init.logic === '' ? null : t.init.input;
  const init: InitData = {
    logic: order.logic,
    input,
    ...(order.marks === true && { marks: true }),
    ...(order.parent !== undefined && { parent: order.parent }),
    ...(order.system !== undefined && { system: order.system }),
    ...(supervisor !== undefined && { supervisor }),
  };
  if (!alive && t.strikes >= STRIKES_MAX && cell.address !== ROOT) return doNotBegin(cell, init, e);
  begin(cell, host, init, cell.metaOf(e));
}

/** Its process has died each time that it began. Its supervisor hears that it waits for a person; a chart, that it has failed. */
function doNotBegin(cell: Cell, init: InitData, e: Envelope): void {
  const error = { name: 'Parked', message: THREE_STRIKES };
  const fate = init.parent === undefined ? { parked: THREE_STRIKES } : { ends: true as const };
  cell.record({ kind: 'failed', init, error, attempt: 0, meta: cell.metaOf(e), ...fate });
}

/** A new life above the old head. Leaves that ran are in doubt. One that cannot begin has ended with that error. */
export function begin(cell: Cell, host: CellHost, init: InitData, meta: RecordMeta): void {
  letGo(cell);
  const full = { ...meta, ...cell.plainMeta() };
  const error = tryToBegin(cell, host, init, full);
  if (error === undefined) return;
  cell.actor = nobody(cell.address, cell.actor.tables);
  cell.record({ kind: 'failed', init, error, attempt: 1, ends: true, meta: full });
}

function letGo(cell: Cell): void {
  const { tables } = cell.actor;
  for (const leaf of [...(tables.leaves?.values() ?? [])]) {
    if (leaf.ask !== undefined) continue;
    cell.record({
      kind: 'dead',
      cause: 'in_doubt',
      event: { type: 'reprise.leaf', src: leaf.src, input: leaf.input },
      meta: { ...cell.plainMeta(), via: leaf.id },
    });
    cell.busy.performer.stopLeaf(leaf.id);
  }
  const stops = stopsOf(tables);
  if (stops.length > 0) cell.mark(undefined, stops);
}

/** Why it cannot; undefined: it has begun. */
function tryToBegin(cell: Cell, host: CellHost, init: InitData, meta: RecordMeta): ErrorData | undefined {
  const { tables } = cell.actor;
  let logic: Logic;
  try {
    logic = host.plan.logicOf(init.logic, cell.address);
  } catch (error) {
    return errorData(error);
  }
  const actor: Folded = { ...unborn(cell.address, logic, { init }), tables };
  const step = logic.init(actor.env, init.input, meta, String(tables.head + 1));
  const sealed = seal(actor, step);
  if (sealed.failed !== undefined) {
    host.news.threw(cell.address, step.thrown);
    return sealed.failed;
  }
  cell.actor = actor;
  cell.record({ kind: 'init', init, meta, ...sealed, logic: stampOf(logic) }, step);
  cell.busy.failures.goOn();
  return undefined;
}

function stop(cell: Cell, e: Envelope): void {
  const { status } = cell.actor.tables;
  // `keep`: it is started again with its history, so it goes on.
  if (status !== 'active') return answerStop(cell, e, status === 'error' ? 'failed' : status);
  if (e.event['keep'] === true) return answerStop(cell, e, 'stopped');
  cell.busy.failures.goOn();
  cell.step({ type: 'xstate.stop' }, cell.metaOf(e), { envelope: e });
}

function answerStop(cell: Cell, e: Envelope, outcome: string): void {
  cell.mark(e, [stoppedReport(cell, e, outcome)]);
}

const stoppedReport = (cell: Cell, e: Envelope, outcome: string): MarkedSend => ({
  to: e.from,
  event: { type: 'reprise.stopped', run: e.event['run'], child: cell.address, outcome },
  lane: 'system',
});

function parkOrder(cell: Cell, e: Envelope): void {
  const { failing } = cell.actor.tables;
  const reason = typeof e.event['reason'] === 'string' ? e.event['reason'] : 'by its supervisor';
  cell.mark(e);
  cell.record({
    kind: 'failed',
    action: failing?.id ?? e.id,
    error: failing?.error ?? { name: 'Parked', message: reason },
    attempt: 0,
    meta: cell.plainMeta(),
    parked: reason,
  });
  cell.busy.failures.parked(reason);
}

/** A keyed actor is created by its first message: `init`, then the message. False: messages do not create this address. Throws EVENT_REJECTED. */
export function born(cell: Cell, host: CellHost, address: Address, event: EventObject): boolean {
  const birth = host.plan.birth(address, event);
  if (birth === undefined) return false;
  letGo(cell);
  const failure = tryToBegin(cell, host, birth, cell.plainMeta());
  if (failure === undefined) return true;
  throw new MeshError('EVENT_REJECTED', `${address} could not begin: ${failure.message}`);
}
