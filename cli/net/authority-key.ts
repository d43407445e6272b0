/** Whether the CA key of a folder where a network was made is still there: what runs has it in memory, and does not miss it. */
import { isMeshError, MeshError } from '../../core/errors.ts';
import { readKeyFile } from '../../transport/overlay/identity/key-file.ts';
import type { Finding } from '../doctor.ts';
import { cureFor } from '../failure.ts';
import type { NetFolder, NetState } from './folder.ts';

/** Undefined: it is there, or this folder never had one. */
export async function lostAuthority(folder: NetFolder): Promise<string | undefined> {
  return isMeshError(await faultOf(folder), 'NET_KEY_MISSING') ? lostText(folder) : undefined;
}

/** None: nothing is the matter with it. */
export async function authorityFindings(folder: NetFolder): Promise<readonly Finding[]> {
  const fault = await faultOf(folder);
  if (fault === undefined) return [];
  const message = fault.code === 'NET_KEY_MISSING' ? lostText(folder) : `${fault.message}. ${cureFor(fault) ?? ''}`;
  return [{ name: 'authority', status: 'failed', message }];
}

/** For what an authority alone can do: NET_AUTHORITY_INVALID, with the cure of this very folder. `undone`: what cannot be done from here. */
export async function noAuthority(folder: NetFolder, { network }: Pick<NetState, 'network'>, undone: string): Promise<MeshError> {
  const saidAll =
    network.caKeys.length === 0 ? 'its members are pinned: `reprise net add KEY` lets one in' : await lostAuthority(folder);
  const data = { cure: saidAll === undefined ? ELSEWHERE : '' };
  return new MeshError('NET_AUTHORITY_INVALID', `${undone}: ${saidAll ?? 'the CA key is not in this folder'}`, { data });
}

const ELSEWHERE =
  'Do it where a CA key of the network is: on the machine, and in the folder, where the network was made (`ca.pem` is there).';

const lostText = (folder: NetFolder): string =>
  `${folder.file('ca.pem')} is gone, by which this node is the authority: without it nobody can join, and certificates end within a day. Put a copy of it there; without one make a new network, in another folder`;

async function faultOf(folder: NetFolder): Promise<MeshError | undefined> {
  if (!(await folder.hadAuthority())) return undefined;
  try {
    await readKeyFile(folder.file('ca.pem'));
    return undefined;
  } catch (error) {
    if (isMeshError(error)) return error;
    throw error;
  }
}
