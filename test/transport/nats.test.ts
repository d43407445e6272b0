import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Link } from '../../core/ports/link.ts';
import { direct } from '../../transport/direct.ts';
import { msgpack } from '../../transport/msgpack.ts';
import { nats } from '../../transport/nats.ts';
import { conform } from '../conformance/conform.ts';
import { linkCases, type LinkSubject } from '../conformance/link.ts';
import { mailboxesCases, type MailboxesSubject } from '../conformance/mailboxes.ts';
import { eventually, installed, type NatsServer, startNats } from '../servers.ts';

const owners: Readonly<Record<string, string>> = { 'default/0': 'here', 'default/1': 'there' };
const passes = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 2));
let meshes = 0;

/** Links of a mesh of their own, all stopped at the end. */
function links(server: NatsServer): { readonly link: () => Link; readonly close: () => Promise<void> } {
  const made: Link[] = [];
  const mesh = `test.${++meshes} *`;
  return {
    link: () => {
      const link = nats({ servers: server.url, mesh });
      made.push(link);
      return link;
    },
    close: async () => void (await Promise.all(made.map((link) => link.stop()))),
  };
}

describe.skipIf(installed('nats-server') === undefined)('a link over a real NATS server', () => {
  let server: NatsServer;
  beforeAll(async () => {
    server = await startNats();
  });
  afterAll(() => server?.stop());

  conform('itself', linkCases, async (): Promise<LinkSubject> => ({ ...links(server), passes }));

  const mailboxes = async (): Promise<MailboxesSubject> => {
    const { link, close } = links(server);
    const node = async (name: string) => {
      const mine = link();
      const box = direct({
        node: name,
        link: mine,
        codec: msgpack(),
        ownerOf: (shard) => owners[shard],
        soon: (fn) => void setImmediate(fn),
      });
      await box.start();
      await mine.start(name);
      return box;
    };
    return { here: await node('here'), there: await node('there'), passes, close };
  };
  conform('direct mailboxes over it', mailboxesCases, mailboxes);

  test('meshes of one server do not see each other', async () => {
    const [one, other] = [links(server), links(server)];
    const [a, b, stranger] = [one.link(), one.link(), other.link()];
    const heard: string[] = [];
    for (const [name, link] of [
      ['b', b],
      ['stranger', stranger],
    ] as const)
      link.onMessage('x', (from) => heard.push(`${name} heard ${from}`));
    await a.start('a');
    await b.start('b');
    await stranger.start('b');
    await eventually('the message arrives', () => {
      a.send('b', 'x', Uint8Array.of(1));
      return heard.length > 0;
    });
    expect(new Set(heard)).toEqual(new Set(['b heard a']));
    expect(stranger.peers()).toEqual([]);
    await one.close();
    await other.close();
  });

  test('after the server was killed and came back, messages flow again; those between are dropped, not kept', async () => {
    const { link, close } = links(server);
    const [a, b] = [link(), link()];
    const heard = new Set<number>();
    b.onMessage('x', (_from, bytes) => heard.add(bytes[0] ?? -1));
    await a.start('a');
    await b.start('b');
    await eventually('a message before', () => {
      a.send('b', 'x', Uint8Array.of(1));
      return heard.has(1);
    });
    await server.kill();
    await eventually('the loss is noticed', () => !(a as unknown as { connected: boolean }).connected);
    for (let i = 0; i < 1_000; i++) a.send('b', 'x', Uint8Array.of(2));
    await server.restart();
    await eventually('a message after', () => {
      a.send('b', 'x', Uint8Array.of(3));
      return heard.has(3);
    });
    expect(heard.has(2)).toBe(false);
    await eventually('both know each other again', () => a.peers().includes('b') && b.peers().includes('a'));
    await close();
  });

  test('a link whose server is gone still stops', async () => {
    const lonely = await startNats();
    const link = nats({ servers: lonely.url, mesh: 'm' });
    await link.start('a');
    await lonely.stop();
    await link.stop();
    link.send('b', 'x', Uint8Array.of(1));
    expect(link.peers()).toEqual([]);
  });

  test('no server is TRANSPORT_UNAVAILABLE, and the message holds no password', async () => {
    const link = nats({ servers: 'nats://joe:secret@127.0.0.1:1', mesh: 'm', timeoutMs: 1_000 });
    await expect(link.start('a')).rejects.toMatchObject({ code: 'TRANSPORT_UNAVAILABLE', retryable: true });
    await expect(nats({ servers: 'nats://joe:secret@127.0.0.1:1', mesh: 'm', timeoutMs: 1_000 }).start('a')).rejects.not.toThrow(
      /secret/,
    );
  });

  test('a server that accepts and says nothing is TRANSPORT_UNAVAILABLE too', async () => {
    const sockets: Socket[] = [];
    const mute = createServer((socket) => sockets.push(socket));
    await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve));
    const { port } = mute.address() as { port: number };
    await expect(nats({ servers: `nats://127.0.0.1:${port}`, mesh: 'm', timeoutMs: 300 }).start('a')).rejects.toMatchObject({
      code: 'TRANSPORT_UNAVAILABLE',
    });
    for (const socket of sockets) socket.destroy();
    mute.close();
  });

  test('credentials are passed on: with them it starts, without or with wrong ones it does not', async () => {
    await using guarded = await startNats({ args: ['--user', 'joe', '--pass', 'secret'] });
    const good = nats({ servers: guarded.url, mesh: 'm', credentials: { user: 'joe', password: 'secret' } });
    await good.start('a');
    await good.stop();
    for (const credentials of [undefined, { user: 'joe', password: 'wrong' }, { token: 'wrong' }]) {
      const link = nats({ servers: guarded.url, mesh: 'm', timeoutMs: 2_000, ...(credentials !== undefined && { credentials }) });
      await expect(link.start('a')).rejects.toMatchObject({ code: 'TRANSPORT_UNAVAILABLE' });
    }
    await using byToken = await startNats({ args: ['--auth', 'a-token'] });
    const token = nats({ servers: byToken.url, mesh: 'm', credentials: { token: 'a-token' } });
    await token.start('a');
    await token.stop();
  });

  test('an account that may not subscribe is told so', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'reprise-nats-'));
    writeFileSync(
      join(dir, 'nats.conf'),
      'authorization { users = [{ user: joe, password: secret, permissions: { subscribe: "other.>" } }] }',
    );
    await using guarded = await startNats({ args: ['-c', join(dir, 'nats.conf')] });
    const link = nats({ servers: guarded.url, mesh: 'm', credentials: { user: 'joe', password: 'secret' } });
    await expect(link.start('a')).rejects.toThrow(/may not subscribe to 'reprise\.m\.>'/);
    rmSync(dir, { recursive: true });
  });

  test('a server that stands still costs a bounded amount of memory, and goes on where it stood', async () => {
    await using frozen = await startNats();
    const { link, close } = links(frozen);
    const [a, b] = [link(), link()];
    const heard: number[] = [];
    b.onMessage('x', (_from, bytes) => heard.push(bytes[0] ?? -1));
    await a.start('a');
    await b.start('b');
    process.kill(frozen.pid(), 'SIGSTOP');
    const mebibyte = new Uint8Array(a.bytesMax).fill(1);
    for (let i = 0; i < 100; i++) a.send('b', 'x', mebibyte);
    process.kill(frozen.pid(), 'SIGCONT');
    await eventually('it goes on', () => {
      a.send('b', 'x', Uint8Array.of(2));
      return heard.includes(2);
    });
    const kept = heard.filter((n) => n === 1).length;
    expect(kept).toBeGreaterThan(0);
    expect(kept).toBeLessThan(40);
    await close();
  });
});
