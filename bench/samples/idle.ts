/** What an actor costs that has nothing to do: in memory, and put away. Each has about 2 KB of context that it shares with no other. */
import { setTimeout as sleep } from 'node:timers/promises';
import { startMesh } from 'reprise';
import { agent, agentContext } from '../charts/agent.ts';
import type { Measured } from '../lib/scenario.ts';

export interface IdleInput {
  readonly sample: 'idle';
  readonly actors: number;
}

/** Of the actor as a whole, so that the first ones are not put away while the last ones are made. */
const PASSIVATE_AFTER_MS = 20_000;
/** In which a node has noticed that they are idle. */
const REST_MS = 3_000;
const CHUNK = 200;

/** `residentBytes`, `passiveBytes`: heap for each actor; `contextBytes`: of it, the context as plain JSON values. */
export async function idle({ actors }: IdleInput, folder: string): Promise<Measured> {
  let passivated = 0;
  const mesh = await startMesh(
    {
      mesh: 'idle',
      store: 'sqlite:idle.db',
      actors: { agent: { kind: 'keyed', logic: 'agent', passivateAfter: PASSIVATE_AFTER_MS } },
    },
    { agent },
    {
      folder,
      onEvent: ({ type, actor }) => {
        if (type === 'actor.passivated' && actor?.startsWith('agent/') === true) passivated++;
      },
    },
  );
  const empty = await heapBytes();
  for (let n = 0; n < actors; n += CHUNK)
    await Promise.all(
      Array.from({ length: Math.min(CHUNK, actors - n) }, (_, i) => mesh.send(`agent/${n + i}`, { type: 'used', tokens: 1 })),
    );
  await sleep(REST_MS);
  const resident = (await heapBytes()) - empty;
  if (passivated > 0) throw new Error(`${passivated} actors were put away before they were weighed`);
  while (passivated < actors) await sleep(100);
  const passive = (await heapBytes()) - empty;
  await mesh.stop();
  const contexts = Array.from({ length: actors }, agentContext);
  const before = await heapBytes();
  const kept = contexts.length;
  contexts.length = 0;
  const contextBytes = (before - (await heapBytes())) / kept;
  return { residentBytes: resident / actors, passiveBytes: passive / actors, contextBytes };
}

/** Used heap after all garbage is gone. */
async function heapBytes(): Promise<number> {
  const { gc } = globalThis;
  if (gc === undefined) throw new Error('this needs --expose-gc');
  for (let i = 0; i < 4; i++) {
    await sleep(20);
    gc();
  }
  return process.memoryUsage().heapUsed;
}
