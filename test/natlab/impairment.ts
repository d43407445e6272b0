/** Delay, loss and the rest for all packets that pass the core, by `impair.py`: this kernel need not have `netem`. */
import { fileURLToPath } from 'node:url';
import type { LabProcess } from './lab-process.ts';
import type { Namespace } from './namespace.ts';
import { IMPAIR_DEVICE } from './nat.ts';

/** What is left out is none. All one way; a packet passes once. */
export interface Impairment {
  readonly delayMs?: number;
  readonly jitterMs?: number;
  readonly lossPercent?: number;
  readonly dupPercent?: number;
  readonly reorderPercent?: number;
  readonly rateMbit?: number;
  /** Of the link of `rateMbit`; 256 by default. */
  readonly queueKb?: number;
  readonly seed?: number;
}

const SCRIPT = fileURLToPath(new URL('impair.py', import.meta.url));
/** Policy routing: what enters by a link of the core looks here, what comes from the device in the main table. */
const TABLE = 100;

export class Impairer implements AsyncDisposable {
  private readonly process: LabProcess<{ type: 'ready' } | { type: 'impaired' }>;

  private constructor(process: Impairer['process']) {
    this.process = process;
  }

  /** `links`: of the core. */
  static async start(core: Namespace, links: readonly string[]): Promise<Impairer> {
    if (!core.tools.hasTun) throw new Error('/dev/net/tun cannot be opened');
    const impairer = new Impairer(core.run(core.tools.python, [SCRIPT, IMPAIR_DEVICE]));
    await impairer.process.next('ready');
    await core.sysctl({ 'net.ipv4.conf.all.rp_filter': 0, [`net.ipv4.conf.${IMPAIR_DEVICE}.rp_filter`]: 0 });
    await core.ip(
      `link set ${IMPAIR_DEVICE} up mtu 1500 txqueuelen 10000`,
      `route replace default dev ${IMPAIR_DEVICE} table ${TABLE}`,
      ...links.map((link) => `rule add iif ${link} lookup ${TABLE}`),
    );
    return impairer;
  }

  async set(impairment: Impairment): Promise<void> {
    this.process.say(impairment);
    await this.process.next('impaired');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.process[Symbol.asyncDispose]();
  }
}
