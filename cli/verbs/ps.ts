/** `reprise ps` */
import { type ListedActor, withLive } from '../../core/mesh.ts';
import type { ActorStatus } from '../../core/node.ts';
import type { Call } from '../command.ts';
import { Reach } from '../reach.ts';
import { spanText, stateText, table } from '../render/text.ts';

export async function run(call: Call): Promise<void> {
  await using reach = new Reach(call);
  const running = await reach.running();
  const stored = await (await reach.inspect()).list();
  const live = running === undefined ? [] : await running.call<ActorStatus[]>('live');
  const prefix = call.args[0];
  const isAll = call.flag('all');
  const actors = withLive(stored, live).filter(
    (actor) =>
      (isAll || (actor.phase !== 'ended' && actor.phase !== 'gone')) &&
      (prefix === undefined || actor.address === prefix || actor.address.startsWith(`${prefix}/`)),
  );
  if (call.isJson) return call.io.json({ mesh: reach.plan.mesh, running: running !== undefined, actors });
  if (running === undefined) call.io.note(`${reach.plan.mesh} is not running: this is what its store has`);
  table(
    call.io,
    ['ACTOR', 'PHASE', 'STATE', 'SEQ', 'MAILBOX', 'DEAD', 'NOTE'],
    actors.map((actor) => [
      actor.address,
      actor.phase,
      stateText(actor.state),
      String(actor.seq),
      actor.mailbox === 0 ? '' : `${actor.mailbox} (${spanText(actor.oldestMs ?? 0)})`,
      actor.dead === undefined ? '' : String(actor.dead),
      noteOf(actor),
    ]),
  );
}

function noteOf({ reason, inDoubt, wakeAt, phase }: ListedActor): string {
  if (reason !== undefined) return reason.split('\n')[0] ?? '';
  if (inDoubt !== undefined) return `in doubt: ${inDoubt.join(', ')}`;
  return wakeAt !== undefined && phase === 'passive' ? `wakes in ${spanText(wakeAt - Date.now())}` : '';
}
