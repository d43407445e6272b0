/** That the lab is what it says, shown without the overlay: a few datagrams from each host. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { eventually } from '../servers.ts';
import { NatLab } from './lab.ts';
import type { LabProcess } from './lab-process.ts';
import type { NatKind } from './nat.ts';
import type { ProbeCommand, ProbeLine, SayUdp } from './probe.ts';
import { labTools, type Tools } from './tools.ts';
import { RELAY_ADDRESSES, type LabNet, type Place } from './topology.ts';

const tools = labTools();
const WAN_A = '203.0.113.10';

/** The addresses of relay1 are two vantage points; relay2 is a third. */
const [RELAY1, RELAY1_OTHER] = RELAY_ADDRESSES.relay1;
const [RELAY2] = RELAY_ADDRESSES.relay2;

interface Probe {
  say(command: ProbeCommand): void;
  send(to: string, text: string, options?: Partial<SayUdp>): Promise<number>;
  /** The next datagram. */
  heard(): Promise<Extract<ProbeLine, { type: 'udp' }>>;
  /** The texts of the datagrams that came, up to this one. */
  until(text: string): Promise<readonly string[]>;
  readonly process: LabProcess<ProbeLine>;
}

type Probes<P extends Place> = Readonly<Record<P, Probe>> & { readonly lab: NatLab } & AsyncDisposable;

/** A lab with a home on each side, and a probe at each of these hosts. */
const probes = <P extends Place>(a: NatKind, b: NatKind, ...places: readonly P[]): Promise<Probes<P>> =>
  probesIn({ a, b }, ...places);

async function probesIn<P extends Place>(net: LabNet, ...places: readonly P[]): Promise<Probes<P>> {
  const lab = await NatLab.open(tools as Tools, net);
  const dispose = (): Promise<void> => lab[Symbol.asyncDispose]();
  try {
    const all = await Promise.all(places.map(async (place) => [place, await probe(lab, place)] as const));
    return { ...(Object.fromEntries(all) as Record<P, Probe>), lab, [Symbol.asyncDispose]: dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
}

async function probe(lab: NatLab, place: Place): Promise<Probe> {
  const process = lab.node<ProbeLine>(place, 'probe.ts');
  await process.next('ready');
  const say = (command: ProbeCommand): void => process.say(command);
  return {
    process,
    say,
    send: async (to, text, options = {}) => {
      say({ say: 'udp', to, text, ...options });
      return (await process.next('sent')).at;
    },
    heard: () => process.next('udp'),
    until: async (text) => {
      const texts: string[] = [];
      while (texts.at(-1) !== text) texts.push((await process.next('udp')).text);
      return texts;
    },
  };
}

const portOf = (endpoint: string): number => Number(endpoint.split(':')[1]);

/** How the socket of port 4000 at `a` is seen from each of two addresses. */
async function seen({ a, relay1, relay2 }: Probes<'a' | 'relay1' | 'relay2'>): Promise<readonly [string, string]> {
  await a.send(`${RELAY1}:4000`, 'hi');
  await a.send(`${RELAY2}:4000`, 'hi');
  return [(await relay1.heard()).from, (await relay2.heard()).from];
}

describe.skipIf(tools === undefined)('a NAT box', () => {
  test.each([
    ['none', '198.18.1.2:4000', ['another address', 'another port', 'the endpoint']],
    ['full', `${WAN_A}:4000`, ['another address', 'another port', 'the endpoint']],
    ['addr', `${WAN_A}:4000`, ['another port', 'the endpoint']],
    ['port', `${WAN_A}:4000`, ['the endpoint']],
    ['poison', `${WAN_A}:4000`, ['the endpoint']],
  ] as const)('%s: a socket is %s to all, and these get through', async (kind, endpoint, allowed) => {
    await using net = await probes(kind, 'none', 'a', 'relay1', 'relay2');
    const { a, relay1, relay2 } = net;
    await a.send(`${RELAY1}:4000`, 'hi');
    await a.send(`${RELAY1_OTHER}:4000`, 'hi');
    expect([(await relay1.heard()).from, (await relay1.heard()).from]).toEqual([endpoint, endpoint]);
    await relay2.send(endpoint, 'another address');
    await relay1.send(endpoint, 'another port', { port: 4001 });
    await relay1.send(endpoint, 'the endpoint');
    expect(await a.until('the endpoint')).toEqual(allowed);
  });

  test('sym: a socket is another port to each endpoint, and only that endpoint gets through', async () => {
    await using net = await probes('sym', 'none', 'a', 'relay1', 'relay2');
    const { a, relay1, relay2 } = net;
    const [one, other] = await seen(net);
    expect([one, other].map((endpoint) => endpoint.split(':')[0])).toEqual([WAN_A, WAN_A]);
    expect(portOf(one)).not.toBe(portOf(other));
    await a.send(`${RELAY1_OTHER}:4000`, 'hi');
    expect(portOf((await relay1.heard()).from)).not.toBe(portOf(one));
    await relay2.send(one, 'another address');
    await relay1.send(one, 'another port', { port: 4001 });
    await relay1.send(one, 'the endpoint');
    expect(await a.until('the endpoint')).toEqual(['the endpoint']);
  });

  test('full and addr: only a port from which the host has sent is open', async () => {
    await using net = await probes('full', 'none', 'a', 'relay1');
    const { a, relay1 } = net;
    await relay1.send(`${WAN_A}:4001`, 'too early');
    await a.send(`${RELAY2}:4000`, 'hi', { port: 4001 });
    await relay1.send(`${WAN_A}:4001`, 'open');
    expect(await a.until('open')).toEqual(['open']);
  });

  test.each([
    ['port', true],
    ['poison', false],
  ] as const)('%s: what comes before the host has sent leaves its port free: %s', async (kind, isFree) => {
    await using net = await probes(kind, 'none', 'a', 'relay1');
    const { a, relay1 } = net;
    await relay1.send(`${WAN_A}:4000`, 'early');
    await a.send(`${RELAY1}:4000`, 'hi');
    expect(portOf((await relay1.heard()).from) === 4000).toBe(isFree);
  });

  test('block: no UDP gets out, TCP does', async () => {
    await using net = await probes('block', 'none', 'a', 'relay1');
    const { a, relay1 } = net;
    await a.send(`${RELAY1}:4000`, 'lost');
    a.say({ say: 'tcp', to: `${RELAY1}:4000`, text: 'by tcp' });
    expect(await relay1.process.next('tcp')).toMatchObject({ text: 'by tcp', from: expect.stringContaining(WAN_A) as unknown });
    expect(relay1.process.drain('udp')).toEqual([]);
  });

  test('proxy: nothing gets out but through the proxy', async () => {
    await using net = await probes('proxy', 'none', 'a', 'relay1');
    const { lab, a, relay1 } = net;
    const proxy = await lab.startProxy('a');
    await a.send(`${RELAY1}:4000`, 'lost');
    a.say({ say: 'tcp', to: `${RELAY1}:4000`, text: 'lost as well' });
    await a.process.next('tcp-failed');
    a.say({ say: 'tcp', to: `${RELAY1}:4000`, text: 'by the proxy', proxy });
    expect((await relay1.process.next('tcp')).text).toBe('by the proxy');
    expect([...relay1.process.drain('udp'), ...relay1.process.drain('tcp')]).toEqual([]);
  });

  test('the address of a host in its network goes nowhere outside', async () => {
    await using net = await probes('none', 'port', 'a', 'b');
    const { lab, a, b } = net;
    await b.send(`${lab.publicAddress('a')}:4000`, 'opens');
    const { from } = await a.heard();
    await a.send(`${lab.address('b')}:4000`, 'lost');
    await a.send(from, 'arrives');
    expect(await b.until('arrives')).toEqual(['arrives']);
  });

  test('rebind: a symmetric box gives other ports, one that keeps ports lets nobody in any more', async () => {
    await using net = await probes('sym', 'port', 'a', 'b', 'relay1', 'relay2');
    const { lab, b, relay1, relay2 } = net;
    const [before] = await seen(net);
    await lab.rebind('a');
    const [after] = await seen(net);
    expect(portOf(after)).not.toBe(portOf(before));

    await b.send(`${RELAY1}:4000`, 'hi');
    const { from } = await relay1.heard();
    await lab.rebind('b');
    await relay1.send(from, 'lost');
    await b.send(`${RELAY2}:4000`, 'hi');
    expect((await relay2.heard()).from).toBe(from);
    await relay2.send(from, 'arrives');
    expect(await b.until('arrives')).toEqual(['arrives']);
  });

  test.each(['full', 'sym'] as const)('%s: renumber changes the public address', async (kind) => {
    await using net = await probes(kind, 'none', 'a', 'relay1', 'relay2');
    const { lab, relay1, a } = net;
    await seen(net);
    await lab.renumber('a');
    const [one] = await seen(net);
    expect(one.split(':')[0]).toBe(lab.publicAddress('a'));
    expect(lab.publicAddress('a')).not.toBe(WAN_A);
    await relay1.send(one, 'answer');
    expect(await a.until('answer')).toEqual(['answer']);
  });

  test.each(['none', 'addr', 'port'] as const)('%s: a host with another address is heard again', async (kind) => {
    await using net = await probes(kind, 'none', 'a', 'relay1', 'relay2');
    const { lab, a, relay1 } = net;
    await seen(net);
    const address = await lab.changeAddress('a');
    expect(address).toBe(kind === 'none' ? '198.18.1.3' : '192.168.1.3');
    const [one] = await seen(net);
    expect(one.startsWith(`${lab.publicAddress('a')}:`)).toBe(true);
    await relay1.send(one, 'answer');
    expect(await a.until('answer')).toEqual(['answer']);
  });

  test('a mapping that is not used expires', async () => {
    await using net = await probes('full', 'port', 'a', 'b', 'relay1');
    const { lab, relay1 } = net;
    const hosts = [net.a, net.b];
    const greet = async (host: Probe): Promise<string> => {
      await host.send(`${RELAY1}:4000`, 'hi');
      return (await relay1.heard()).from;
    };
    for (const side of ['a', 'b'] as const) await lab.expireMappings(side, { youngSeconds: 1, seconds: 1 });
    const endpoints = [await greet(net.a), await greet(net.b)];
    for (const endpoint of endpoints) await relay1.send(endpoint, 'in time');
    await wait(1_300);
    for (const endpoint of endpoints) await relay1.send(endpoint, 'too late');
    for (const host of hosts) {
      await relay1.send(await greet(host), 'again');
      expect(await host.until('again')).toEqual(['in time', 'again']);
    }
  });
});

describe.skipIf(tools === undefined)('boxes behind boxes', () => {
  test.each([
    ['port/port', true],
    ['full/addr', true],
    ['port/sym', false],
    ['sym/port', false],
  ] as const)('%s: a socket is one endpoint to all, that of the outer box: %s', async (chain, isOne) => {
    await using net = await probesIn({ a: chain, b: 'none' }, 'a', 'relay1', 'relay2');
    const { a, relay1 } = net;
    const [one, other] = await seen(net);
    expect([one, other].map((endpoint) => endpoint.split(':')[0])).toEqual([WAN_A, WAN_A]);
    expect(one === other).toBe(isOne);
    await relay1.send(one, 'answer');
    expect(await a.until('answer')).toEqual(['answer']);
  });

  test('full/port and port/full: the stricter box decides who gets through', async () => {
    for (const chain of ['full/port', 'port/full'] as const) {
      await using net = await probesIn({ a: chain, b: 'none' }, 'a', 'relay1', 'relay2');
      const { a, relay1, relay2 } = net;
      await a.send(`${RELAY1}:4000`, 'hi');
      const { from } = await relay1.heard();
      await relay2.send(from, 'another address');
      await relay1.send(from, 'the endpoint');
      expect(await a.until('the endpoint')).toEqual(['the endpoint']);
    }
  });

  test('rebind: both boxes forget', async () => {
    await using net = await probesIn({ a: 'full/full', b: 'none' }, 'a', 'relay1', 'relay2');
    const { lab, a, relay1 } = net;
    const [before] = await seen(net);
    await lab.rebind('a');
    await relay1.send(before, 'lost');
    await seen(net);
    await relay1.send(before, 'arrives');
    expect(await a.until('arrives')).toEqual(['arrives']);
  });

  test('renumber changes the public address, which is that of the carrier', async () => {
    await using net = await probesIn({ a: 'port/port', b: 'none' }, 'a', 'relay1', 'relay2');
    const { lab } = net;
    await seen(net);
    await lab.renumber('a');
    const [one] = await seen(net);
    expect(one.split(':')[0]).toBe('203.0.113.41');
    expect(lab.publicAddress('a')).toBe('203.0.113.41');
  });
});

describe.skipIf(tools === undefined)('hosts behind one box', () => {
  const HOME = { a: 'port', b: 'port', shares: 'home' } as const;

  test('reach each other by their own addresses, and have one public address', async () => {
    await using net = await probesIn(HOME, 'a', 'b', 'relay1');
    const { lab, a, b, relay1 } = net;
    await a.send(`${lab.address('b')}:4000`, 'near');
    expect(await b.heard()).toMatchObject({ text: 'near', from: '192.168.1.2:4000' });
    await a.send(`${RELAY1}:4000`, 'hi');
    await b.send(`${RELAY1}:4000`, 'hi', { port: 4001 });
    expect([(await relay1.heard()).from, (await relay1.heard()).from].toSorted()).toEqual([`${WAN_A}:4000`, `${WAN_A}:4001`]);
  });

  test('isolated: not by their own addresses', async () => {
    await using net = await probesIn({ ...HOME, isolated: true }, 'a', 'b', 'relay1');
    const { lab, a, b, relay1 } = net;
    await a.send(`${lab.address('b')}:4000`, 'lost');
    await b.send(`${RELAY1}:4000`, 'hi');
    await relay1.send((await relay1.heard()).from, 'end');
    expect(await b.until('end')).toEqual(['end']);
  });

  /** What `b`, at 4001, hears of what `a`, at 4000, sends to the address of the box, before `b` has sent anything there, and after. */
  async function hairpin(net: LabNet): Promise<readonly string[]> {
    await using probesOf = await probesIn(net, 'a', 'b', 'relay1');
    const { lab, a, b, relay1 } = probesOf;
    await b.send(`${RELAY1}:4000`, 'hi', { port: 4001 });
    const { from } = await relay1.heard();
    const to = `${lab.publicAddress('a')}:4001`;
    await a.send(to, 'early');
    await b.send(`${lab.publicAddress('b')}:9`, 'opens the address', { port: 4001 });
    await a.send(to, 'by address');
    await b.send(`${lab.publicAddress('b')}:4000`, 'opens the endpoint', { port: 4001 });
    await a.send(to, 'by endpoint');
    await relay1.send(from, 'end');
    return b.until('end');
  }

  test.each([
    ['full', ['early', 'by address', 'by endpoint', 'end']],
    ['addr', ['by address', 'by endpoint', 'end']],
    ['port', ['by endpoint', 'end']],
  ] as const)('%s: by the public address with a hairpin, as from outside; else not', async (kind, heard) => {
    const net: LabNet = { a: kind, b: kind, shares: 'home', isolated: true };
    expect(await hairpin(net)).toEqual(['end']);
    expect(await hairpin({ ...net, hairpin: true })).toEqual(heard);
  });

  test('two homes of one carrier: by its hairpin, as far as the home lets it in', async () => {
    const net: LabNet = { a: 'port/full', b: 'port/full', shares: 'carrier' };
    expect(await hairpin(net)).toEqual(['end']);
    expect(await hairpin({ ...net, hairpin: true })).toEqual(['by endpoint', 'end']);
  });

  test('who cannot share a box is told', async () => {
    await expect(NatLab.open(tools as Tools, { a: 'port', b: 'sym', shares: 'home' })).rejects.toThrow('cannot share');
    await expect(NatLab.open(tools as Tools, { a: 'port/sym', b: 'port/full', shares: 'carrier' })).rejects.toThrow(
      'cannot share',
    );
    await expect(NatLab.open(tools as Tools, { a: 'port/sym', b: 'port/sym', shares: 'home' })).rejects.toThrow('cannot share');
    await expect(NatLab.open(tools as Tools, { a: 'sym', b: 'sym', shares: 'home', hairpin: true })).rejects.toThrow(
      'no hairpin',
    );
  });
});

describe.skipIf(tools === undefined)('the Internet of the lab', () => {
  test('it is long: an opener with a low TTL leaves its network and does not arrive', async () => {
    await using net = await probes('none', 'port', 'a', 'b');
    const { a, b } = net;
    await b.send('198.18.1.2:4000', 'opener', { ttl: 5 });
    await a.send('203.0.113.22:4000', 'by the hole');
    expect(await b.until('by the hole')).toEqual(['by the hole']);
    expect(a.process.drain('udp')).toEqual([]);
  });

  test('the direct way is cut and healed; the relays stay', async () => {
    await using net = await probes('none', 'port', 'a', 'b', 'relay1');
    const { lab, a, b, relay1 } = net;
    await lab.cutDirect(true);
    await b.send('198.18.1.2:4000', 'lost');
    await b.send(`${RELAY1}:4000`, 'to the relay');
    expect((await relay1.heard()).text).toBe('to the relay');
    await lab.cutDirect(false);
    await b.send('198.18.1.2:4000', 'healed');
    expect(await a.until('healed')).toEqual(['healed']);
  });

  test('UDP is blocked later, and passes again; a mapping is kept', async () => {
    await using net = await probes('full', 'none', 'a', 'relay1', 'relay2');
    const { lab, a, relay1, relay2 } = net;
    await a.send(`${RELAY1}:4000`, 'hi');
    const { from } = await relay1.heard();
    await lab.blockUdp('a', true);
    await relay1.send(from, 'lost');
    await lab.blockUdp('a', false);
    await relay2.send(from, 'passes');
    expect(await a.until('passes')).toEqual(['passes']);
  });

  test('a relay is silent, and speaks again', async () => {
    await using net = await probes('port', 'none', 'a', 'relay1', 'relay2');
    const { lab, a, relay1, relay2 } = net;
    await lab.silence('relay1', true);
    await a.send(`${RELAY1}:4000`, 'lost');
    await a.send(`${RELAY1_OTHER}:4000`, 'lost');
    await a.send(`${RELAY2}:4000`, 'arrives');
    expect(await relay2.until('arrives')).toEqual(['arrives']);
    await lab.silence('relay1', false);
    await a.send(`${RELAY1}:4000`, 'back');
    expect(await relay1.until('back')).toEqual(['back']);
  });

  test('it loses a fifth of the UDP, by chance', async () => {
    await using net = await probes('port', 'none', 'a', 'relay1');
    const { lab, a, relay1 } = net;
    await lab.lose(20);
    await a.send(`${RELAY1}:4000`, 'x', { count: 1000 });
    await lab.lose(0);
    await a.send(`${RELAY1}:4000`, 'end');
    const arrived = (await relay1.until('end')).length - 1;
    // Eight standard deviations to each side.
    expect(arrived).toBeGreaterThan(700);
    expect(arrived).toBeLessThan(900);
  });
});

describe.skipIf(tools?.hasTun !== true)('the impairment', () => {
  /** Milliseconds from `a` to relay1 and back. */
  async function roundTrip({ a, relay1 }: Probes<'a' | 'relay1'>): Promise<number> {
    relay1.say({ echo: true });
    const sent = await a.send(`${RELAY1}:4000`, 'ping');
    return (await a.heard()).at - sent;
  }

  test('delay is each way, and goes away', async () => {
    await using net = await probes('port', 'none', 'a', 'relay1');
    await net.lab.impair({ delayMs: 30 });
    expect(await roundTrip(net)).toBeGreaterThanOrEqual(59);
    await net.lab.impair({});
    await net.a.send(`${RELAY1}:4000`, 'no delay');
    expect(await net.a.until('no delay')).toEqual(['no delay']);
  });

  test('loss, doubles and reordering', async () => {
    await using net = await probes('port', 'none', 'a', 'relay1');
    const { lab, a, relay1 } = net;
    await lab.impair({ lossPercent: 10, dupPercent: 10, reorderPercent: 10, delayMs: 5 });
    for (let n = 0; n < 300; n++) a.say({ say: 'udp', to: `${RELAY1}:4000`, text: String(n) });
    await eventually('all were sent', () => a.process.count('sent') === 300);
    await wait(50);
    await lab.impair({});
    await a.send(`${RELAY1}:4000`, '300');
    const numbers = (await relay1.until('300')).map(Number);
    const once = new Set(numbers);
    expect(once.size).toBeLessThan(296);
    expect(once.size).toBeGreaterThan(220);
    expect(numbers.length).toBeGreaterThan(once.size + 5);
    expect(numbers).not.toEqual(numbers.toSorted((x, y) => x - y));
  });

  test('a rate with its queue: what does not fit is dropped, what does fit takes its time', async () => {
    await using net = await probes('port', 'none', 'a', 'relay1');
    const { lab, a, relay1 } = net;
    await lab.impair({ rateMbit: 1, queueKb: 16 });
    await a.send(`${RELAY1}:4000`, 'x', { count: 100, bytes: 1000 });
    await wait(250);
    const times = relay1.process.drain('udp').map((line) => line.at);
    // The queue holds 16; each packet of 1029 bytes takes 8 ms.
    expect(times.length).toBeGreaterThanOrEqual(16);
    expect(times.length).toBeLessThan(100);
    expect((times.at(-1) as number) - (times[0] as number)).toBeGreaterThan(times.length * 4);
  });
});

describe.skipIf(tools === undefined)('a lab', () => {
  test('two side by side do not see each other', async () => {
    await using one = await probes('port', 'none', 'a', 'relay1');
    await using two = await probes('port', 'none', 'a', 'relay1');
    await one.a.send(`${RELAY1}:4000`, 'one');
    await two.a.send(`${RELAY1}:4000`, 'two');
    expect([(await one.relay1.heard()).text, (await two.relay1.heard()).text]).toEqual(['one', 'two']);
    expect(two.relay1.process.drain('udp')).toEqual([]);
  });

  test('whoever holds it is killed: its processes and namespaces are gone', async () => {
    const script = fileURLToPath(new URL('held.ts', import.meta.url));
    const holder = spawn(process.execPath, ['--conditions=reprise-source', script], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [text] = (await once(holder.stdout, 'data')) as [Buffer];
    const pids = JSON.parse(text.toString()) as readonly number[];
    expect(pids.every((pid) => existsSync(`/proc/${pid}`))).toBe(true);
    holder.kill('SIGKILL');
    await eventually('nothing of it is left', () => pids.every((pid) => !existsSync(`/proc/${pid}`)));
  });

  test('a process that fails is told with what it said', async () => {
    await using lab = await NatLab.open(tools as Tools, { a: 'none', b: 'none' });
    const failing = lab.run<{ type: 'ready' }>('a', 'sh', ['-c', 'echo it went wrong >&2; exit 3']);
    await expect(failing.next('ready')).rejects.toThrow(/ended with 3.*it went wrong/);
  });
});
