/**
 * What one supervisor decides: a pure state machine in plain JSON. `supervise(state, event, ctx)` gives the next state and the
 * effects: orders to children, timers, its own end. Knows no log and no clock; `core/supervisor.ts` and `core/pool.ts` run it.
 *
 *   report or order -> [of another operation than the one under way: queue] -> decide -> operation: stop in reverse,
 *   wait, start in order -> the next of the queue
 *
 * Semantics: DELIVERY §6, otherwise OTP's supervisor. docs/supervision.md says both for users.
 */
import type { Effect, EventObject } from '../effect.ts';
import type { ChildSpecInput, SupervisorConfig } from './child-spec.ts';
import { add, configure, startByHand, stopAll, stopByHand } from './orders.ts';
import { AGAIN, backoffOver, exit, forgetTries, note, REST, startFailed, startRest, tryAgain } from './restarts.ts';
import type { Child, SupervisionState } from './state.ts';
import { isKeyedSpec, Turn, type TurnContext } from './turn.ts';

export { checkBudgetSpendable } from './restart-budget.ts';
export { defaultFlags } from './child-spec.ts';
export { type ChildView, describe, emptySupervision, type SupervisionState, type SupervisionView } from './state.ts';

/** What may wait for the end of an operation. Beyond it reports of keyed actors, the only ones without number, are dropped: they act alone after a while. */
const QUEUE_MAX = 10_000;

/** Types that a supervisor understands; a pool routes all others. */
export const SUPERVISION_EVENTS: ReadonlySet<string> = new Set([
  'reprise.configure',
  'reprise.stop',
  'reprise.started',
  'reprise.ready',
  'reprise.failed',
  'reprise.stopped',
  'reprise.child.add',
  'reprise.child.remove',
  'reprise.child.stop',
  'reprise.child.start',
  'reprise.unpark',
  'reprise.backoff',
  'reprise.deadline',
  'reprise.late',
]);

/**
 * One event of `SUPERVISION_EVENTS`; others change nothing. `state` is left as it was.
 *
 * Throws: CONFIG_INVALID when a config names one child twice.
 */
export function supervise(
  state: SupervisionState,
  event: EventObject,
  ctx: TurnContext,
): { readonly state: SupervisionState; readonly effects: Effect[] } {
  if (state.phase === 'ended') return { state, effects: [] };
  const turn = new Turn(structuredClone(state), ctx);
  receive(turn, event);
  while (!turn.run()) {
    const next = turn.s.queue.shift();
    if (next === undefined) break;
    decide(turn, next);
  }
  return { state: turn.s, effects: turn.effects };
}

// ---- in ----------------------------------------------------------------------------------------------------------------

function receive(turn: Turn, event: EventObject): void {
  switch (event.type) {
    case 'reprise.stop':
      return stopAll(turn, event);
    case 'reprise.deadline':
      return deadline(turn, event);
    case 'reprise.late':
      return late(turn, event);
    case 'reprise.started':
      return started(turn, event);
    case 'reprise.ready':
      return ready(turn, event);
    case 'reprise.failed':
    case 'reprise.stopped': {
      const child = turn.at(String(event['child']));
      if (child === undefined || !isOfRun(child, event)) return;
      if (parksItself(turn, child, event)) return parked(turn, child, event);
      if (isUnderOperation(turn, child)) return operationReport(turn, child, event);
      if (isKeyedSpec(child)) return;
      // Queues its next try where it arrives, behind what waits already.
      if (isStartFailure(child, event) && child.cause === 'restart') return startFailed(turn, child, event);
      return later(turn, event);
    }
    default:
      return later(turn, event);
  }
}

/** Behind what waits already. */
function later(turn: Turn, event: EventObject): void {
  if (turn.s.phase === 'stopping') return;
  const isKeyed =
    turn.s.instances[String(event['child'])] !== undefined &&
    (event.type === 'reprise.failed' || event.type === 'reprise.stopped');
  if (turn.s.queue.length >= QUEUE_MAX && isKeyed) return turn.log('supervisor.queue_full', event);
  turn.s.queue.push(event);
}

function decide(turn: Turn, event: EventObject): void {
  switch (event.type) {
    case 'reprise.configure':
      return configure(turn, event as unknown as SupervisorConfig);
    case 'reprise.failed':
      return failed(turn, event);
    case 'reprise.stopped':
      return stopped(turn, event);
    case 'reprise.backoff':
      return backoffOver(turn, String(event['child']));
    case AGAIN:
      return tryAgain(turn, event['keys'] as string[]);
    case REST:
      return startRest(turn, event['keys'] as string[]);
    case 'reprise.child.add':
      return add(turn, event['spec'] as ChildSpecInput);
    case 'reprise.child.remove':
      return stopByHand(turn, event, true);
    case 'reprise.child.stop':
      return stopByHand(turn, event, false);
    case 'reprise.child.start':
      return startByHand(turn, event, ['idle', 'parked']);
    case 'reprise.unpark':
      return startByHand(turn, event, ['parked']);
    default:
      return turn.log('supervisor.ignored', event);
  }
}

const isOfRun = (child: Child, event: EventObject): boolean =>
  child.run === event['run'] || (child.instance === true && child.run === undefined);

/** One that is done before it was heard to be up did start. */
const isStartFailure = (child: Child, event: EventObject): boolean =>
  child.status === 'starting' && (event.type === 'reprise.failed' || event['outcome'] !== 'done');

/** Is this child being stopped or started by the operation, or about to be stopped? */
function isUnderOperation(turn: Turn, child: Child): boolean {
  const op = turn.s.operation;
  return op !== null && (op.stop.includes(child.key) || (child.status === 'starting' && op.start[0] === child.key));
}

/** Not where it ends anyway: it is being stopped, and not to be restarted. The spec of keyed actors has no life of its own. */
function parksItself(turn: Turn, child: Child, event: EventObject): boolean {
  if (event['gaveUp'] !== true || isKeyedSpec(child)) return false;
  if (child.status === 'stopping' || child.status === 'idle' || child.status === 'parked') return false;
  const op = turn.s.operation;
  return op === null || !op.stop.includes(child.key) || (op.cause === 'restart' && op.start.includes(child.key));
}

// ---- reports -----------------------------------------------------------------------------------------------------------

/** Also from a child that has outlived the report that the order answers: it goes on in its present run. */
function started(turn: Turn, event: EventObject): void {
  const child = turn.known(String(event['child']));
  if (child === undefined) return;
  const run = event['run'] as string | undefined;
  if (child.run === run) {
    if (child.status === 'starting') turn.greet(child);
    else if (child.status === 'parked') turn.up(child);
    return;
  }
  const outlived = child.status === 'starting' && child.mode === 'history' && (child.prev === undefined || child.prev === run);
  if (!outlived || run === undefined) return;
  child.run = run;
  turn.up(child);
}

function ready(turn: Turn, event: EventObject): void {
  const child = turn.known(String(event['child']));
  if (child?.status === 'starting' && child.greeted === true) turn.up(child);
}

/** Whatever was decided for it would let it go on: it is taken out of that, and what waited for it comes up without it. */
function parked(turn: Turn, child: Child, event: EventObject): void {
  note(child, event);
  child.waits = true;
  turn.absorb([child.key]);
  forgetTries(turn, child.key);
  turn.leaveOperation(child);
  turn.park(child, 'it parked itself', true);
}

/** Of a child that the operation stops or starts: nothing is decided by it but the next step. */
function operationReport(turn: Turn, child: Child, event: EventObject): void {
  const op = turn.s.operation;
  if (op === null) return;
  const ended = event.type === 'reprise.stopped';
  if (child.status === 'stopping') {
    // One that fails while it is being stopped costs nothing; it still answers the stop.
    if (ended) turn.stopped(op, child);
  } else if (op.stop.includes(child.key)) {
    if (child.status !== 'running' && child.status !== 'starting') return;
    turn.turn(child, ended ? 'idle' : 'restarting');
    if (!ended) child.waits = true;
  } else if (isStartFailure(child, event)) startFailed(turn, child, event);
  else later(turn, event);
}

function failed(turn: Turn, event: EventObject): void {
  const child = turn.at(String(event['child']));
  if (child === undefined || !isOfRun(child, event)) return;
  if (isStartFailure(child, event)) return startFailed(turn, child, event);
  if (child.status !== 'running') return;
  const attempt = event['attempt'];
  const isRetry = typeof attempt === 'number' && attempt > 1 && (child.event === undefined || child.event === event['event']);
  note(child, event);
  child.waits = true;
  exit(turn, child, true, isRetry);
}

function stopped(turn: Turn, event: EventObject): void {
  const child = turn.at(String(event['child']));
  if (child === undefined || !isOfRun(child, event)) return;
  if (isStartFailure(child, event)) return startFailed(turn, child, event);
  if (child.status === 'parked') delete child.waits;
  if (child.status !== 'running' && child.status !== 'starting') return;
  if (child.status === 'starting') turn.up(child);
  note(child, event);
  exit(turn, child, event['outcome'] === 'killed' || event['outcome'] === 'failed', false);
}

// ---- timers of the operation -------------------------------------------------------------------------------------------

function deadline(turn: Turn, event: EventObject): void {
  const op = turn.s.operation;
  const child = op?.stop[0] === undefined ? undefined : turn.find(op.stop[0]);
  if (op === null || child?.status !== 'stopping' || child.run !== event['run']) return;
  turn.kill(child);
  turn.stopped(op, child);
}

/** The order stands; when the child starts later, or fails to, it is met then. */
function late(turn: Turn, event: EventObject): void {
  const op = turn.s.operation;
  const child = op?.start[0] === undefined ? undefined : turn.find(op.start[0]);
  if (child?.status !== 'starting' || child.run !== event['run']) return;
  turn.log('supervisor.start_late', { child: child.address });
  child.cause = 'restart';
  turn.started();
}
