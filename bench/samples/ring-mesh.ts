/** The ring as a mesh: started, set going, watched and brought to rest. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type LogRecord, type Mesh, startMesh } from 'reprise';
import { agentAddress, PAYLOAD, ringMachine } from '../charts/ring.ts';

/** ms in which all tokens come to rest once their agents are halted. */
const PATIENCE_MS = 30_000;
const LOOK_MS = 5;

/** Of the whole ring, as records become durable. */
export class Watch {
  hops = 0;
  /** Tokens that a halted agent has kept. */
  kept = 0;
  private readonly halted = new Set<string>();

  see(actor: string, records: readonly LogRecord[]): void {
    for (const record of records) {
      if (record.kind !== 'event') continue;
      if (record.event.type === 'halt') this.halted.add(actor);
      if (record.event.type !== 'hop') continue;
      this.hops++;
      if (this.halted.has(actor)) this.kept++;
    }
  }
}

/** A mesh with the ring's agents, none of them born yet, on the store `ring.db` in `folder`. */
export const ringMesh = (folder: string, agents: number, watch?: Watch): Promise<Mesh> =>
  startMesh(
    { mesh: 'ring', store: 'sqlite:ring.db', actors: { ring: { kind: 'keyed', logic: 'ring' } } },
    { ring: ringMachine(agents) },
    { folder, ...(watch !== undefined && { onRecords: (actor, records) => watch.see(actor, records) }) },
  );

/** The tokens' first hops come from outside; they are spread over the ring. */
export async function begin(mesh: Mesh, agents: number, tokens: number): Promise<void> {
  const first = (token: number): Promise<unknown> =>
    mesh.send(agentAddress(Math.floor((token * agents) / tokens)), { type: 'hop', token, n: 0, payload: PAYLOAD });
  await Promise.all(Array.from({ length: tokens }, (_, token) => first(token)));
}

/** Resolves when every token rests. */
export async function halt(mesh: Mesh, agents: number, tokens: number, watch: Watch): Promise<void> {
  await Promise.all(Array.from({ length: agents }, (_, key) => mesh.send(agentAddress(key), { type: 'halt' })));
  for (const until = performance.now() + PATIENCE_MS; watch.kept < tokens; await sleep(LOOK_MS))
    if (performance.now() > until) throw new Error(`${tokens - watch.kept} of ${tokens} tokens do not come to rest`);
}
