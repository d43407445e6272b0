/**
 * An actor with a long log, whose process was killed: how long until its state is there again? Neither of the two stops its mesh: a sample
 * ends as by `kill -9`.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { startMesh } from 'reprise';
import type { Agent } from '../charts/ring.ts';
import type { Measured } from '../lib/scenario.ts';
import { begin, halt, ringMesh, Watch } from './ring-mesh.ts';

export interface LongLogInput {
  readonly sample: 'long-log';
  /** At least so many. */
  readonly events: number;
}
export interface RecoveryInput {
  readonly sample: 'recovery';
}

/** A ring of one: an actor that sends to itself is as quick as an actor can be. */
const TOKENS = 256;
const ADDRESS = 'ring/0';
const LOOK_MS = 20;

/** Makes the log. */
export async function longLog({ events }: LongLogInput, folder: string): Promise<Measured> {
  const watch = new Watch();
  const mesh = await ringMesh(folder, 1, watch);
  await begin(mesh, 1, TOKENS);
  while (watch.hops < events) await sleep(LOOK_MS);
  await halt(mesh, 1, TOKENS, watch);
  return { events: watch.hops };
}

/**
 * From the call that opens the store to the state: the mesh started, the shards claimed, what the killed process left taken up. The code is
 * loaded before: that is W6's business.
 */
export async function recovery(folder: string): Promise<Measured> {
  const other = await startMesh({ mesh: 'other', store: 'sqlite:other.db', actors: {} }, {}, { folder });
  await other.stop();
  const from = performance.now();
  const mesh = await ringMesh(folder, 1);
  const startMs = performance.now() - from;
  const { context, seq } = await mesh.ref(ADDRESS).state();
  const stateMs = performance.now() - from;
  if ((context as Agent).count === 0) throw new Error('its state is not what the log says');
  return { startMs, stateMs, seq };
}
