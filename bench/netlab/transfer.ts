/**
 * 5 MB across the NAT lab (test/natlab/): `node transfer.ts '{"kind":"overlay","lossPercent":2, ...}'`. RTT 30 ms, 100 Mbit/s, a queue of
 * 400 KB, and loss both ways, by a TUN device; both hosts are behind plain routers. Its last line is what a sample says.
 */
import { fileURLToPath } from 'node:url';
import { NatLab } from '../../test/natlab/lab.ts';
import { labTools } from '../../test/natlab/tools.ts';
import type { TransferEndInput, TransferLine } from './transfer-end.ts';

export interface TransferInput {
  readonly kind: 'overlay' | 'udx' | 'tcp';
  readonly lossPercent: number;
  readonly bytes: number;
  readonly seed: number;
}

const LINE = { delayMs: 15, rateMbit: 100, queueKb: 400 } as const;
const LIMIT_MS = 120_000;
const END = fileURLToPath(new URL('transfer-end.ts', import.meta.url));

const tools = labTools();
if (tools?.hasTun !== true) throw new Error('the lab is not available here');
const { kind, lossPercent, bytes, seed } = JSON.parse(process.argv[2] ?? '') as TransferInput;
await using lab = await NatLab.open(tools, { a: 'none', b: 'none' });
await lab.impair({ ...LINE, lossPercent, seed });

const start = (side: 'a' | 'b', input: TransferEndInput) =>
  lab.run<TransferLine>(side, process.execPath, ['--conditions=reprise-source', END, JSON.stringify(input)]);
const receiver = start('b', { kind, role: 'receiver', host: lab.address('b'), bytes });
await receiver.next('ready', LIMIT_MS);
const sender = start('a', { kind, role: 'sender', host: lab.address('b'), bytes });
const sent = await sender.next('done', LIMIT_MS);
const received = await receiver.next('done', LIMIT_MS);
const { user, system } = process.cpuUsage();
const measured = { seconds: sent.ms / 1e3, sendMs: sent.cpuUs / 1e3, receiveMs: received.cpuUs / 1e3 };
console.log(JSON.stringify({ measured, cpuMs: (user + system + sent.cpuUs + received.cpuUs) / 1e3 }));
