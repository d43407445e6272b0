/** What a node says when a file of its folder is damaged or lost is done, and helps. */
import { chmodSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { cureFor } from '../../../cli/failure.ts';
import { elsewhere } from '../../../cli/net/endpoints.ts';
import { NET_VERBS } from '../../../cli/net/verbs.ts';
import { NetFolder } from '../../../cli/net/folder.ts';
import { MeshError } from '../../../core/errors.ts';
import { NetLab } from './lab.ts';

interface Id {
  readonly key: string;
  readonly network: { readonly id: string };
}

/** `hub` runs, and alice is a member that does not. */
async function withAlice(lab: NetLab): Promise<Id> {
  await lab.home('hub');
  await lab.up('hub');
  return joins(lab, 'alice');
}
async function joins(lab: NetLab, name: string): Promise<Id> {
  const { invite } = await lab.json<{ invite: string }>('hub', 'invite');
  return lab.json<Id>('alice', 'join', invite, '--name', name);
}

describe('of the folder of a member', () => {
  test('a descriptor that is damaged comes back by joining again; a network that is another one does not', async () => {
    await using lab = new NetLab();
    const { key, network } = await withAlice(lab);
    const path = join(lab.dir('alice'), 'network.bin');
    for (const damaged of [readFileSync(path).subarray(1), Buffer.alloc(10_000)]) {
      writeFileSync(path, damaged);
      expect((await lab.fails('alice', 'id')).cure).toContain(`\`reprise net join INVITE --dir ${lab.dir('alice')}\``);
      expect(await joins(lab, 'alice')).toMatchObject({ key, network });
    }
    writeFileSync(path, 'x');
    await lab.json('other', 'init', 'other');
    const { invite } = await lab.json<{ invite: string }>('other', 'invite', '--endpoint', '127.0.0.1:9');
    expect(await lab.fails('alice', 'join', invite)).toMatchObject({ code: 'NET_FOLDER_EXISTS' });
    // Nothing says of which network it is.
    rmSync(join(lab.dir('alice'), 'certificate.bin'));
    expect(await lab.fails('alice', 'join', invite)).toMatchObject({ code: 'NET_NETWORK_INVALID' });
  });

  test('a key that is lost is replaced by joining in the same folder, as another node', async () => {
    await using lab = new NetLab();
    const { key, network } = await withAlice(lab);
    rmSync(join(lab.dir('alice'), 'identity.pem'));
    const { cure } = await lab.fails('alice', 'up');
    expect(cure).toContain(`\`reprise net join INVITE --dir ${lab.dir('alice')}\``);
    expect(cure).toContain('`reprise net revoke PEER`, where the network was made');
    const again = await joins(lab, 'alice2');
    expect(again.network).toEqual(network);
    expect(again.key).not.toBe(key);
  });

  test('a deny list that is damaged is deleted, and comes from the others', async () => {
    await using lab = new NetLab();
    await withAlice(lab);
    const gone = 'ab'.repeat(31).concat('00');
    await lab.json('hub', 'revoke', gone);
    const path = join(lab.dir('alice'), 'deny-lists.json');
    writeFileSync(path, '[');
    expect((await lab.fails('alice', 'up')).cure).toContain('`deny-lists.json` that is damaged may be deleted');
    rmSync(path);
    await lab.up('alice');
    const folder = new NetFolder(lab.dir('alice'));
    await expect.poll(async () => (await folder.load()).denyLists.has(Buffer.from(gone, 'hex')), { timeout: 10_000 }).toBe(true);
  });
});

describe('of the key of an authority', () => {
  const authorityOf = async (lab: NetLab): Promise<string | undefined> =>
    (await lab.net('hub', 'doctor')).stdout.split('\n').find((line) => / authority /.test(line));

  test('that is lost while no node runs', async () => {
    await using lab = new NetLab();
    await lab.home('hub');
    expect(await authorityOf(lab)).toBeUndefined();
    const path = join(lab.dir('hub'), 'ca.pem');
    rmSync(path);
    expect(await authorityOf(lab)).toMatch(new RegExp(`^failed +authority +${path} is gone, .* Put a copy of it there`));
    for (const verb of [
      ['invite', '--endpoint', '127.0.0.1:9'],
      ['revoke', 'ab'.repeat(31).concat('00')],
    ]) {
      const { code, message, cure } = await lab.fails('hub', ...verb);
      expect([code, message, cure]).toEqual(['NET_AUTHORITY_INVALID', expect.stringContaining(`${path} is gone`), undefined]);
    }
    const hub = await lab.up('hub');
    expect(await hub.until(({ type }) => type === 'net.note')).toMatchObject({
      text: expect.stringContaining(`${path} is gone`) as string,
    });
  });

  test('that is lost, or that others may read, while the node runs', async () => {
    await using lab = new NetLab();
    await lab.home('hub');
    await lab.up('hub');
    const path = join(lab.dir('hub'), 'ca.pem');
    chmodSync(path, 0o644);
    const exposed = await authorityOf(lab);
    expect(exposed).toMatch(/^failed +authority +others than its owner may use /);
    expect(exposed).toContain(`\`chmod 600 ${path}\` if nobody else has read it`);
    expect(exposed).toContain('`ca.pem` cannot be revoked: make a new network');
    rmSync(path);
    expect(await authorityOf(lab)).toMatch(/^failed +authority .* is gone/);
    const invited = await lab.net('hub', 'invite');
    expect([invited.code, invited.stderr]).toEqual([0, expect.stringContaining(`${path} is gone`)]);
  });

  test('is the business of a folder alone that had one', async () => {
    await using lab = new NetLab();
    await withAlice(lab);
    expect((await lab.net('alice', 'doctor')).stdout).not.toContain(' authority ');
    expect(await lab.fails('alice', 'invite')).toMatchObject({
      code: 'NET_AUTHORITY_INVALID',
      cure: expect.stringContaining('where the network was made') as string,
    });
  });
});

test('what waits for the node of a folder does not wait for one that was revoked', async () => {
  await using lab = new NetLab();
  const { key } = await withAlice(lab);
  const alice = await lab.up('alice');
  const serving = lab.follow(['serve-mcp', 'files', '--', 'cat'], 'alice');
  await serving.until(({ type }) => type === 'serving');
  await lab.json('hub', 'revoke', key);
  await alice.until(({ type, text }) => type === 'net.note' && String(text).includes('was revoked'));
  await alice.kill('SIGTERM');
  await expect.poll(() => [serving.isRunning, serving.stderr], { timeout: 10_000 }).toEqual([false, expect.any(String)]);
  expect(serving.stderr).toContain('NET_KEY_REVOKED');
  expect(await lab.fails('alice', 'peers')).toMatchObject({ code: 'NET_KEY_REVOKED' });
}, 30_000);

test('nobody is shut out where the CA key is not, whatever the name: that is said, and not that nobody is called so', async () => {
  await using lab = new NetLab();
  await withAlice(lab);
  const { code, message, cure } = await lab.fails('alice', 'revoke', 'bob');
  expect([code, message]).toEqual([
    'NET_AUTHORITY_INVALID',
    "nobody can be shut out of 'home' from here: the CA key is not in this folder",
  ]);
  expect(cure).toMatch(/^Do it where a CA key of the network is: .*\.$/);
  expect(cure).not.toContain('certify');
});

test('who has called `trace` is not told to', () => {
  const error = new MeshError('NET_PEER_UNREACHABLE', 'hub did not answer', { data: { peer: 'hub' } });
  const cureAt = (name: string) =>
    cureFor(
      error,
      NET_VERBS.find((verb) => verb.name === name),
    );
  expect(cureAt('ping')).toContain('`reprise net trace hub`');
  expect(cureAt('trace')).toMatch(/^See that it runs .*`reprise net doctor` says what is in the way here\. One/);
});

describe('where others are told that a node is, and it does not listen', () => {
  test('only ports of UDP count, and those that are known', () => {
    const at = [{ host: '0.0.0.0', port: 7338 }];
    expect(elsewhere(['hub:7337', '[::1]:7338', 'wss://hub:443'], at)).toEqual(['hub:7337']);
    expect(elsewhere(['hub:7337'], [{ host: '0.0.0.0', port: 0 }])).toEqual([]);
  });

  test('up, doctor and invite say so, beside the node and without it', async () => {
    await using lab = new NetLab();
    await lab.home('hub');
    const folder = new NetFolder(lab.dir('hub'));
    await folder.saveConfig({ ...(await folder.config()), endpoints: ['127.0.0.1:1'] });
    const told = 'others are told that this node is at 127.0.0.1:1, and it listens at 127.0.0.1:';
    expect((await lab.net('hub', 'invite')).stderr).toContain(told);
    const hub = await lab.up('hub');
    expect(await hub.until(({ type }) => type === 'net.note')).toMatchObject({ text: expect.stringContaining(told) as string });
    expect((await lab.net('hub', 'invite')).stderr).toContain(told);
    expect((await lab.net('hub', 'doctor')).stdout).toMatch(new RegExp(`^warning +endpoint +${told}`, 'm'));
  });
});
