/**
 * Restarts: who is restarted with whom, after what wait, and what happens when the budget is spent or a start fails.
 * Called by `supervision.ts` with a child that has ended or failed; carried out by `turn.ts`.
 */
import type { Backoff } from './child-spec.ts';
import type { EventObject } from '../effect.ts';
import type { ErrorData } from '../errors.ts';
import { addRestart, backoffMs, isSpent, quietMs } from './restart-budget.ts';
import type { Child } from './state.ts';
import type { Turn } from './turn.ts';

/** Queued by `startFailed` and `forgetTries`; never sent. */
export const AGAIN = 'reprise.again';
export const REST = 'reprise.rest';

const backoffOf = (turn: Turn, child: Child): Backoff => ({
  ...turn.s.flags.backoff,
  ...child.spec.backoff,
});

/** The restart types. A temporary child is forgotten; it never counts. */
export function exit(turn: Turn, child: Child, abnormal: boolean, isRetry: boolean): void {
  const { restart: type } = child.spec;
  if (type === 'temporary') return turn.forget(child);
  if (type === 'transient' && !abnormal) return turn.rest(child);
  if (child.upAt !== undefined && turn.ctx.ts - child.upAt >= quietMs(turn.s.flags, backoffOf(turn, child))) child.row = 0;
  child.mode = child.waits === true ? 'history' : 'fresh';
  restart(turn, child, isRetry, []);
}

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
  turn.begin({
    cause: 'restart',
    stop: keys.toReversed(),
    start: lasting,
    forget: keys.filter((k) => !lasting.includes(k)),
    waitMs,
  });
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
  const { error } = origin;
  const reason = `more than ${flags.intensity} ${flags.intensity === 1 ? 'restart' : 'restarts'} within ${flags.periodMs} ms`;
  if (flags.whenSpent === 'park') {
    turn.s.restarts = [];
    turn.park(origin, error === undefined ? reason : `${reason}; the last error: ${error.message}`);
    return startRest(turn, rest);
  }
  const last = error === undefined ? '' : `: ${error.message}`;
  giveUp(turn, {
    name: 'MeshError',
    code: 'SUPERVISOR_GAVE_UP',
    message: `${address} gave up: ${reason}, the last one of ${origin.address}${last}`,
    ...(error !== undefined && { cause: error }),
  });
}

/** Fails upward: the others are stopped in reverse, then the supervisor ends. */
function giveUp(turn: Turn, error: ErrorData): void {
  turn.effects.push({ kind: 'emit', event: { type: 'supervisor.gave_up', error } });
  endAll(turn, { status: 'error', error });
}

/** What that means depends on who asked for the start. */
export function startFailed(turn: Turn, child: Child, event: EventObject): void {
  const op = turn.s.operation;
  const isFirst = op !== null && op.start[0] === child.key;
  note(child, event);
  turn.turn(child, 'restarting');
  if (event.type === 'reprise.failed') child.waits = true;
  if (child.cause === 'boot' && turn.s.flags.whenSpent === 'escalate') return bootFailed(turn, child);
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
  else {
    turn.park(child, `it did not start: ${whyNot(child)}`);
    child.unstarted = true;
  }
}

const whyNot = (child: Child): string => child.error?.message ?? 'it ended at once';

/** Not tried again: those that are up are stopped in reverse, and the failure goes up. */
function bootFailed(turn: Turn, child: Child): void {
  giveUp(turn, {
    name: 'MeshError',
    code: 'SUPERVISOR_GAVE_UP',
    message: `${turn.s.address} could not start ${child.address}: ${whyNot(child)}`,
    ...(child.error !== undefined && { cause: child.error }),
  });
}

/** Only if its first still waits for it: something else may have been decided for it. Those behind it come along: a group is not left half up. */
export function tryAgain(turn: Turn, keys: readonly string[]): void {
  const origin = keys[0] === undefined ? undefined : turn.find(keys[0]);
  if (origin?.again !== true) return;
  restart(turn, origin, false, keys.slice(1));
}

/** Takes a child out of the tries that are queued. When it was the one to be tried, those behind it are started without it. */
export function forgetTries(turn: Turn, key: string): void {
  turn.s.queue = turn.s.queue.map((e) => {
    const keys = e.type === AGAIN ? (e['keys'] as string[]) : [];
    return keys.includes(key) ? { type: keys[0] === key ? REST : AGAIN, keys: keys.filter((k) => k !== key) } : e;
  });
}

/** The rest of a group, which waits for nobody any more. */
export function startRest(turn: Turn, keys: readonly string[]): void {
  const start = keys.filter((key) => turn.find(key)?.status === 'restarting');
  if (start.length > 0) turn.begin({ cause: 'restart', start });
}

export function backoffOver(turn: Turn, origin: string): void {
  const keys = (turn.s.waits[origin] ?? []).filter((key) => turn.find(key)?.status === 'restarting');
  delete turn.s.waits[origin];
  if (turn.s.flags.strategy !== 'one_for_one') return turn.begin({ cause: 'restart', start: keys });
  for (const key of keys) {
    const child = turn.find(key);
    if (child !== undefined) turn.start(child, 'restart', child.mode ?? 'history');
  }
}

/** Whatever is under way: all are stopped in reverse, then the supervisor ends. */
export function endAll(turn: Turn, end: { readonly status: 'stopped' | 'error'; readonly error?: ErrorData }): void {
  const { s } = turn;
  const keys = s.children.map((c) => c.key).toReversed();
  // One that is being stopped already comes first: its deadline runs.
  const current = [...s.children, ...Object.values(s.instances)].find((c) => c.status === 'stopping');
  turn.absorb([...keys, ...Object.keys(s.instances)]);
  turn.effects.push({ kind: 'cancel', timer: 'start' });
  for (const child of Object.values(s.instances)) if (child !== current) turn.rest(child);
  s.queue = [];
  s.phase = 'stopping';
  turn.begin({
    cause: 'hand',
    stop: current === undefined ? keys : [current.key, ...keys.filter((k) => k !== current.key)],
    end,
  });
}

/** Why, for people and for the retries of one event. */
export function note(child: Child, event: EventObject): void {
  if (event['error'] !== undefined) child.error = event['error'] as ErrorData;
  if (typeof event['event'] === 'string') child.event = event['event'];
  else delete child.event;
}
