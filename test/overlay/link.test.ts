import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import type { Link } from '../../core/ports/link.ts';
import { direct } from '../../transport/direct.ts';
import { nodeOfName, overlayLink, overlayName } from '../../transport/overlay/link.ts';
import { msgpack } from '../../transport/msgpack.ts';
import type { OverlayEvent } from '../../transport/overlay/node/ports.ts';
import type { Overlay, OverlayOptions, PeerRef } from '../../transport/overlay/overlay.ts';
import { conform } from '../conformance/conform.ts';
import { linkCases, type LinkSubject } from '../conformance/link.ts';
import { mailboxesCases, type MailboxesSubject } from '../conformance/mailboxes.ts';
import { eventually } from '../servers.ts';
import { certified, holderOf, keyOf, placeOf, relayNode } from './certified.ts';

const PROCESS = join(import.meta.dirname, 'link-process.ts');
const passes = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 2));
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

/** A relay, and links of nodes that know no more than it. */
class Mesh implements AsyncDisposable {
  readonly relay: Overlay;
  readonly overlays = new Map<string, Overlay>();
  private readonly links: Link[] = [];
  private readonly others: Overlay[] = [];

  private constructor(relay: Overlay) {
    this.relay = relay;
  }

  static async begin(): Promise<Mesh> {
    return new Mesh(await relayNode());
  }

  link(options: Partial<OverlayOptions> = {}): Link {
    const link = overlayLink({
      open: async (name) => {
        const overlay = await this.certified(name, options);
        this.overlays.set(name, overlay);
        return overlay;
      },
    });
    this.links.push(link);
    return link;
  }

  /** Started, with what it hears on channel x. */
  async node(name: string, options: Partial<OverlayOptions> = {}): Promise<{ link: Link; heard: string[] }> {
    const link = this.link(options);
    const heard: string[] = [];
    link.onMessage('x', (from, bytes) => heard.push(`${from}: ${bytes.length > 99 ? bytes.length : text(bytes)}`));
    await link.start(name);
    return { link, heard };
  }

  /** A member that is no node of the mesh. */
  async member(name: string, options: Partial<OverlayOptions> = {}): Promise<Overlay> {
    const overlay = await this.certified(name, options);
    this.others.push(overlay);
    return overlay;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.links, ...this.others].map((each) => each.stop()));
    await this.relay.stop();
  }

  private certified(name: string, options: Partial<OverlayOptions>): Promise<Overlay> {
    return certified(name, { relays: [placeOf(this.relay)], ...options });
  }
}

async function subject(): Promise<LinkSubject> {
  const mesh = await Mesh.begin();
  return { link: () => mesh.link(), passes, close: () => mesh[Symbol.asyncDispose]() };
}

async function mailboxes(): Promise<MailboxesSubject> {
  const mesh = await Mesh.begin();
  const owners: Readonly<Record<string, string>> = { 'default/0': 'here', 'default/1': 'there' };
  const node = async (name: string): Promise<ReturnType<typeof direct>> => {
    const link = mesh.link();
    const ownerOf = (shard: string): string | undefined => owners[shard];
    const box = direct({ node: name, link, codec: msgpack(), ownerOf, soon: (fn) => void setImmediate(fn) });
    await box.start();
    await link.start(name);
    return box;
  };
  return { here: await node('here'), there: await node('there'), passes, close: () => mesh[Symbol.asyncDispose]() };
}

conform('a link over overlays and a relay', linkCases, subject);
conform('direct mailboxes over it', mailboxesCases, mailboxes);

const ref = (publicKey: string, name: string): PeerRef => ({ publicKey, name, address: undefined });
const bytes = (of: string): Uint8Array => new TextEncoder().encode(of);

describe('who is who', () => {
  test('a member that claims the name of another in its record gets nothing that is for it', async () => {
    await using mesh = await Mesh.begin();
    const thief = await mesh.member('thief', { name: 'b' });
    const stolen: string[] = [];
    for (const channel of ['link/m/x', 'x']) thief.onMessage(channel, (_, message) => stolen.push(text(message)));
    const { link } = await mesh.node('a');
    const [overlay] = [...mesh.overlays.values()] as [Overlay];
    await eventually('its claim is told', async () => (await overlay.members()).some(({ name }) => name === 'b'));
    link.send('b', 'x', bytes('early'));
    const sent = overlay.send('b', 'x', bytes('early, and awaited'));
    await overlay.connect(thief.publicKey);
    link.send('b', 'x', bytes('while the thief is connected'));
    const { heard } = await mesh.node('b');
    await sent;
    link.send('b', 'x', bytes('late'));
    await eventually('all of it arrives', () => heard.length === 3);
    expect(heard).toEqual(['a: early', 'a: while the thief is connected', 'a: late']);
    await overlay.send(thief.publicKey, 'x', bytes('for the thief'));
    expect(stolen).toEqual(['for the thief']);
  });

  test('a node speaks under no other name than its own', async () => {
    await using mesh = await Mesh.begin();
    const { heard, link } = await mesh.node('b');
    const thief = await mesh.member('thief', { name: 'a' });
    // As certificates may say, but none of a node `a`.
    const twin = await mesh.member('x--61');
    for (const each of [thief, twin]) {
      const { publicKey } = await each.connect(keyOf(await holderOf('b')));
      await each.send(publicKey, 'link/here', Uint8Array.of(1));
      await each.send(publicKey, 'link/m/x', bytes('I am a'));
    }
    await eventually('it is heard', () => heard.length > 0);
    expect(heard).toEqual(['thief: I am a']);
    expect(link.peers()).toEqual(['thief']);
  });

  test('a node that has another name in the overlay does not start, and leaves nothing behind', async () => {
    await using mesh = await Mesh.begin();
    let opened: Overlay | undefined;
    const link = overlayLink({ open: async () => (opened = await mesh.member('a')) });
    await expect(link.start('b')).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
    await expect(opened?.connect(mesh.relay.publicKey)).rejects.toMatchObject({ code: 'NET_CLOSED' });
    expect([link.endpoint, link.peers()]).toEqual(['', []]);
  });

  test('each name of a node has one in the overlay, and no two have the same', () => {
    const nodes = ['a', 'A', 'a.b', 'ä/1 x', '*', '>', 'x--61', 'x--', '', ' ', '.', 'x'.repeat(63), 'x-y', '\u{1f600}'];
    const names = nodes.map(overlayName);
    expect(names.map(nodeOfName)).toEqual(nodes);
    expect(new Set(names).size).toBe(nodes.length);
    for (const name of names) expect(name).toMatch(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/);
    for (const name of ['x--61', 'x--C3A4', 'x--c3', 'x--zz', 'x--c3a', '']) expect(nodeOfName(name)).toBeUndefined();
    for (const long of ['x'.repeat(64), 'ä'.repeat(16)])
      expect(() => overlayName(long)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
  });
});

test('a message of bytesMax passes over a relayed path', async () => {
  await using mesh = await Mesh.begin();
  const [a, b] = [await mesh.node('a'), await mesh.node('b')];
  await eventually('both know each other', () => a.link.peers().length === 1 && b.link.peers().length === 1);
  const before = mesh.relay.status().serves?.bytes ?? 0;
  a.link.send('b', 'x', new Uint8Array(a.link.bytesMax));
  await eventually('it arrives', () => b.heard.length > 0);
  expect(b.heard).toEqual([`a: ${2 ** 20}`]);
  expect(
    mesh.overlays
      .get('a')
      ?.status()
      .peers.find(({ name }) => name === 'b')?.kind,
  ).toBe('relayed');
  expect((mesh.relay.status().serves?.bytes ?? 0) - before).toBeGreaterThan(2 ** 20);
});

test('a link that is stopped while it starts leaves nothing behind', async () => {
  await using mesh = await Mesh.begin();
  const link = mesh.link();
  const starting = link.start('a');
  await link.stop();
  await starting;
  await expect(mesh.overlays.get('a')?.connect(mesh.relay.publicKey)).rejects.toMatchObject({ code: 'NET_CLOSED' });
});

test('nodes find each other without a relay, by their configurations', async () => {
  await using mesh = await Mesh.begin();
  const a = await mesh.node('a', { relays: [] });
  const [overlay] = [...mesh.overlays.values()] as [Overlay];
  const b = await mesh.node('b', { relays: [], peers: [placeOf(overlay)] });
  await eventually('both know each other', () => a.link.peers().includes('b') && b.link.peers().includes('a'));
  a.link.send('b', 'x', bytes('hello'));
  await eventually('it arrives', () => b.heard.length > 0);
  expect(b.heard).toEqual(['a: hello']);
});

test('A15: members that a relay makes up by the thousand keep nobody out who was here before, or is named in the configuration', async () => {
  const made = Array.from({ length: 1_000 }, (_, i) => ref(`${i}`.padStart(64, '0'), `made${i}`));
  const [named, known] = [ref('aa'.repeat(32), 'named'), ref('bb'.repeat(32), 'known')];
  const asked: string[] = [];
  let hear: (from: PeerRef, bytes: Uint8Array) => void = () => undefined;
  let tell: (event: OverlayEvent) => void = () => undefined;
  const overlay = {
    publicKey: 'cc'.repeat(32),
    status: () => ({ name: 'a' }),
    onMessage: (_: string, handler: typeof hear) => (hear = handler),
    onEvent: (listener: typeof tell) => (tell = listener),
    peers: () => [{ ...named, isConnected: false }],
    members: () => new Promise((resolve) => setImmediate(resolve, [...made, known])),
    post: () => undefined,
    // Nobody of them answers.
    connect: (key: string) => new Promise(() => asked.push(key)),
    stop: () => Promise.resolve(),
  } as unknown as Overlay;
  const start = async (before: () => void): Promise<readonly string[]> => {
    const link = overlayLink({ open: () => Promise.resolve(overlay) });
    await link.start('a');
    before();
    await eventually('as many are connected to as may be', () => asked.length === 64);
    await link.stop();
    return asked.splice(0);
  };
  const first = await start(() => {
    hear(known, Uint8Array.of(1));
    tell({ type: 'peer_down', peer: known.publicKey, name: 'known', reason: 'it does not answer' });
  });
  expect(first.slice(0, 2).toSorted()).toEqual([named.publicKey, known.publicKey]);
  // And of the others not always the same.
  expect(new Set([...first, ...(await start(() => undefined))]).size).toBeGreaterThan(first.length + 20);
});

describe('processes', () => {
  const children: ChildProcess[] = [];
  afterEach(async () => {
    for (const child of children.splice(0)) if (child.exitCode === null && child.signalCode === null) await killed(child);
  });
  async function killed(child: ChildProcess): Promise<void> {
    const exit = once(child, 'exit');
    child.kill('SIGKILL');
    await exit;
  }

  test('a node that is killed and comes back is met again, and answers', async () => {
    await using mesh = await Mesh.begin();
    const start = (): ChildProcess => {
      const args = ['--conditions=reprise-source', PROCESS, 'b', JSON.stringify(placeOf(mesh.relay))];
      const child = spawn(process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit'] });
      children.push(child);
      return child;
    };
    const { link } = await mesh.node('a');
    const answers = new Set<string>();
    link.onMessage('pong', (from, message) => answers.add(`${from} ${text(message)}`));
    const answered = (child: ChildProcess): Promise<void> =>
      eventually('an answer', () => {
        link.send('b', 'ping', new Uint8Array(0));
        return answers.has(`b ${child.pid}`);
      });
    const first = start();
    await answered(first);
    expect(link.peers()).toEqual(['b']);
    await killed(first);
    const second = start();
    await answered(second);
    expect(answers).toEqual(new Set([`b ${first.pid}`, `b ${second.pid}`]));
    await eventually('it is known again', () => link.peers().includes('b'));
    expect(link.peers()).toEqual(['b']);
  });
});
