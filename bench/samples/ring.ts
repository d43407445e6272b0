/**
 * W1, the durable ring: T tokens go round A agents; a hop is taken, stepped, made durable with what it sends on, and then sent. Only hops
 * whose record is durable count. Afterwards the log must show each of them once.
 */
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Mesh } from 'reprise';
import { type Agent, agentAddress, type Hop } from '../charts/ring.ts';
import type { Measured } from '../lib/scenario.ts';
import { measureRate, rssMb, type Span } from './meter.ts';
import { begin, halt, ringMesh, Watch } from './ring-mesh.ts';

export interface RingInput extends Span {
  readonly sample: 'ring';
  readonly agents: number;
  readonly tokens: number;
}

export async function ring(input: RingInput, folder: string): Promise<Measured> {
  const { agents, tokens } = input;
  const watch = new Watch();
  const mesh = await ringMesh(folder, agents, watch);
  await begin(mesh, agents, tokens);
  const { rate, cpuUs } = await measureRate(() => watch.hops, input);
  const rss = rssMb();
  await halt(mesh, agents, tokens, watch);
  const counted = await countOf(mesh, agents);
  await mesh.stop();
  check(hopsOf(join(folder, 'ring.db')), tokens, { counted, seen: watch.hops });
  return { rate, cpuUs, rssMb: rss };
}

/** Hops that the agents have counted in their contexts. */
async function countOf(mesh: Mesh, agents: number): Promise<number> {
  let count = 0;
  for (let key = 0; key < agents; key++) count += ((await mesh.ref(agentAddress(key)).state()).context as Agent).count;
  return count;
}

/** Every hop in the log, in no order: read by SQLite alone, so that what is checked is not checked by what wrote it. */
function hopsOf(path: string): Hop[] {
  const db = new DatabaseSync(path, { readOnly: true });
  const hops: Hop[] = [];
  for (const { record } of db.prepare('SELECT record FROM events').iterate() as IterableIterator<{ record: string }>) {
    const { event } = JSON.parse(record) as { readonly event?: Hop };
    if (event?.type === 'hop') hops.push(event);
  }
  db.close();
  return hops;
}

/** Throws when a hop is lost, doubled, or counted by nobody. */
function check(
  hops: readonly Hop[],
  tokens: number,
  { counted, seen }: { readonly counted: number; readonly seen: number },
): void {
  const perToken = Array.from({ length: tokens }, () => new Set<number>());
  for (const { token, n } of hops) {
    if (perToken[token]?.has(n) !== false) throw new Error(`hop ${n} of token ${token} is in the log twice, or of no token`);
    perToken[token].add(n);
  }
  for (const [token, numbers] of perToken.entries())
    for (let n = 0; n < numbers.size; n++) if (!numbers.has(n)) throw new Error(`hop ${n} of token ${token} is lost`);
  if (counted !== hops.length || seen !== hops.length)
    throw new Error(`${hops.length} hops are in the log, the agents counted ${counted}, ${seen} were reported durable`);
}
