/** `reprise net invite` */
import { MeshError } from '../../../core/errors.ts';
import { type Role, ROLES } from '../../../transport/overlay/trust/roles.ts';
import type { Call } from '../../command.ts';
import { lostAuthority } from '../../net/authority-key.ts';
import { elsewhereText, parseListen, reachableAt, typedEndpoints } from '../../net/endpoints.ts';
import type { NetFolder } from '../../net/folder.ts';
import { cancelInvites, type InviteTerms, type MadeInvite, makeInvite } from '../../net/orders.ts';
import { folderOf, runningNode } from '../../net/reach.ts';
import { timeText } from '../../render/text.ts';
import { counted } from '../../words.ts';

export async function run(call: Call): Promise<void> {
  const terms: InviteTerms = { roles: call.texts('role').map(typedRole), endpoints: typedEndpoints(call.texts('endpoint')) };
  const folder = folderOf(call);
  await folder.knownNetwork();
  const running = await runningNode(folder);
  if (call.flag('cancel')) {
    if (terms.roles.length + terms.endpoints.length > 0) throw new MeshError('USAGE', '--cancel makes no invite: it goes alone');
    const cancelled = running === undefined ? await cancelledAlone(folder) : await running.call<number>('cancel');
    if (call.isJson) return call.io.json({ cancelled, running: running !== undefined });
    return call.io.out(`${counted(cancelled, 'invite')} cancelled`);
  }
  const made = running === undefined ? await alone(folder, terms) : await running.call<MadeInvite>('invite', { ...terms });
  if (call.isJson) return call.io.json({ ...made, running: running !== undefined });
  call.io.out(made.invite);
  const { io } = call;
  const until = `for one machine, until ${timeText(made.expires).slice(11, 19)}, to be found at ${made.endpoints.join(', ')}. Whoever reads the line may join`;
  io.note(until);
  // Of one that runs: it has the key in memory, for this time.
  const lost = await lostAuthority(folder);
  if (lost !== undefined) io.note(lost);
  if (made.elsewhere.length > 0) io.note(elsewhereText(made.elsewhere, made.listening));
  if (running === undefined) io.note('no node runs in this folder yet: `reprise net up` has to, for the other machine to join');
}

/** The next process that runs here knows it. */
async function alone(folder: NetFolder, { roles, endpoints }: InviteTerms): Promise<MadeInvite> {
  using _lock = await folder.lock();
  const state = await folder.load();
  const { config } = state;
  const known = endpoints.length > 0 ? endpoints : config.endpoints;
  const listening = config.listen.flatMap((text) => parseListen(text) ?? []);
  const found = known.length > 0 ? known : reachableAt(listening);
  return makeInvite(folder, state, { roles, endpoints: found }, listening, Date.now());
}

async function cancelledAlone(folder: NetFolder): Promise<number> {
  using _lock = await folder.lock();
  return cancelInvites(folder, await folder.load(), Date.now());
}

function typedRole(text: string): Role {
  const role = ROLES.find((known) => known === text);
  if (role === undefined || role === 'admin') throw new MeshError('USAGE', `--role is node or relay, not '${text}'`);
  return role;
}
