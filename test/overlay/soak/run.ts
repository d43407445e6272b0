/** `npm run soak -- [minutes]`: an hour, if nothing else is said, at 1 % loss with new keys every 5 s. Exit code 1: something was lost, doubled or kept. */
import { soak, type SoakReport } from './soak.ts';

const minutes = Number(process.argv[2] ?? 60);
if (!(minutes > 0)) throw new RangeError(`minutes are a number above 0, not ${process.argv[2]}`);

/** So much more heap at the end than after the first tenth is no leak, MB. */
const GROWTH_MB = 4;

function said({ ms, sent, delivered, received, handshakes, datagrams, datagramsLost, heapMb, events }: SoakReport): string {
  const times = `${(ms / 60_000).toFixed(1)} min: ${sent} sent, ${delivered} delivered, ${received} received`;
  const wire = `${datagramsLost} of ${datagrams} datagrams lost, ${handshakes} handshakes`;
  return `${times}; ${wire}; heap ${heapMb.at(-1)?.toFixed(1)} MB; ${JSON.stringify(events)}`;
}

const report = await soak({
  durationMs: minutes * 60_000,
  loss: 0.01,
  rekeyMs: 5_000,
  perSecond: 200,
  seed: 1,
  looks: 10,
  onLook: (look) => console.log(said(look)),
});
console.log(said(report));
const { sent, delivered, received, doubled, early, spoiled, failures, heapMb } = report;
const grown = (heapMb.at(-1) as number) - (heapMb[0] as number);
const faults = [
  received === sent && delivered === sent ? '' : `${sent} sent, ${delivered} delivered, ${received} received`,
  doubled + early + spoiled === 0 ? '' : `${doubled} doubled, ${early} out of order, ${spoiled} spoiled`,
  failures.length === 0 ? '' : `failed: ${failures.join('; ')}`,
  grown <= GROWTH_MB ? '' : `the heap grew by ${grown.toFixed(1)} MB: ${heapMb.map((mb) => mb.toFixed(1)).join(', ')}`,
].filter((fault) => fault !== '');
console.log(faults.length === 0 ? `nothing lost, nothing doubled; the heap grew by ${grown.toFixed(1)} MB` : faults.join('\n'));
process.exitCode = faults.length === 0 ? 0 : 1;
