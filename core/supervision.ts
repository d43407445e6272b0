/**
 * What one supervisor decides: a pure state machine in plain JSON. `supervise(state, event, ctx)` gives the next state and the
 * effects: orders to children, timers, its own end. Knows no log and no clock; `supervisor.ts` and `pool.ts` run it.
 *
 *   report or order -> [of another operation than the one under way: queue] -> decide -> operation: stop in reverse,
 *   wait, start in order -> the next of the queue
 *
 * Semantics: DELIVERY §6, otherwise OTP's supervisor. docs/supervision.md says both for users.
 */
import type { Effect, EventObject } from './effect.ts';
import { type ErrorData, MeshError } from './errors.ts';
import { type ChildSpec, type ChildSpecInput, childSpec, type SupervisorConfig, supervisorFlags } from './child-spec.ts';
import { addRestart, backoffMs, isSpent, quietMs } from './restart-budget.ts';
import { type Child, newChild, type SupervisionState } from './supervision-state.ts';
import { Turn, type TurnContext } from './supervision-turn.ts';

export { checkBudgetSpendable } from './restart-budget.ts';
export { defaultFlags } from './child-spec.ts';
export { type ChildView, describe, emptySupervision, type SupervisionState, type SupervisionView } from './supervision-state.ts';

/** Reports that may wait for the end of an operation. Beyond it they are dropped: the child acts alone after a while. */
const QUEUE_MAX = 10_000;

/** Types that a supervisor understands; a pool routes all others. */
export const SUPERVISION_EVENTS: ReadonlySet<string> = new Set([
  'reprise.configure', 'reprise.stop', 'reprise.started', 'reprise.ready', 'reprise.failed', 'reprise.stopped',
  'reprise.child.add', 'reprise.child.remove', 'reprise.child.stop', 'reprise.child.start', 'reprise.unpark',
  'reprise.backoff', 'reprise.deadline', 'reprise.late',
]);

/**
 * One event of `SUPERVISION_EVENTS`; others change nothing. `state` is left as it was.
 *
 * Throws: CONFIG_INVALID when a config names one child twice.
 */
export function supervise(state: SupervisionState, event: EventObject, ctx: TurnContext): { readonly state: SupervisionState; readonly effects: Effect[] } {
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
    case 'reprise.stop': return stopAll(turn, event);
    case 'reprise.deadline': return deadline(turn, event);
    case 'reprise.late': return late(turn, event);
    case 'reprise.started': return started(turn, event);
    case 'reprise.ready': return ready(turn, event);
    case 'reprise.failed':
    case 'reprise.stopped': {
      const child = turn.at(String(event['child']));
      if (child === undefined || !isOfRun(child, event)) return;
      if (isUnderOperation(turn, child)) return operationReport(turn, child, event);
      // The spec of keyed actors has no life of its own that could end.
      if (child.spec.kind === 'keyed' && child.instance !== true) return;
      // Queues its next try where it arrives, behind what waits already.
      if (isStartFailure(child, event) && child.cause === 'restart') return startFailed(turn, child, event);
      return later(turn, event);
    }
    default: return later(turn, event);
  }
}

/** Behind what waits already. */
function later(turn: Turn, event: EventObject): void {
  if (turn.s.phase === 'stopping') return;
  if (turn.s.queue.length < QUEUE_MAX) turn.s.queue.push(event);
  else turn.log('supervisor.queue_full', event);
}

function decide(turn: Turn, event: EventObject): void {
  switch (event.type) {
    case 'reprise.configure': return configure(turn, event as unknown as SupervisorConfig);
    case 'reprise.failed': return failed(turn, event);
    case 'reprise.stopped': return stopped(turn, event);
    case 'reprise.backoff': return backoffOver(turn, String(event['child']));
    case AGAIN: return tryAgain(turn, event['keys'] as string[]);
    case REST: return startRest(turn, event['keys'] as string[]);
    case 'reprise.child.add': return add(turn, event['spec'] as ChildSpecInput);
    case 'reprise.child.remove': return stopByHand(turn, event, true);
    case 'reprise.child.stop': return stopByHand(turn, event, false);
    case 'reprise.child.start': return startByHand(turn, event, ['idle', 'parked']);
    case 'reprise.unpark': return startByHand(turn, event, ['parked']);
    default: return turn.log('supervisor.ignored', event);
  }
}

const isOfRun = (child: Child, event: EventObject): boolean => child.run === event['run'] || (child.instance === true && child.run === undefined);

/** One that is done before it was heard to be up did start. */
const isStartFailure = (child: Child, event: EventObject): boolean => child.status === 'starting' && (event.type === 'reprise.failed' || event['outcome'] !== 'done');

/** Is this child being stopped or started by the operation, or about to be stopped? */
function isUnderOperation(turn: Turn, child: Child): boolean {
  const op = turn.s.operation;
  return op !== null && (op.stop.includes(child.key) || (child.status === 'starting' && op.start[0] === child.key));
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
  if (event['gaveUp'] === true) return turn.park(child, 'it parked itself', true);
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

function note(child: Child, event: EventObject): void {
  if (event['error'] !== undefined) child.error = event['error'] as ErrorData;
  if (typeof event['event'] === 'string') child.event = event['event'];
  else delete child.event;
}

/** The restart types. A temporary child is forgotten; it never counts. */
function exit(turn: Turn, child: Child, abnormal: boolean, isRetry: boolean): void {
  const { restart: type } = child.spec;
  if (type === 'temporary') return turn.forget(child);
  if (type === 'transient' && !abnormal) return turn.rest(child);
  if (child.upAt !== undefined && turn.ctx.ts - child.upAt >= quietMs(turn.s.flags, backoffOf(turn, child))) child.row = 0;
  child.mode = child.waits === true ? 'history' : 'fresh';
  restart(turn, child, isRetry, []);
}

// ---- restarts ----------------------------------------------------------------------------------------------------------

/** Queued by `startFailed` and `forgetTries`; never sent. */
const AGAIN = 'reprise.again';
const REST = 'reprise.rest';

const backoffOf = (turn: Turn, child: Child): ReturnType<typeof supervisorFlags>['backoff'] => ({ ...turn.s.flags.backoff, ...child.spec.backoff });

/** `rest`: siblings that are down because a group restart stopped at this child. */
function restart(turn: Turn, origin: Child, isFree: boolean, rest: readonly string[]): void {
  const { s, ctx } = turn;
  turn.turn(origin, 'restarting');
  delete origin.upAt;
  if (!isFree) {
    s.restarts = addRestart(s.restarts, ctx.ts, s.flags.periodMs);
    if (isSpent(s.restarts, s.flags)) return spent(turn, origin, rest);
  }
  origin.row++;
  const waitMs = backoffMs(backoffOf(turn, origin), origin.row, ctx.random());
  if (s.flags.strategy !== 'one_for_one') return restartGroup(turn, origin, waitMs);
  if (waitMs > 0) turn.wait(origin.key, [origin.key], waitMs);
  else turn.start(origin, 'restart', origin.mode ?? 'history');
}

function restartGroup(turn: Turn, origin: Child, waitMs: number): void {
  const group = groupOf(turn, origin);
  const keys = group.map((c) => c.key);
  const lasting = group.filter((c) => c === origin || c.spec.restart !== 'temporary').map((c) => c.key);
  turn.absorb(keys);
  turn.begin({ cause: 'restart', stop: keys.toReversed(), start: lasting, forget: keys.filter((k) => !lasting.includes(k)), waitMs });
}

/** In the order of specifications. A parked sibling stays parked. */
function groupOf(turn: Turn, origin: Child): Child[] {
  const { children, flags } = turn.s;
  const from = flags.strategy === 'one_for_all' ? 0 : children.findIndex((c) => c.spec.id === origin.spec.id);
  const group = children.slice(from).filter((c) => c === origin || c.status !== 'parked');
  if (origin.instance !== true || flags.strategy === 'one_for_all') return group;
  // One keyed actor: the others of its spec are no successors of it.
  return [origin, ...group.filter((c) => c.spec.id !== origin.spec.id)];
}

function spent(turn: Turn, origin: Child, rest: readonly string[]): void {
  const { flags, address } = turn.s;
  const reason = `${flags.intensity + 1} restarts within ${flags.periodMs} ms`;
  if (flags.whenSpent === 'park') {
    turn.s.restarts = [];
    turn.park(origin, reason);
    return startRest(turn, rest);
  }
  const last = origin.error === undefined ? '' : `: ${origin.error.message}`;
  giveUp(turn, { name: 'MeshError', code: 'SUPERVISOR_GAVE_UP', message: `${address} gave up: ${reason}, the last one of ${origin.address}${last}`, ...(origin.error !== undefined && { cause: origin.error }) });
}

/** Fails upward: the others are stopped in reverse, then the supervisor ends. */
function giveUp(turn: Turn, error: ErrorData): void {
  turn.effects.push({ kind: 'emit', event: { type: 'supervisor.gave_up', error } });
  endAll(turn, { status: 'error', error });
}

function startFailed(turn: Turn, child: Child, event: EventObject): void {
  const op = turn.s.operation;
  const isFirst = op !== null && op.start[0] === child.key;
  note(child, event);
  turn.turn(child, 'restarting');
  if (event.type === 'reprise.failed') child.waits = true;
  if (child.cause === 'boot') return bootFailed(turn, child);
  if (child.cause === 'restart') {
    // What came before it stays up or is stopped by the next try; exits that arrived meanwhile are decided first.
    child.again = true;
    turn.s.queue.push({ type: AGAIN, keys: isFirst ? op.start : [child.key] });
    if (isFirst) turn.s.operation = null;
    if (isFirst) turn.effects.push({ kind: 'cancel', timer: 'start' });
    return;
  }
  if (isFirst) turn.started();
  if (child.cause === 'add') turn.forget(child);
  else if (child.cause === 'hand') turn.rest(child);
  else turn.park(child, 'it did not start');
}

/** Not tried again: those that are up are stopped in reverse, and the failure goes up. */
function bootFailed(turn: Turn, child: Child): void {
  const reason = child.error?.message ?? 'it ended at once';
  giveUp(turn, { name: 'MeshError', code: 'SUPERVISOR_GAVE_UP', message: `${turn.s.address} could not start ${child.address}: ${reason}`, ...(child.error !== undefined && { cause: child.error }) });
}

/** Only if its first still waits for it: something else may have been decided for it. Those behind it come along: a group is not left half up. */
function tryAgain(turn: Turn, keys: readonly string[]): void {
  const origin = keys[0] === undefined ? undefined : turn.find(keys[0]);
  if (origin?.again !== true) return;
  restart(turn, origin, false, keys.slice(1));
}

/** Takes a child out of the tries that are queued. When it was the one to be tried, those behind it are started without it. */
function forgetTries(turn: Turn, key: string): void {
  turn.s.queue = turn.s.queue.map((e) => {
    const keys = e.type === AGAIN ? (e['keys'] as string[]) : [];
    return keys.includes(key) ? { type: keys[0] === key ? REST : AGAIN, keys: keys.filter((k) => k !== key) } : e;
  });
}

/** The rest of a group, which waits for nobody any more. */
function startRest(turn: Turn, keys: readonly string[]): void {
  const start = keys.filter((key) => turn.find(key)?.status === 'restarting');
  if (start.length > 0) turn.begin({ cause: 'restart', start });
}

function backoffOver(turn: Turn, origin: string): void {
  const keys = (turn.s.waits[origin] ?? []).filter((key) => turn.find(key)?.status === 'restarting');
  delete turn.s.waits[origin];
  if (turn.s.flags.strategy !== 'one_for_one') return turn.begin({ cause: 'restart', start: keys });
  for (const key of keys) {
    const child = turn.find(key);
    if (child !== undefined) turn.start(child, 'restart', child.mode ?? 'history');
  }
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

// ---- orders of people and of the config --------------------------------------------------------------------------------

function stopAll(turn: Turn, event: EventObject): void {
  if (event['deadlineMs'] === 0) return turn.killAll();
  if (turn.s.phase !== 'stopping') endAll(turn, { status: 'stopped' });
}

function endAll(turn: Turn, end: { readonly status: 'stopped' | 'error'; readonly error?: ErrorData }): void {
  const { s } = turn;
  const keys = s.children.map((c) => c.key).toReversed();
  // One that is being stopped already comes first: its deadline runs.
  const current = [...s.children, ...Object.values(s.instances)].find((c) => c.status === 'stopping');
  turn.absorb([...keys, ...Object.keys(s.instances)]);
  turn.effects.push({ kind: 'cancel', timer: 'start' });
  for (const child of Object.values(s.instances)) if (child !== current) turn.rest(child);
  s.queue = [];
  s.phase = 'stopping';
  turn.begin({ cause: 'hand', stop: current === undefined ? keys : [current.key, ...keys.filter((k) => k !== current.key)], end });
}

/** Of a child by id or address. Touches this one only, costs nothing, cancels a restart that waits, and forgets a temporary child. */
function stopByHand(turn: Turn, event: EventObject, remove: boolean): void {
  const name = String(event['child']);
  const child = turn.find(name) ?? turn.at(name);
  if (child === undefined) return turn.log('supervisor.no_such_child', event);
  const forget = remove || child.spec.restart === 'temporary';
  turn.absorb([child.key]);
  forgetTries(turn, child.key);
  turn.begin({ cause: 'hand', stop: [child.key], forget: forget ? [child.key] : [] });
}

function startByHand(turn: Turn, event: EventObject, from: readonly Child['status'][]): void {
  const name = String(event['child']);
  const child = turn.find(name) ?? turn.known(name);
  if (child === undefined) return turn.log('supervisor.no_such_child', event);
  if (!from.includes(child.status)) return turn.log('supervisor.ignored', event);
  child.row = 0;
  turn.begin({ cause: child.status === 'parked' ? 'unpark' : 'hand', start: [child.key] });
}

function add(turn: Turn, given: ChildSpecInput): void {
  const spec = childSpec(given);
  if (turn.find(spec.id) !== undefined) return turn.log('supervisor.already_present', { child: spec.id });
  turn.s.children.push({ ...newChild(spec, turn.ctx.ts), added: true });
  turn.begin({ cause: 'add', start: [spec.id] });
}

/** The first config boots; a later one stops what it no longer names, starts what is new, and leaves the rest running. */
function configure(turn: Turn, config: SupervisorConfig): void {
  const { s, ctx } = turn;
  const specs = config.children.map(childSpec);
  const twice = specs.find((spec, i) => specs.findIndex((other) => other.id === spec.id) !== i);
  if (twice !== undefined) throw new MeshError('CONFIG_INVALID', `${s.address} has two children '${twice.id}': give one of them another id`);
  s.flags = supervisorFlags(config.flags);
  const isBoot = s.phase === 'waiting';
  if (isBoot) s.phase = 'booting';
  const old = s.children;
  const gone = old.filter((c) => c.added !== true && !specs.some((spec) => spec.id === c.key));
  const plan = specs.map((spec) => renewed(turn, old.find((c) => c.key === spec.id), spec, ctx.ts));
  // Those that leave keep their place until they are stopped; added ones come last.
  s.children = [...plan.map((p) => p.child), ...old.filter((c) => !plan.some((p) => p.child === c))];
  for (const child of Object.values(s.instances)) child.spec = { ...(plan.find((p) => p.child.key === child.spec.id)?.child.spec ?? child.spec), input: null };
  const stop = [...gone, ...plan.filter((p) => p.change === 'replaced').map((p) => p.child)].map((c) => c.key);
  turn.absorb(stop);
  turn.begin({
    cause: isBoot ? 'boot' : 'configure', forget: gone.map((c) => c.key),
    stop: old.map((c) => c.key).filter((key) => stop.includes(key)).toReversed(), start: plan.filter((p) => p.change !== 'kept').map((p) => p.child.key),
  });
}

/** Another logic, kind or address is another actor: the old one is stopped first. An edit of a parked child lets it go on. */
function renewed(turn: Turn, known: Child | undefined, spec: ChildSpec, ts: number): { readonly child: Child; readonly change: 'new' | 'kept' | 'replaced' } {
  if (known === undefined) return { child: newChild(spec, ts), change: 'new' };
  delete known.added;
  const before = known.spec;
  const isOther = before.logic !== spec.logic || before.kind !== spec.kind || before.address !== spec.address;
  if (isOther && known.status !== 'idle') {
    known.next = spec;
    return { child: known, change: 'replaced' };
  }
  known.spec = spec;
  known.address = spec.address;
  if (JSON.stringify(before) === JSON.stringify(spec)) return { child: known, change: 'kept' };
  if (known.status === 'parked') return { child: known, change: 'new' };
  if ((spec.kind === 'supervisor' || spec.kind === 'pool') && (known.status === 'running' || known.status === 'starting')) {
    turn.effects.push({ kind: 'send', to: { kind: 'address', address: spec.address }, event: { type: 'reprise.configure', ...(spec.input as object) }, lane: 'system' });
  }
  return { child: known, change: 'kept' };
}
