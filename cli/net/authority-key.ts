/** Whether the CA key of a folder where a network was made is still there: what runs has it in memory, and does not miss it. */
import { isMeshError, type MeshError } from '../../core/errors.ts';
import { readKeyFile } from '../../transport/overlay/identity/key-file.ts';
import type { Finding } from '../doctor.ts';
import { cureFor } from '../failure.ts';
import type { NetFolder } from './folder.ts';

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
