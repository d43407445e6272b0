/** How a verb of `net` gets at its network folder, and at the process that runs it. */
import { MeshError } from '../../core/errors.ts';
import type { Call } from '../command.ts';
import { type ControlClient, runningAt, type Subject } from '../control/client.ts';
import { controlPath } from '../control/place.ts';
import { NET_FOLDER } from '../invocation.ts';
import { NetFolder } from './folder.ts';

const NODE: Subject = { noun: 'node', notRunning: 'NET_NOT_RUNNING', unresponsive: 'NET_UNRESPONSIVE' };

export const folderOf = (call: Call): NetFolder => new NetFolder(call.text('dir') ?? NET_FOLDER);

/** Where the process that runs here answers. */
export const controlOf = (folder: NetFolder): string => controlPath(folder.base);

/** Undefined: none runs here. Throws CONTROL_UNSAFE, NET_UNRESPONSIVE with its process. */
export const runningNode = (folder: NetFolder): Promise<ControlClient | undefined> => runningAt(controlOf(folder), NODE);

/** Throws NET_FOLDER_MISSING, NET_NOT_RUNNING, NET_UNRESPONSIVE, CONTROL_UNSAFE. */
export async function nodeOf(call: Call): Promise<ControlClient> {
  const folder = folderOf(call);
  const { name } = await folder.knownNetwork();
  const running = await runningNode(folder);
  if (running !== undefined) return running;
  throw new MeshError('NET_NOT_RUNNING', `the node of '${name}' in ${folder.path} is not running`);
}
