import { execFileSync } from 'node:child_process';
import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { isMeshError, type MeshError } from '../../core/errors.ts';
import { SigningKey } from '../../transport/overlay/curve.ts';
import { createKeyFile, readKeyFile } from '../../transport/overlay/identity/key-file.ts';
import { identityOf, seededRandom, toHex } from './identities.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'reprise-key-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const at = (name: string): string => join(folder, name);
const modeOf = (path: string): number => statSync(path).mode & 0o777;

const refusal = (promise: Promise<unknown>): Promise<MeshError> =>
  promise.then(
    () => {
      throw new TypeError('it was not refused');
    },
    (error: unknown) => error as MeshError,
  );

function write(name: string, text: string | Uint8Array, mode = 0o600): string {
  writeFileSync(at(name), text);
  chmodSync(at(name), mode);
  return at(name);
}

describe('a key file', () => {
  test('is made with mode 0600 whatever the umask, and nothing else is left beside it', async () => {
    const before = process.umask(0o000);
    try {
      await createKeyFile(at('open.key'), 'cheap');
      process.umask(0o377);
      await createKeyFile(at('shut.key'), 'cheap');
    } finally {
      process.umask(before);
    }
    expect(modeOf(at('open.key'))).toBe(0o600);
    expect(modeOf(at('shut.key'))).toBe(0o600);
    expect(readdirSync(folder).toSorted()).toEqual(['open.key', 'shut.key']);
  });

  test('gives back the identity that was made, in both profiles', async () => {
    const made = await createKeyFile(at('node.key'));
    const read = await readKeyFile(at('node.key'));
    expect(toHex(read.publicKey)).toBe(toHex(made.publicKey));
    expect(read.address).toBe(made.address);
    expect((await readKeyFile(at('node.key'), 'cheap')).address).not.toBe(made.address);
  });

  test('is PKCS #8 in PEM, which other programs read', async () => {
    const { publicKey } = await createKeyFile(at('node.key'), 'cheap');
    expect(readFileSync(at('node.key'), 'utf8')).toMatch(
      /^-----BEGIN PRIVATE KEY-----\n[\w+/=]{64}\n-----END PRIVATE KEY-----\n$/,
    );
    const der = createPublicKey(readFileSync(at('node.key'))).export({ format: 'der', type: 'spki' });
    expect(toHex(der.subarray(-32))).toBe(toHex(publicKey));
  });

  test('is never overwritten', async () => {
    const path = write('node.key', 'mine\n', 0o640);
    const error = await refusal(createKeyFile(path, 'cheap'));
    expect(error.code).toBe('NET_KEY_EXISTS');
    expect(error.message).toBe(`${path} is there already; nothing was written`);
    expect(readFileSync(path, 'utf8')).toBe('mine\n');
    expect(modeOf(path)).toBe(0o640);
    symlinkSync(at('nowhere'), at('link.key'));
    expect((await refusal(createKeyFile(at('link.key'), 'cheap'))).code).toBe('NET_KEY_EXISTS');
    expect(readdirSync(folder).toSorted()).toEqual(['link.key', 'node.key']);
  });

  test('is made by one of many who make it at once', async () => {
    const all = await Promise.allSettled(Array.from({ length: 12 }, () => createKeyFile(at('node.key'), 'cheap')));
    const made = all.filter((one) => one.status === 'fulfilled');
    const refused = all.filter((one) => one.status === 'rejected' && isMeshError(one.reason, 'NET_KEY_EXISTS'));
    expect([made.length, refused.length]).toEqual([1, 11]);
    expect(toHex((await readKeyFile(at('node.key'), 'cheap')).publicKey)).toBe(toHex(made[0]?.value.publicKey));
    expect(readdirSync(folder)).toEqual(['node.key']);
  });

  test('needs a folder', async () => {
    const error = await refusal(createKeyFile(at('missing/node.key'), 'cheap'));
    expect(error.code).toBe('NET_KEY_UNAVAILABLE');
    expect(error.message).toContain('could not be written: ENOENT');
  });

  test.each([0o601, 0o604, 0o610, 0o620, 0o640, 0o644, 0o660, 0o777])(
    'is refused when others may use it: mode %o',
    async (mode) => {
      await createKeyFile(at('node.key'), 'cheap');
      chmodSync(at('node.key'), mode);
      const error = await refusal(readKeyFile(at('node.key'), 'cheap'));
      expect(error.code).toBe('NET_KEY_EXPOSED');
      expect(error.message).toBe(`others than its owner may use ${at('node.key')}: its mode is 0${mode.toString(8)}, not 0600`);
    },
  );

  test('may be one that its owner only reads, and lie behind a link', async () => {
    const made = await createKeyFile(at('node.key'), 'cheap');
    chmodSync(at('node.key'), 0o400);
    symlinkSync(at('node.key'), at('link.key'));
    expect((await readKeyFile(at('link.key'), 'cheap')).address).toBe(made.address);
  });

  test('that is not there is told so', async () => {
    const error = await refusal(readKeyFile(at('node.key')));
    expect([error.code, error.message]).toEqual(['NET_KEY_MISSING', `there is no key file at ${at('node.key')}`]);
  });

  test('has to hold one Ed25519 private key', async () => {
    const pem = (await identityOf('a')).toPem();
    const { privateKey, publicKey } = generateKeyPairSync('x25519');
    const others: Record<string, string | Uint8Array> = {
      'empty.key': '',
      'text.key': 'hello\n',
      'binary.key': seededRandom('noise')(200),
      'cut.key': pem.slice(0, 60),
      'public.key': publicKey.export({ format: 'pem', type: 'spki' }),
      'x25519.key': privateKey.export({ format: 'pem', type: 'pkcs8' }),
      'large.key': pem.padEnd(5000, '\n'),
    };
    for (const [name, text] of Object.entries(others)) {
      const error = await refusal(readKeyFile(write(name, text), 'cheap'));
      expect(error.code, name).toBe('NET_KEY_INVALID');
      expect(error.message, name).toContain(at(name));
    }
    mkdirSync(at('folder.key'), 0o700);
    expect((await refusal(readKeyFile(at('folder.key'), 'cheap'))).message).toBe(`${at('folder.key')} is no file`);
  });

  test('is refused, not waited for, when it is a pipe that nobody writes', async () => {
    execFileSync('mkfifo', ['-m', '600', at('pipe.key')]);
    expect((await refusal(readKeyFile(at('pipe.key'), 'cheap'))).message).toBe(`${at('pipe.key')} is no file`);
  });

  test('whose key no node may have is refused with its reason', async () => {
    const random = seededRandom('half');
    let key: SigningKey;
    do key = new SigningKey(random(32));
    while (((key.publicKey[31] as number) & 0x80) === 0);
    const error = await refusal(readKeyFile(write('odd.key', key.toPem()), 'cheap'));
    expect(error.code).toBe('NET_KEY_INVALID');
    expect(error.message).toContain('the sign bit of its public key is set');
  });

  test('never has its secret in an error', async () => {
    const pem = (await identityOf('a')).toPem();
    const secret = pem.split('\n')[1] as string;
    const error = await refusal(readKeyFile(write('bad.key', pem.replace('-----END', '-----ENDE')), 'cheap'));
    expect(`${error.message}${error.stack}${String(error.cause)}`).not.toContain(secret.slice(20));
  });
});
