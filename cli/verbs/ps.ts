/** `reprise ps` */
import type { Address } from '../../core/address.ts';
import { type ListedActor, withLive } from '../../core/mesh.ts';
import type { ActorStatus } from '../../core/node/status.ts';
import type { ActorState } from '../../core/operator/inspection.ts';
import type { Call } from '../command.ts';
import { Reach } from '../reach.ts';
import { spanText, stateText, table } from '../render/text.ts';
import { counted } from '../words.ts';

/** Actors whose logs are folded to show their states, and records that may lie above the checkpoint of each. */
const FOLDED_MAX = 200;
const RECORDS_MAX = 1_000;

export async function run(call: Call): Promise<void> {
  await using reach = new Reach(call);
  const isLiving = reach.imported === undefined;
  const running = isLiving ? await reach.answering() : undefined;
  const inspect = await reach.inspect();
  const stored = await inspect.list();
  const live = running === undefined ? [] : await running.call<ActorStatus[]>('live');
  const prefix = call.args[0];
  const isAll = call.flag('all');
  const found = withLive(stored, live).filter(
    ({ address }) => prefix === undefined || address === prefix || address.startsWith(`${prefix}/`),
  );
  if (found.length === 0 && prefix !== undefined && !reach.declares(prefix)) await inspect.known(prefix);
  const listed = found.filter(({ phase }) => isAll || (phase !== 'ended' && phase !== 'gone'));
  const { actors, unknown } = running === undefined ? await withStates(reach, listed) : { actors: listed, unknown: NONE };
  if (running === undefined && isLiving)
    reach.tellAbsence(call, `this is what its store has${unknown.size > 0 ? ' (…: `reprise state ACTOR` shows it)' : ''}`);
  if (call.isJson) return call.io.json({ mesh: reach.plan.mesh, running: running !== undefined, actors });
  if (actors.length === 0) return call.io.note(nobody(found.length, prefix));
  table(
    call.io,
    ['ACTOR', 'PHASE', 'STATE', 'SEQ', 'MAILBOX', 'DEAD', 'NOTE'],
    actors.map((actor) => [
      actor.address,
      actor.phase,
      unknown.has(actor.address) ? '…' : stateText(actor.state),
      String(actor.seq),
      actor.mailbox === 0 ? '' : `${actor.mailbox} (${spanText(actor.oldestMs ?? 0)})`,
      actor.dead === undefined ? '' : String(actor.dead),
      call.reprise.text(noteOf(actor)),
    ]),
  );
}

/** With states from the logs, where they are cheap to know; and where they are not. */
async function withStates(
  reach: Reach,
  listed: readonly ListedActor[],
): Promise<{ readonly actors: readonly ListedActor[]; readonly unknown: ReadonlySet<Address> }> {
  const living = listed.filter(({ phase }) => phase !== 'gone');
  const folded = living.slice(0, FOLDED_MAX).map(({ address }) => address);
  const inspect = await reach.inspectWhatLoads(folded);
  const states = new Map<Address, ActorState>();
  for (const address of folded) {
    const state = await inspect.nearState(address, RECORDS_MAX);
    if (state !== undefined) states.set(address, state);
  }
  const unknown = new Set(living.map(({ address }) => address).filter((address) => !states.has(address)));
  // One that could not begin has no state.
  const actors = listed.map((actor) => ({ ...actor, ...valueOf(states.get(actor.address)) }));
  return { actors, unknown };
}
const NONE: ReadonlySet<Address> = new Set();
const valueOf = (state: ActorState | undefined): Pick<ListedActor, 'state'> =>
  state?.value === undefined ? {} : { state: state.value };

/** Why nothing is listed. */
const nobody = (hidden: number, prefix: string | undefined): string =>
  hidden > 0
    ? `${counted(hidden, 'actor')} finished or removed: --all lists ${hidden === 1 ? 'it' : 'them'}`
    : `no actor${prefix === undefined ? '' : ` of ${prefix}`} has a log yet`;

function noteOf({ address, reason, inDoubt, wakeAt, phase }: ListedActor): string {
  if (reason !== undefined) return shortReason(reason, address);
  if (inDoubt !== undefined) return `in doubt: ${inDoubt.join(', ')}`;
  return wakeAt !== undefined && phase === 'passive' ? `wakes in ${spanText(wakeAt - Date.now())}` : '';
}

/** Without the address, which stands in front of it. */
function shortReason(reason: string, address: Address): string {
  const [first = ''] = reason.split('\n');
  return first.startsWith(`${address} `) ? first.slice(address.length + 1) : first;
}
