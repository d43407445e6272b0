/** Nodes as processes: a relay with the CA key and two that join it, over loopback. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ControlClient } from '../../../cli/control/client.ts';
import { NetFolder } from '../../../cli/net/folder.ts';
import { controlOf } from '../../../cli/net/reach.ts';
import type { NetStatus } from '../../../cli/net/status.ts';
import type { Up } from '../processes.ts';
import { NetLab } from './lab.ts';

interface Id {
  readonly name: string;
  readonly key: string;
  readonly address: string;
  readonly certificate: { readonly roles: readonly string[]; readonly notBefore: number; readonly isValid: boolean };
}

/** Joins with an invite of the running hub. */
async function joined(lab: NetLab, name: string, ...args: readonly string[]): Promise<Id> {
  const { invite } = await lab.json<{ invite: string }>('hub', 'invite', ...args);
  return lab.json<Id>(name, 'join', invite, '--name', name);
}

const peerOf = (status: NetStatus, name: string) => status.peers.find((peer) => peer.name === name);

describe('a network of three', () => {
  const lab = new NetLab();
  let [hub, alice, bob]: (Up | undefined)[] = [];
  const ids = new Map<string, Id>();

  beforeAll(async () => {
    await lab.home('hub');
    hub = await lab.up('hub');
    for (const name of ['alice', 'bob']) ids.set(name, await joined(lab, name));
    [alice, bob] = await Promise.all([lab.up('alice'), lab.up('bob')]);
    // Registered: who asks for them is told where they are.
    for (const up of [alice, bob]) await up.until(({ type }) => type === 'net.home_relay');
  }, 60_000);
  afterAll(() => lab[Symbol.asyncDispose]());

  test('the authority relays, the others have the name and the role of their invites', () => {
    expect(hub?.lines[0]).toMatchObject({ type: 'net.ready', network: 'home', name: 'hub', isRelay: true });
    expect(ids.get('alice')).toMatchObject({ name: 'alice', certificate: { roles: ['node'], isValid: true } });
  });

  test('the authority says who has joined, each once, and whose key that is', async () => {
    const joins = (hub?.lines ?? []).flatMap(({ type, text }) =>
      type === 'net.note' && / joined /.test(String(text)) ? [text] : [],
    );
    expect(joins).toEqual(['alice', 'bob'].map((name) => `${name} joined by an invite; its key is ${ids.get(name)?.key}`));
  });

  test('a message is printed by who listens, and waits where nobody does', async () => {
    const sent = await lab.json('alice', 'send', 'bob', 'hello\u001b[2J');
    expect(sent).toMatchObject({ to: { name: 'bob', key: ids.get('bob')?.key }, channel: 'text', bytes: 9 });
    await bob?.until(({ type }) => type === 'net.message');
    const listening = lab.follow(['listen'], 'bob');
    const from = { name: 'alice', key: ids.get('alice')?.key, address: ids.get('alice')?.address };
    expect(await listening.until(() => true)).toMatchObject({ channel: 'text', from, text: 'hello\u001b[2J' });
    await lab.json('alice', 'send', ids.get('bob')?.address ?? '', 'by address');
    await lab.json('alice', 'send', ids.get('bob')?.key ?? '', 'by key');
    await listening.until(({ text }) => text === 'by key');
    expect(listening.lines.map(({ text }) => text)).toEqual(['hello\u001b[2J', 'by address', 'by key']);
    await listening.kill('SIGKILL');
  });

  test('on other channels it waits as well', async () => {
    for (const job of ['one', 'two']) await lab.json('bob', 'send', 'alice', job, '--channel', 'jobs');
    await alice?.until(({ type, channel }) => type === 'net.message' && channel === 'jobs');
    const listening = lab.follow(['listen', '--channel', 'jobs'], 'alice');
    expect(await listening.until(({ text }) => text === 'two')).toMatchObject({ channel: 'jobs', from: { name: 'bob' } });
    expect(listening.lines.map(({ text }) => text)).toEqual(['one', 'two']);
    await listening.kill('SIGKILL');
    expect(await lab.fails('bob', 'send', 'alice', 'x', '--channel', 'net/join')).toMatchObject({ exit: 2, code: 'USAGE' });
  });

  test('ping, trace and peers say by which path', async () => {
    const { answered, pings } = await lab.json<{ answered: number; pings: readonly object[] }>('alice', 'ping', 'bob', '-c', '1');
    expect([answered, pings]).toEqual([
      1,
      [
        {
          kind: expect.stringMatching(/^(?:direct|relayed)$/) as string,
          via: expect.any(String) as string,
          rttMs: expect.any(Number) as number,
        },
      ],
    ]);
    const traced = await lab.json<NonNullable<ReturnType<typeof peerOf>>>('alice', 'trace', 'bob');
    expect(traced.paths).toContainEqual(expect.objectContaining({ kind: 'relayed', via: 'hub' }));
    const status = await lab.json<NetStatus>('alice', 'peers');
    expect(status.relays).toMatchObject([{ name: 'hub', state: 'registered', isHome: true, kind: 'direct' }]);
    expect(peerOf(status, 'hub')).toMatchObject({ state: 'up', kind: 'direct', roles: ['node', 'relay', 'admin'] });
    expect(peerOf(status, 'bob')).toMatchObject({ state: 'up', address: ids.get('bob')?.address });
    expect(status.drops).toMatchObject({ tag_wrong: 0, pn_replayed: expect.any(Number) as number });
    const { stdout, stderr } = await lab.net('alice', 'peers');
    expect(stdout).toMatch(/^NAME +ADDRESS +STATE +PATH[\s\S]*^bob +/m);
    expect(stderr).toContain('relays hub (home');
  });

  test('doctor is content', async () => {
    const { ok, checks } = await lab.json<{ ok: boolean; checks: readonly { name: string; status: string }[] }>(
      'alice',
      'doctor',
    );
    expect(ok).toBe(true);
    expect(checks.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['node', 'folder', 'certificate', 'udp', 'nat', 'relay role', 'relay hub', 'peer bob']),
    );
  });

  test('a name that is mistyped is told, with the one that was meant', async () => {
    for (const asking of ['hub', 'bob'])
      expect((await lab.fails(asking, 'ping', 'alcie')).message).toMatch(/'alcie'.* \(did you mean "alice"\?\)$/);
    expect((await lab.fails('alice', 'ping', 'nobody-of-these')).message).not.toContain('did you mean');
  });

  test('what does not go here is said', async () => {
    expect(await lab.fails('alice', 'ping', 'alice')).toMatchObject({ exit: 2, message: 'alice is this node itself' });
    expect(await lab.fails('alice', 'up')).toMatchObject({ code: 'NET_FOLDER_BUSY', data: { pid: alice?.process.pid } });
    expect(await lab.fails('alice', 'relay')).toMatchObject({ code: 'NET_FOLDER_BUSY' });
    expect(await lab.fails('alice', 'invite')).toMatchObject({ code: 'NET_AUTHORITY_INVALID' });
    const { endpoints } = await lab.json<NetStatus>('hub', 'peers');
    await lab.home('twin');
    expect(await lab.fails('twin', 'up', '--listen', endpoints[0] ?? '')).toMatchObject({
      code: 'TRANSPORT_UNAVAILABLE',
      message: expect.stringContaining('another process has this port') as string,
    });
  });

  test('a node that is stopped is named, and what to do', async () => {
    alice?.process.kill('SIGSTOP');
    const [refused, { stdout }] = await Promise.all([lab.fails('alice', 'peers'), lab.net('alice', 'doctor')]);
    alice?.process.kill('SIGCONT');
    expect(refused).toMatchObject({
      code: 'NET_UNRESPONSIVE',
      cure: expect.stringContaining(`kill -CONT ${alice?.process.pid}`) as string,
    });
    expect(stdout).toMatch(new RegExp(`^failed +process .*kill -CONT ${alice?.process.pid}`, 'm'));
  });

  test('invites that nobody has used are cancelled by the node that runs', async () => {
    await lab.json('hub', 'invite');
    expect(await lab.json('hub', 'invite', '--cancel')).toEqual({ cancelled: 1, running: true });
    expect(await lab.json('hub', 'invite', '--cancel')).toEqual({ cancelled: 0, running: true });
  });

  test('an invite is good once, and a name is of one node', async () => {
    const { invite } = await lab.json<{ invite: string }>('hub', 'invite');
    expect(await lab.fails('carol', 'join', invite, '--name', 'bob')).toMatchObject({
      code: 'NET_JOIN_REFUSED',
      data: { reason: 'name_taken' },
    });
    const [taken, cut] = [await lab.net('carol', 'join', invite, '--name', 'bob'), await lab.net('carol', 'join', `${invite}x`)];
    expect(taken.stderr).toMatch(/choose another one, the invite is still good\n$/);
    expect(cut.stderr).toContain('ask for a new one (`reprise net invite`, where the network was made)');
    // Whose it is may ask again: its answer may have been lost.
    for (const _time of [1, 2]) expect((await lab.json<Id>('carol', 'join', invite, '--name', 'carol')).name).toBe('carol');
    // Both are found out by waiting.
    const [second, unknown] = await Promise.all([
      lab.fails('dave', 'join', invite, '--name', 'dave'),
      lab.fails('alice', 'send', 'dave', 'x'),
    ]);
    expect(second).toMatchObject({
      exit: 1,
      code: 'NET_PEER_UNREACHABLE',
      message: expect.stringContaining('used already') as string,
    });
    expect(second).not.toHaveProperty('cure');
    expect(unknown).toMatchObject({ exit: 1, code: 'NET_NAME_UNKNOWN' });
  }, 60_000);

  test('an invite for a relay gives the role, and `relay` wants a port', async () => {
    expect(await joined(lab, 'spare', '--role', 'relay')).toMatchObject({ certificate: { roles: ['node', 'relay'] } });
    expect(await lab.fails('spare', 'relay')).toMatchObject({ exit: 2, message: expect.stringContaining('--listen') as string });
    const spare = await lab.up('spare', '--listen', '127.0.0.1:0', '--ws', '127.0.0.1:0');
    expect(spare.lines[0]).toMatchObject({
      isRelay: true,
      webSocket: expect.stringMatching(/^ws:\/\/127\.0\.0\.1:\d+$/) as string,
    });
    expect(await spare.kill('SIGTERM')).toBe(0);
    expect(await lab.fails('carol', 'relay', '--listen', '127.0.0.1:0')).toMatchObject({
      exit: 2,
      message: expect.stringContaining('--role relay') as string,
    });
  });

  test('peers says what it waits for where a relay does not answer', async () => {
    hub?.process.kill('SIGSTOP');
    const { stderr, stdout } = await lab.net('alice', 'peers');
    hub?.process.kill('SIGCONT');
    expect(stderr).toMatch(/^asking the relays who else is there …\n/);
    expect(stdout).toMatch(/^hub /m);
  });

  test('who is revoked is shut out at once, and for good', async () => {
    const from = alice?.lines.length ?? 0;
    expect(await lab.json('hub', 'revoke', 'bob')).toMatchObject({
      key: ids.get('bob')?.key,
      name: 'bob',
      isForGood: true,
      running: true,
    });
    // Alice had nothing from `revoke` but the list that the hub has passed on.
    expect(await alice?.until(({ type }) => type === 'net.deny_list', from)).toMatchObject({ closed: [ids.get('bob')?.key] });
    const status = await lab.json<NetStatus>('alice', 'peers');
    expect([peerOf(status, 'bob'), status.gone]).toEqual([
      undefined,
      [expect.objectContaining({ name: 'bob', key: ids.get('bob')?.key, isRevoked: true })],
    ]);
    expect((await lab.net('hub', 'peers')).stdout).toMatch(/^bob +revoked$/m);
    const revoked = { code: 'NET_KEY_REVOKED', message: "'bob' was revoked in 'home', for good" };
    for (const verb of ['ping', 'trace']) expect(await lab.fails('alice', verb, 'bob'), verb).toMatchObject(revoked);
    const control = new ControlClient(controlOf(new NetFolder(lab.dir('alice'))));
    await expect(control.call('mcp.connect', { target: 'bob/files' })).rejects.toMatchObject(revoked);
    expect(await lab.fails('hub', 'send', ids.get('bob')?.key ?? '', 'x')).toMatchObject(revoked);
    const folder = new NetFolder(lab.dir('alice'));
    await expect.poll(async () => (await folder.load()).denyLists.has(Buffer.from(ids.get('bob')?.key ?? '', 'hex'))).toBe(true);
  }, 60_000);

  test('who was revoked says so first of all, while it runs and ever after: it has the list', async () => {
    const revoked = "this node was revoked, for good, by deny list 1 of the authority of 'home'";
    expect(await bob?.until(({ type, text }) => type === 'net.note' && String(text).startsWith(revoked))).toBeDefined();
    const [first] = (await lab.net('bob', 'doctor')).stdout.split('\n');
    expect(first).toMatch(/^failed +member +NET_KEY_REVOKED: this node was revoked/);
    expect(first).toContain('`reprise net join INVITE --dir FOLDER`');
    expect((await lab.net('bob', 'peers')).stderr).toMatch(new RegExp(`^${revoked.replaceAll('.', '\\.')}`));
    expect(await lab.fails('bob', 'ping', 'hub', '-c', '1')).toMatchObject({ code: 'NET_KEY_REVOKED' });
    await bob?.kill('SIGTERM');
    expect((await lab.net('bob', 'doctor')).stdout.split('\n')[0]).toBe(first);
    expect(await lab.fails('bob', 'up')).toMatchObject({
      code: 'NET_KEY_REVOKED',
      message: expect.stringContaining(revoked) as string,
    });
  }, 60_000);

  test('a relay that is gone is known by its name: it does not answer, doctor fails at it, trace shows what was tried', async () => {
    await hub?.kill('SIGKILL');
    const relays = (await new NetFolder(lab.dir('alice')).load()).config.relays;
    expect(relays).toMatchObject([{ name: 'hub' }]);
    const [pinged, traced, { code, stdout }] = await Promise.all([
      lab.fails('alice', 'ping', 'hub', '-c', '1'),
      lab.net('alice', 'trace', 'hub'),
      lab.net('alice', 'doctor'),
    ]);
    expect(pinged).toMatchObject({ code: 'NET_PEER_UNREACHABLE', cure: expect.stringContaining('net trace hub') as string });
    expect(traced.stdout).toMatch(/^hub \(/);
    expect([code, stdout]).toEqual([1, expect.stringMatching(/^failed +relay hub +no answer at 127\.0\.0\.1:/m)]);
    hub = await lab.up('hub');
  }, 60_000);

  test('Ctrl-C ends it well, and it comes back as who it was', async () => {
    expect(await alice?.kill('SIGINT')).toBe(0);
    expect(await lab.fails('alice', 'peers')).toMatchObject({ code: 'NET_NOT_RUNNING' });
    const again = await lab.up('alice');
    expect(again.lines[0]).toMatchObject({ key: ids.get('alice')?.key, address: ids.get('alice')?.address });
    await again.until(({ type }) => type === 'net.home_relay');
    expect(await again.kill('SIGTERM')).toBe(0);
  });
});

test('a certificate that is past the half of its life, or has expired, is renewed when the node comes up', async () => {
  await using lab = new NetLab();
  await lab.home('hub');
  await lab.up('hub');
  await joined(lab, 'alice');
  const state = await new NetFolder(lab.dir('hub')).load();
  const alice = new NetFolder(lab.dir('alice'));
  const { identity } = await alice.load();
  for (const hours of [13, 30]) {
    const issuedAt = Date.now() - hours * 3_600_000;
    const old = await state.authority?.issue(identity.publicKey, { name: 'alice' }, issuedAt);
    const path = join(lab.dir('alice'), 'certificate.bin');
    writeFileSync(path, old ?? '');
    const up = await lab.up('alice');
    await expect.poll(() => readFileSync(path).equals(old ?? new Uint8Array()), { timeout: 20_000 }).toBe(false);
    expect((await lab.json<Id>('alice', 'id')).certificate).toMatchObject({ isValid: true });
    // With it, it is a member again.
    await up.until(({ type }) => type === 'net.home_relay');
    await up.kill('SIGTERM');
  }
}, 60_000);

test('a node whose config.json is gone says so when it comes up, and does not speak of relays that it has not', async () => {
  await using lab = new NetLab();
  await lab.home('hub');
  rmSync(join(lab.dir('hub'), 'config.json'));
  const hub = await lab.up('hub');
  expect(hub.lines[0]).toMatchObject({
    type: 'net.note',
    text: expect.stringMatching(/config\.json is not there: this node has no relay/) as string,
  });
  expect(await lab.fails('hub', 'ping', 'bob', '-c', '1')).toMatchObject({
    code: 'NET_NAME_UNKNOWN',
    message: "no node called 'bob' is known here, and there is no other relay to ask",
  });
});

test('two that have pinned each other need no authority; who is let go is shut out', async () => {
  await using lab = new NetLab();
  const ids = new Map<string, Id>();
  for (const name of ['a', 'b'])
    ids.set(name, await lab.json<Id>(name, 'init', 'lan', '--pinned', '--name', name, '--listen', '127.0.0.1:0'));
  const a = await lab.up('a');
  const { endpoints } = (await a.until(({ type }) => type === 'net.ready')) as unknown as {
    readonly endpoints: readonly string[];
  };
  await lab.json('b', 'add', ids.get('a')?.key ?? '', '--name', 'a', '--endpoint', endpoints[0] ?? '');
  const b = await lab.up('b');
  // While it runs: from now on.
  expect(await lab.json('a', 'add', ids.get('b')?.key ?? '', '--name', 'b')).toMatchObject({ name: 'b', isMember: true });
  await lab.json('b', 'send', 'a', 'hello');
  expect(await a.until(({ type }) => type === 'net.message')).toMatchObject({ from: { name: 'b' } });
  const from = a.lines.length;
  await lab.json('a', 'revoke', 'b');
  expect(await a.until(({ type }) => type === 'net.peer_down', from)).toMatchObject({ peer: ids.get('b')?.key });
  await b.until(({ type }) => type === 'net.peer_down');
  expect((await lab.net('b', 'doctor')).stdout).toMatch(/^warning +peer a +it says that this node is no member any more/m);
  const { stderr } = await lab.net('b', 'invite');
  expect(stderr).toMatch(/^NET_AUTHORITY_INVALID: .*`reprise net add KEY --dir \S+` lets one in\n$/);
}, 60_000);
