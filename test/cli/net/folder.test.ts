/** Network folders without a node that runs: what is made, and what a wrong or foreign file comes to. */
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { main } from '../../../cli/dispatch.ts';
import { NetFolder } from '../../../cli/net/folder.ts';
import { generateIdentity } from '../../../transport/overlay/identity/identity.ts';
import { type Invite, parseInvite } from '../../../transport/overlay/trust/invite.ts';
import { joinRequest } from '../../../transport/overlay/trust/join.ts';
import { captured } from '../processes.ts';
import { type NetError, NetLab } from './lab.ts';

interface Id {
  readonly name: string;
  readonly address: string;
  readonly key: string;
  readonly fingerprint: string;
  readonly network: { readonly name: string; readonly id: string; readonly kind: string };
  readonly isAuthority: boolean;
  readonly certificate?: { readonly roles: readonly string[]; readonly isValid: boolean };
}

/** Every file with what it holds. */
const contents = (folder: string): Readonly<Record<string, string>> =>
  existsSync(folder)
    ? Object.fromEntries(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name)).toString('hex')]))
    : {};
/** Of these files the lock says nothing. */
const kept = (folder: string): Readonly<Record<string, string>> => {
  const { 'node.lock': _lock, 'node.owner': _owner, ...files } = contents(folder);
  return files;
};

const newKey = async (): Promise<Uint8Array> => (await generateIdentity(randomBytes, 'standard')).publicKey;

describe('init', () => {
  test('makes a folder that only its owner may read, with all that its node is', async () => {
    await using lab = new NetLab();
    const made = await lab.json<Id>('a', 'init', 'home', '--name', 'hub');
    expect(made).toMatchObject({
      name: 'hub',
      address: expect.stringMatching(/^[0-9A-F]{4}\.[0-9A-F]{4}\.[0-9A-F]{4}$/) as string,
      fingerprint: expect.stringMatching(/^[A-Z2-7]{4}(?:-[A-Z2-7]{2,4}){6}$/) as string,
      network: { name: 'home', kind: 'certified' },
      isAuthority: true,
      certificate: { roles: ['node', 'relay', 'admin'], isValid: true },
    });
    expect(statSync(lab.dir('a')).mode & 0o777).toBe(0o700);
    for (const name of ['identity.pem', 'ca.pem', 'network.bin', 'certificate.bin', 'config.json', 'authority.json'])
      expect(statSync(join(lab.dir('a'), name)).mode & 0o777, name).toBe(0o600);
    expect(await lab.json('a', 'id')).toEqual(made);
  });

  test('never writes over a network, and takes up one that was broken off', async () => {
    await using lab = new NetLab();
    const made = await lab.json<Id>('a', 'init', 'home');
    const before = kept(lab.dir('a'));
    expect(await lab.fails('a', 'init', 'other')).toMatchObject({ exit: 1, code: 'NET_FOLDER_EXISTS' });
    expect(kept(lab.dir('a'))).toEqual(before);
    // It is written last.
    rmSync(join(lab.dir('a'), 'network.bin'));
    const again = await lab.json<Id>('a', 'init', 'home');
    expect([again.key, again.network.id]).toEqual([made.key, made.network.id]);
  });

  test('without an authority gives the same network to all who say its name', async () => {
    await using lab = new NetLab();
    const [a, b] = [await lab.json<Id>('a', 'init', 'lan', '--pinned'), await lab.json<Id>('b', 'init', 'lan', '--pinned')];
    expect(a.network).toEqual({ name: 'lan', id: b.network.id, kind: 'pinned' });
    expect(existsSync(join(lab.dir('a'), 'ca.pem'))).toBe(false);
    expect(await lab.fails('a', 'invite')).toMatchObject({ code: 'NET_AUTHORITY_INVALID' });
    await lab.json('a', 'add', b.key, '--name', 'b', '--endpoint', '127.0.0.1:9');
    expect((await new NetFolder(lab.dir('a')).load()).config.peers).toEqual([
      { key: b.key, name: 'b', roles: ['node'], endpoints: ['127.0.0.1:9'] },
    ]);
    expect(await lab.json('a', 'revoke', 'b')).toMatchObject({ key: b.key, isForGood: false, running: false });
    expect((await new NetFolder(lab.dir('a')).load()).config.peers).toEqual([]);
  });

  test.each([
    ['a name that is none', ['init', 'my home'], 'NET_NETWORK_INVALID'],
    ['a name of a node that is none', ['init', 'home', '--name', 'a b'], 'USAGE'],
    ['a port that is none', ['init', 'home', '--listen', '0.0.0.0'], 'USAGE'],
    ['a host to listen at', ['init', 'home', '--listen', 'hub.example.org:7337'], 'USAGE'],
    ['an endpoint that is none', ['init', 'home', '--endpoint', 'hub'], 'USAGE'],
  ])('%s leaves nothing behind', async (_what, args, code) => {
    await using lab = new NetLab();
    expect((await lab.fails('a', ...args)).code).toBe(code);
    expect(kept(lab.dir('a'))).toEqual({});
  });
});

describe('invite', () => {
  test('names this node, where it is, and is kept by its hash alone', async () => {
    await using lab = new NetLab();
    await lab.home('a');
    const { key } = await lab.json<Id>('a', 'id');
    const folder = new NetFolder(lab.dir('a'));
    await folder.saveConfig({ ...(await folder.config()), endpoints: ['hub.example.org:7337'] });
    const made = await lab.json<{ invite: string; expires: number }>('a', 'invite', '--role', 'relay');
    expect(made).toMatchObject({ roles: ['node', 'relay'], endpoints: ['hub.example.org:7337'], running: false });
    const invite = parseInvite(made.invite, Date.now());
    expect(Buffer.from(invite.relayKey).toString('hex')).toBe(key);
    expect(invite.endpoints).toEqual(['hub.example.org:7337']);
    const state = readFileSync(join(lab.dir('a'), 'authority.json'), 'utf8');
    expect(JSON.parse(state)).toMatchObject({ invites: [{ roles: ['node', 'relay'], expiresMs: made.expires }] });
    expect(state).not.toContain(Buffer.from(invite.token).toString('hex'));
  });

  test('as a line for people: the invite alone on stdout', async () => {
    await using lab = new NetLab();
    await lab.home('a');
    const { stdout, stderr } = await lab.net('a', 'invite', '--endpoint', '192.0.2.1:7337');
    expect(stdout).toMatch(/^reprise-invite-1\.[\w-]+\n$/);
    expect(stderr).toContain('to be found at 192.0.2.1:7337');
    expect(stderr).toContain(`\`reprise net up --dir ${lab.dir('a')}\` has to`);
  });

  test('--cancel: those that nobody has used let nobody in any more', async () => {
    await using lab = new NetLab();
    await lab.home('a');
    const folder = new NetFolder(lab.dir('a'));
    const tokens: Uint8Array[] = [];
    for (let n = 0; n < 3; n++) {
      const { invite } = await lab.json<{ invite: string }>('a', 'invite', '--endpoint', '127.0.0.1:9');
      tokens.push(parseInvite(invite, Date.now()).token);
    }
    const { authority } = await folder.load();
    if (authority === undefined) throw new Error('unreachable');
    const [used = new Uint8Array(), open = new Uint8Array()] = tokens;
    const [user, other] = [await newKey(), await newKey()];
    const request = (token: Uint8Array): Uint8Array => joinRequest({ token } as Invite, 'nas');
    await authority.answer(user, request(used), Date.now());
    await folder.saveAuthority(authority);
    expect(await lab.json('a', 'invite', '--cancel')).toEqual({ cancelled: 2, running: false });
    const after = (await folder.load()).authority;
    expect(after?.admits(other, request(open), Date.now())).toBe(false);
    // Its answer may have been lost.
    expect(after?.admits(user, request(used), Date.now())).toBe(true);
    expect((await lab.net('a', 'invite', '--cancel')).stdout).toBe('0 invites cancelled\n');
    expect(await lab.fails('a', 'invite', '--cancel', '--role', 'relay')).toMatchObject({ code: 'USAGE' });
  });

  test('needs the CA key, a role that there is, and a place to be found', async () => {
    await using lab = new NetLab();
    await lab.home('a');
    expect(await lab.fails('a', 'invite', '--role', 'king')).toMatchObject({ exit: 2, code: 'USAGE' });
    const folder = new NetFolder(lab.dir('a'));
    await folder.saveConfig({ ...(await folder.config()), listen: ['127.0.0.1:0'] });
    expect(await lab.fails('a', 'invite')).toMatchObject({ exit: 2, message: expect.stringContaining('--endpoint') as string });
    rmSync(join(lab.dir('a'), 'ca.pem'));
    // As one that has joined: nothing says that it was here.
    rmSync(join(lab.dir('a'), 'authority.json'));
    for (const verb of [
      ['invite', '--endpoint', '127.0.0.1:9'],
      ['revoke', 'f'.repeat(63).concat('0')],
    ])
      expect(await lab.fails('a', ...verb)).toMatchObject({
        exit: 1,
        code: 'NET_AUTHORITY_INVALID',
        cure: expect.stringMatching(/^Do it where (?!.*certify)/) as string,
      });
  });
});

test('init --pinned says what is to be typed on the other machine without the folder of this one', async () => {
  await using lab = new NetLab();
  const { stderr } = await lab.net('a', 'init', 'lan', '--pinned');
  expect(stderr).toMatch(/`reprise net up --dir \S+`/);
  expect(stderr).toMatch(
    /`reprise net init lan --pinned`, there\b.*`reprise net add KEY --name NAME --endpoint HOST:PORT --dir \S+` here, and the same there/,
  );
});

describe('join', () => {
  test('refuses what is no invite, is of yesterday, or is to another network than that of the folder', async () => {
    await using lab = new NetLab();
    await lab.home('a');
    const { invite } = await lab.json<{ invite: string }>('a', 'invite', '--endpoint', '127.0.0.1:9');
    expect(await lab.fails('b', 'join', 'hello')).toMatchObject({ exit: 1, code: 'NET_INVITE_INVALID' });
    expect(await lab.fails('b', 'join', invite.slice(0, -9))).toMatchObject({ code: 'NET_INVITE_INVALID' });
    expect(existsSync(lab.dir('b'))).toBe(false);
    await lab.json('c', 'init', 'other', '--pinned');
    const before = kept(lab.dir('c'));
    expect(await lab.fails('c', 'join', invite)).toMatchObject({ code: 'NET_FOLDER_EXISTS' });
    expect(kept(lab.dir('c'))).toEqual(before);
  });
});

describe('revoke', () => {
  test('by name or key, into a signed list; not of this node itself, and not of who is not known', async () => {
    await using lab = new NetLab();
    await lab.home('a');
    const own = await lab.json<Id>('a', 'id');
    const other = { key: 'ab'.repeat(31).concat('00') };
    expect(await lab.fails('a', 'revoke', 'nobody')).toMatchObject({ code: 'NET_NAME_UNKNOWN' });
    for (const self of ['hub', 'HUB', own.address, own.key])
      expect(await lab.fails('a', 'revoke', self)).toMatchObject({ exit: 2, message: 'that is this node itself' });
    expect(await lab.json('a', 'revoke', other.key)).toMatchObject({ key: other.key, isForGood: true });
    const { denyLists } = await new NetFolder(lab.dir('a')).load();
    expect(denyLists.has(Buffer.from(other.key, 'hex'))).toBe(true);
    // The next one goes on from it.
    await lab.json('a', 'revoke', 'f'.repeat(63).concat('0'));
    const later = (await new NetFolder(lab.dir('a')).load()).denyLists;
    expect(later.has(Buffer.from(other.key, 'hex'))).toBe(true);
    const [caKey = new Uint8Array()] = (await new NetFolder(lab.dir('a')).knownNetwork()).caKeys;
    expect(later.of(caKey).number).toBe(2);
  });

  test('of a node that was revoked before changes nothing, and says so', async () => {
    await using lab = new NetLab();
    await lab.home('a');
    const key = 'ab'.repeat(31).concat('00');
    expect(await lab.json('a', 'revoke', key)).toMatchObject({ key, isNews: true });
    const before = readFileSync(join(lab.dir('a'), 'deny-lists.json'), 'utf8');
    expect(await lab.json('a', 'revoke', key)).toMatchObject({ key, isNews: false });
    const { stdout, stderr } = await lab.net('a', 'revoke', key);
    expect([stdout, stderr]).toEqual([`abababababab… was shut out of home before: ${key}\n`, '']);
    expect(readFileSync(join(lab.dir('a'), 'deny-lists.json'), 'utf8')).toBe(before);
  });

  test('of a name that nobody has names those that the authority has given', async () => {
    await using lab = new NetLab();
    await lab.home('a');
    const folder = new NetFolder(lab.dir('a'));
    const { authority } = await folder.load();
    const keys = await Promise.all([newKey(), newKey()]);
    for (const [i, name] of ['nas', 'laptop'].entries()) await authority?.issue(keys[i] as Uint8Array, { name }, Date.now());
    if (authority !== undefined) await folder.saveAuthority(authority);
    const { message, cure } = await lab.fails('a', 'revoke', 'nass');
    expect(message).toBe(
      "no node of 'home' that is known here is 'nass' (did you mean \"nas\"?). Known are laptop, nas; a whole key will do as well",
    );
    expect(cure).toBeUndefined();
    await lab.json('a', 'revoke', 'nas');
    expect((await lab.fails('a', 'revoke', 'somebody')).message).toContain('Known are laptop; a');
  });
});

/** Of the others: a folder may stand in the place of a file. */
const filesOf = (dir: string, but: string): Readonly<Record<string, string>> =>
  Object.fromEntries(
    readdirSync(dir)
      .filter((name) => name !== but && !name.startsWith('node.'))
      .map((name) => [name, readFileSync(join(dir, name)).toString('hex')]),
  );

describe('a file that is wrong is named, with a code and a cure, and loses nothing', () => {
  const wrong: readonly (readonly [what: string, file: string, spoil: (path: string, dir: string) => void, code: string])[] = [
    ['a key file that others may read', 'identity.pem', (path) => chmodSync(path, 0o644), 'NET_KEY_EXPOSED'],
    ['a key file that is gone', 'identity.pem', (path) => rmSync(path), 'NET_KEY_MISSING'],
    ['a key file of something else', 'identity.pem', (path) => writeFileSync(path, 'hello'), 'NET_KEY_INVALID'],
    [
      'a descriptor that was cut',
      'network.bin',
      (path) => writeFileSync(path, readFileSync(path).subarray(1)),
      'NET_NETWORK_INVALID',
    ],
    ['a descriptor without end', 'network.bin', (path) => writeFileSync(path, Buffer.alloc(10_000)), 'NET_FOLDER_INVALID'],
    [
      'a CA key of another network',
      'ca.pem',
      (path, dir) => copyFileSync(join(dir, 'identity.pem'), path),
      'NET_AUTHORITY_INVALID',
    ],
    ['a configuration that is no JSON', 'config.json', (path) => writeFileSync(path, '{'), 'NET_FOLDER_INVALID'],
    ['a key in it that is none', 'config.json', (path) => writeFileSync(path, '{"peers":[{"key":"ab"}]}'), 'NET_FOLDER_INVALID'],
    ['a word in it that means nothing', 'config.json', (path) => writeFileSync(path, '{"listn":[]}'), 'NET_FOLDER_INVALID'],
    ['a deny list that nobody has signed', 'deny-lists.json', (path) => writeFileSync(path, '["AAAA"]'), 'NET_FOLDER_INVALID'],
    ['open invites that are none', 'authority.json', (path) => writeFileSync(path, '{"invites":[{}]}'), 'NET_FOLDER_INVALID'],
    [
      'a folder in the place of a file',
      'config.json',
      (path) => {
        rmSync(path);
        mkdirSync(path);
      },
      'NET_FOLDER_INVALID',
    ],
  ];

  test.each(wrong)('%s', async (_what, file, spoil, code) => {
    await using lab = new NetLab();
    await lab.home('a');
    const path = join(lab.dir('a'), file);
    spoil(path, lab.dir('a'));
    const others = filesOf(lab.dir('a'), file);
    for (const verb of [['id'], ['invite', '--endpoint', '127.0.0.1:9'], ['up']]) {
      const error = await lab.fails('a', ...verb);
      expect([error.code, error.cure, error.message]).toEqual([code, expect.any(String), expect.stringContaining(path)]);
    }
    expect(filesOf(lab.dir('a'), file)).toEqual(others);
    const { stdout } = await lab.net('a', 'doctor');
    expect(stdout).toMatch(/^failed +folder /m);
  });

  test('a folder in which others may write', async () => {
    await using lab = new NetLab();
    await lab.home('a');
    chmodSync(lab.dir('a'), 0o777);
    expect(await lab.fails('a', 'up')).toMatchObject({
      code: 'NET_FOLDER_INVALID',
      message: expect.stringContaining('chmod 700') as string,
    });
  });
});

describe('without a node that runs', () => {
  test.concurrent.each([['peers'], ['ping', 'hub'], ['trace', 'hub'], ['send', 'hub', 'x'], ['listen']])(
    '%s says so, with the cure',
    async (...args) => {
      await using lab = new NetLab();
      await lab.home('a');
      // Each waits a moment for a node that may be starting.
      expect(await lab.fails('a', ...args)).toMatchObject({
        exit: 1,
        code: 'NET_NOT_RUNNING',
        cure: expect.stringContaining(`\`reprise net up --dir ${lab.dir('a')}\``) as string,
      });
      expect(await lab.fails('b', ...args)).toMatchObject({ exit: 1, code: 'NET_FOLDER_MISSING' });
    },
  );

  test('doctor looks at the files, and the certificate', async () => {
    await using lab = new NetLab();
    await lab.home('a');
    const { code, stdout } = await lab.net('a', 'doctor', '--json');
    expect([code, JSON.parse(stdout)]).toMatchObject([
      1,
      {
        ok: false,
        checks: [
          { name: 'node' },
          { name: 'folder', status: 'ok' },
          { name: 'process', status: 'failed' },
          { name: 'certificate', status: 'ok' },
        ],
      },
    ]);
  });

  test('cures are as they have to be typed, as JSON, too', async () => {
    await using lab = new NetLab();
    await lab.home('a');
    const { io, text } = captured({ npm_command: 'exec' });
    await main(['net', 'up', '--dir', lab.dir('c'), '--json'], io);
    await main(['net', 'doctor', '--dir', lab.dir('a'), '--json'], io);
    const typed = (command: string, name: string) => `\`npx reprise net ${command} --dir ${lab.dir(name)}\``;
    expect((JSON.parse(text.stderr) as { error: NetError }).error.cure).toContain(typed('init NAME', 'c'));
    expect(text.stdout).toContain(`it does not run: ${typed('up', 'a')} runs it`);
  });

  test('two at once do not write in one folder', async () => {
    await using lab = new NetLab();
    await lab.home('a');
    using _lock = await new NetFolder(lab.dir('a')).lock();
    expect(await lab.fails('a', 'invite', '--endpoint', '127.0.0.1:9')).toMatchObject({
      code: 'NET_FOLDER_BUSY',
      data: { pid: process.pid },
    });
  });
});

test('of states of an authority that are kept at once the last stays', async () => {
  await using lab = new NetLab();
  await lab.home('hub');
  const folder = new NetFolder(lab.dir('hub'));
  const { authority, identity } = await folder.load();
  if (authority === undefined) throw new Error('unreachable');
  const saves = Array.from({ length: 20 }, () => {
    authority.invite({ relayKey: identity.publicKey, endpoints: ['192.0.2.1:1'] }, Date.now());
    return folder.saveAuthority(authority);
  });
  await Promise.all(saves);
  expect((await folder.load()).authority?.state().invites).toHaveLength(20);
});
