/** How a verb of `net` gets at its network folder, and at the process that runs it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { isMeshError, MeshError } from '../../core/errors.ts';
import type { Call } from '../command.ts';
import { type ControlClient, runningAt, type Subject } from '../control/client.ts';
import { controlPath, statOf } from '../control/place.ts';
import { NET_FOLDER } from '../invocation.ts';
import { NetFolder } from './folder.ts';
import { nodeIdOf, revokedText } from './node-id.ts';

const NODE: Subject = { noun: 'node', notRunning: 'NET_NOT_RUNNING', unresponsive: 'NET_UNRESPONSIVE' };

/** ms for a node that was started a moment ago, perhaps, and has not even the lock of its folder yet. */
const START_MS = 2_000;
/** ms for one that has the lock, and does not answer yet. */
const LOCKED_MS = 5_000;
/** ms for a command that is at work in the folder, and is done at once. */
const WORK_MS = 3_000;
const LOOK_MS = 100;
/** ms between two looks for a node that has stopped: the first wait, doubled each time. */
const AGAIN_MS = 250;
const AGAIN_MAX_MS = 5_000;
/** ms after which a person is told what is waited for. */
const NOTE_MS = 500;

export const folderOf = (call: Call): NetFolder => new NetFolder(call.text('dir') ?? NET_FOLDER);

/** Where the process that runs here answers. */
export const controlOf = (folder: NetFolder): string => controlPath(folder.base);

/**
 * Undefined: none runs here. One that is just starting is waited for: whoever has the lock of the folder, and does not answer, is one, or a
 * command that is done soon.
 *
 * Throws CONTROL_UNSAFE, NET_UNRESPONSIVE with its process.
 */
export async function runningNode(folder: NetFolder): Promise<ControlClient | undefined> {
  for (const until = Date.now() + LOCKED_MS; ; await sleep(LOOK_MS)) {
    const running = await runningAt(controlOf(folder), NODE);
    if (running !== undefined || Date.now() >= until || !(await folder.isLocked())) return running;
  }
}

/**
 * For a verb that needs the node: one that was started by the command before is waited for.
 *
 * Throws NET_FOLDER_MISSING, NET_NOT_RUNNING, NET_UNRESPONSIVE, CONTROL_UNSAFE; NET_KEY_REVOKED where it will not run any more.
 */
export async function nodeOf(call: Call): Promise<ControlClient> {
  const folder = folderOf(call);
  const { name } = await folder.knownNetwork();
  const { io } = call;
  const note = setTimeout(() => {
    if (io.isTerminal) io.note(`waiting for the node of '${name}' to start …`);
  }, NOTE_MS);
  try {
    for (const until = Date.now() + START_MS; ; await sleep(LOOK_MS)) {
      const running = await runningNode(folder);
      if (running !== undefined) return running;
      if (Date.now() < until) continue;
      await checkMember(folder);
      throw new MeshError('NET_NOT_RUNNING', `the node of '${name}' in ${folder.path} is not running`);
    }
  } finally {
    clearTimeout(note);
  }
}

/** Of one that was revoked `net up` runs no node. Throws NET_KEY_REVOKED; what else may be wrong in the folder `net up` says. */
async function checkMember(folder: NetFolder): Promise<void> {
  const state = await folder.load().catch(() => undefined);
  const revoked = state === undefined ? undefined : revokedText(nodeIdOf(state, Date.now()));
  if (revoked !== undefined) throw new MeshError('NET_KEY_REVOKED', revoked);
}

/**
 * The node of a folder when it runs again, however long that takes. Undefined: the signal came first.
 *
 * Throws CONTROL_UNSAFE; NET_KEY_REVOKED where it will not run any more.
 */
export async function nodeAgain(folder: NetFolder, signal: AbortSignal): Promise<ControlClient | undefined> {
  for (let wait = AGAIN_MS; !signal.aborted; wait = Math.min(AGAIN_MAX_MS, 2 * wait)) {
    try {
      const running = await runningAt(controlOf(folder), NODE);
      if (running !== undefined) return running;
      await checkMember(folder);
    } catch (error) {
      // It stands, or is busy: it may go on.
      if (!isMeshError(error, 'NET_UNRESPONSIVE')) throw error;
    }
    await sleep(wait, undefined, { signal }).catch(() => undefined);
  }
  return undefined;
}

/** The lock of a folder, for a node: a command that is at work there is waited for. Throws as `NetFolder.lock`. */
export async function lockForNode(folder: NetFolder): Promise<Disposable> {
  for (const until = Date.now() + WORK_MS; ; await sleep(LOOK_MS)) {
    try {
      return await folder.lock();
    } catch (error) {
      const isShort = isMeshError(error, 'NET_FOLDER_BUSY') && statOf(controlOf(folder)) === undefined;
      if (!isShort || Date.now() >= until) throw error;
    }
  }
}
