/** `reprise prune` */
import type { Prunable } from '../../core/operator/retention.ts';
import type { Call } from '../command.ts';
import { Reach } from '../reach.ts';
import { timeText } from '../render/text.ts';

export async function run(call: Call): Promise<void> {
  await using reach = new Reach(call);
  const dryRun = call.flag('dry-run');
  const running = await reach.running();
  const what = running === undefined ? await offline(reach, dryRun) : await running.call<Prunable>('prune', { dryRun });
  if (call.isJson) return call.io.json({ dryRun, ...what });
  const { actors, tombstones, blobs } = what;
  const verb = dryRun ? 'would go' : 'went';
  for (const { address, records, endedAt } of actors)
    call.io.out(`${address}: ${records} records ${verb}; it ended ${timeText(endedAt)}`);
  for (const address of tombstones) call.io.out(`${address}: its last trace ${verb}`);
  if (blobs.length > 0)
    call.io.out(`${blobs.length} payloads that nothing names ${verb}, ${blobs.reduce((sum, b) => sum + b.bytes, 0)} bytes`);
  if (actors.length + tombstones.length + blobs.length === 0) call.io.note('nothing is past its retention');
}

async function offline(reach: Reach, dryRun: boolean): Promise<Prunable> {
  const { upkeep } = await reach.upkeep();
  const what = await upkeep.prunable();
  if (!dryRun) await upkeep.prune(what);
  return what;
}
