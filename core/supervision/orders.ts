/**
 * What people and the config order: stops and starts by hand, children added at run time, and `configure`, the first of which
 * boots. Costs no budget.
 */
import { type ChildSpec, type ChildSpecInput, childSpec, type SupervisorConfig, supervisorFlags } from './child-spec.ts';
import type { EventObject } from '../effect.ts';
import { MeshError } from '../errors.ts';
import { endAll, forgetTries } from './restarts.ts';
import { type Child, newChild } from './state.ts';
import type { Turn } from './turn.ts';

export function stopAll(turn: Turn, event: EventObject): void {
  if (event['deadlineMs'] === 0) return turn.killAll();
  if (turn.s.phase !== 'stopping') endAll(turn, { status: 'stopped' });
}

/** Of a child by id or address. Touches this one only, costs nothing, cancels a restart that waits, and forgets a temporary child. */
export function stopByHand(turn: Turn, event: EventObject, remove: boolean): void {
  const name = String(event['child']);
  const child = turn.find(name) ?? turn.at(name);
  if (child === undefined) return turn.log('supervisor.no_such_child', event);
  const forget = remove || child.spec.restart === 'temporary';
  turn.absorb([child.key]);
  forgetTries(turn, child.key);
  turn.begin({ cause: 'hand', stop: [child.key], forget: forget ? [child.key] : [] });
}

export function startByHand(turn: Turn, event: EventObject, from: readonly Child['status'][]): void {
  const name = String(event['child']);
  const child = turn.find(name) ?? turn.known(name);
  if (child === undefined) return turn.log('supervisor.no_such_child', event);
  if (!from.includes(child.status)) return turn.log('supervisor.ignored', event);
  child.row = 0;
  turn.begin({ cause: child.status === 'parked' ? 'unpark' : 'hand', start: [child.key] });
}

export function add(turn: Turn, given: ChildSpecInput): void {
  const spec = childSpec(given);
  if (turn.find(spec.id) !== undefined) return turn.log('supervisor.already_present', { child: spec.id });
  turn.s.children.push({ ...newChild(spec, turn.ctx.ts), added: true });
  turn.begin({ cause: 'add', start: [spec.id] });
}

/** The first config boots; a later one stops what it no longer names, starts what is new, and leaves the rest as it is. */
export function configure(turn: Turn, config: SupervisorConfig): void {
  const { s } = turn;
  const specs = config.children.map(childSpec);
  const twice = specs.find((spec, i) => specs.findIndex((other) => other.id === spec.id) !== i);
  if (twice !== undefined)
    throw new MeshError('CONFIG_INVALID', `${s.address} has two children '${twice.id}': give one of them another id`);
  s.flags = supervisorFlags(config.flags);
  const isBoot = s.phase === 'waiting';
  if (isBoot) s.phase = 'booting';
  const old = s.children;
  const gone = old.filter((c) => c.added !== true && !specs.some((spec) => spec.id === c.key));
  const plan = specs.map((spec) =>
    renewed(
      turn,
      old.find((c) => c.key === spec.id),
      spec,
      config.again === true,
    ),
  );
  // Those that leave keep their place until they are stopped; added ones come last.
  s.children = [...plan.map((p) => p.child), ...old.filter((c) => !plan.some((p) => p.child === c))];
  for (const child of Object.values(s.instances))
    child.spec = { ...(plan.find((p) => p.child.key === child.spec.id)?.child.spec ?? child.spec), input: null };
  const stop = [...gone, ...plan.filter((p) => p.change === 'replaced').map((p) => p.child)].map((c) => c.key);
  turn.absorb(stop);
  turn.begin({
    cause: isBoot ? 'boot' : 'configure',
    forget: gone.map((c) => c.key),
    stop: old
      .map((c) => c.key)
      .filter((key) => stop.includes(key))
      .toReversed(),
    start: plan.filter((p) => p.change !== 'kept').map((p) => p.child.key),
  });
}

/** Another logic, kind or address is another actor: the old one is stopped first. An edit of a parked child lets it go on. */
function renewed(
  turn: Turn,
  known: Child | undefined,
  spec: ChildSpec,
  again: boolean,
): { readonly child: Child; readonly change: 'new' | 'kept' | 'replaced' } {
  if (known === undefined) return { child: newChild(spec, turn.ctx.ts), change: 'new' };
  delete known.added;
  const before = known.spec;
  const isOther = before.logic !== spec.logic || before.kind !== spec.kind || before.address !== spec.address;
  if (isOther && known.status !== 'idle') {
    known.next = spec;
    return { child: known, change: 'replaced' };
  }
  known.spec = spec;
  known.address = spec.address;
  const isSame = JSON.stringify(before) === JSON.stringify(spec);
  if (known.status === 'parked' && (!isSame || (again && known.unstarted === true))) return { child: known, change: 'new' };
  if (isSame && !again) return { child: known, change: 'kept' };
  if ((spec.kind === 'supervisor' || spec.kind === 'pool') && (known.status === 'running' || known.status === 'starting')) {
    turn.effects.push({
      kind: 'send',
      to: { kind: 'address', address: spec.address },
      event: { type: 'reprise.configure', ...(spec.input as object), ...(again && { again }) },
      lane: 'system',
    });
  }
  return { child: known, change: 'kept' };
}
