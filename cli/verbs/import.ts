/** `reprise import` */
import { basename, resolve } from 'node:path';
import type { ImportedLog } from '../../core/operator/archive.ts';
import { importLogs } from '../log-file.ts';
import type { Call } from '../command.ts';
import { Reach } from '../reach.ts';
import { publicKey } from '../signature.ts';

export async function run(call: Call): Promise<void> {
  await using reach = new Reach(call);
  const path = resolve(call.arg(0));
  const as = call.text('as') ?? basename(path).replace(/\.(?:jsonl|ndjson|json)$/, '');
  const by = call.text('signer');
  const signer = by === undefined ? undefined : publicKey(by);
  const running = await reach.running();
  const logs =
    running === undefined
      ? await importLogs(await reach.own(), path, as, signer)
      : await running.call<ImportedLog[]>('import', { path, as, ...(signer !== undefined && { signer }) });
  for (const { actor, records } of logs) call.io.out(`${actor}: ${records} records`);
  call.io.note(`look at them with --imported ${as}, as in: \`reprise replay ${logs[0]?.actor ?? 'ACTOR'} --imported ${as}\``);
}
