/** 5 MB through loss, in network namespaces: our overlay beside the TCP of the kernel with BBR, and `udx-native`. */
import { of, type Scenario, scenario, type Subject } from '../lib/scenario.ts';
import type { TransferInput } from '../netlab/transfer.ts';
import { labTools } from '../../test/natlab/tools.ts';

const MEGABYTES = 5;

export const transfers = (quick: boolean): readonly Scenario[] =>
  [0, 2, 5, 20].map((loss) => transfer(loss, quick ? 1 : MEGABYTES));

function transfer(lossPercent: number, megabytes: number): Scenario {
  const subject = (kind: TransferInput['kind']): Subject => {
    const input: TransferInput = { kind, lossPercent, bytes: megabytes << 20, seed: 1 };
    return {
      node: [
        '--conditions=reprise-source',
        '--disable-warning=ExperimentalWarning',
        'bench/netlab/transfer.ts',
        JSON.stringify(input),
      ],
    };
  };
  return scenario({
    name: `overlay-transfer-${lossPercent}`,
    title: `W7: ${megabytes} MB with ${lossPercent} % lost each way, RTT 30 ms, 100 Mbit/s; beside it TCP with BBR, and udx-native`,
    note: 'From the first byte to the word that all are there; connections are open before.',
    subjects: { ours: subject('overlay'), tcp: subject('tcp'), udx: subject('udx') },
    unavailable: () => (labTools()?.hasTun === true ? undefined : 'network namespaces with a TUN device cannot be made here'),
    metrics: ({ ours, tcp, udx }) => [
      { name: 'seconds', unit: 's', value: of(ours, 'seconds') },
      { name: 'tcp', unit: 's', value: of(tcp, 'seconds') },
      { name: 'udx', unit: 's', value: of(udx, 'seconds') },
      { name: 'to-udx', unit: 'x', value: of(ours, 'seconds') / of(udx, 'seconds') },
      { name: 'to-tcp', unit: 'x', value: of(ours, 'seconds') / of(tcp, 'seconds') },
      { name: 'send-cpu', unit: 'ms', value: of(ours, 'sendMs') },
      { name: 'receive-cpu', unit: 'ms', value: of(ours, 'receiveMs') },
      { name: 'udx-send-cpu', unit: 'ms', value: of(udx, 'sendMs') },
    ],
  });
}
