/**
 * Names of hosts that are looked up. Where names are not answered, as behind a captive portal, each takes 10 to 30 s on a thread of libuv while
 * it is asked for every second: so one text is looked up once at a time, and few in all. Those of the configuration do not wait behind those that
 * others have told of, who may tell of any number.
 */
import { lookup } from 'node:dns/promises';
import { Lanes } from '../lanes.ts';
import type { Endpoint } from '../paths/endpoint.ts';

/** Of the whole process. */
const CONFIGURED_AT_ONCE = 2;
const TOLD_AT_ONCE = 1;
/** Texts that are looked up or wait for it. Relays tell of any number; more are not found, and are asked for again. */
export const LOOKUPS_MAX = 256;
const HOST_PORT = /^(.+):(\d{1,5})$/;

const lanes = { configured: new Lanes(CONFIGURED_AT_ONCE), told: new Lanes(TOLD_AT_ONCE) };

export class Lookups {
  private readonly resolve: (host: string) => Promise<readonly string[]>;
  private readonly configured: ReadonlySet<string>;
  private readonly underWay = new Map<string, Promise<readonly Endpoint[]>>();

  /** `configured`: texts of the configuration. `resolve`: IP addresses of a host; default: as the system does it. */
  constructor(configured: ReadonlySet<string>, resolve: (host: string) => Promise<readonly string[]> = addressesOf) {
    this.configured = configured;
    this.resolve = resolve;
  }

  /** Of a text `host:port`. None: it is no such text, nobody has the name, or too many are asked for. Never rejects. */
  endpoints(text: string): Promise<readonly Endpoint[]> {
    const known = this.underWay.get(text);
    if (known !== undefined) return known;
    const [, host = '', digits = ''] = HOST_PORT.exec(text) ?? [];
    const port = Number(digits);
    const isConfigured = this.configured.has(text);
    const isFull = !isConfigured && this.underWay.size >= LOOKUPS_MAX;
    if (host === '' || port < 1 || port > 0xffff || isFull) return Promise.resolve([]);
    const looked = lanes[isConfigured ? 'configured' : 'told']
      .run(() => this.resolve(host))
      .then((addresses) => addresses.map((address) => ({ host: address, port })))
      .catch(() => [])
      .finally(() => this.underWay.delete(text));
    this.underWay.set(text, looked);
    return looked;
  }
}

const addressesOf = async (host: string): Promise<readonly string[]> =>
  (await lookup(host, { all: true })).map(({ address }) => address);
