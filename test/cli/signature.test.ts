/** Exported logs that are signed: what was changed, cut or signed by somebody else is not imported. */
import { execFileSync } from 'node:child_process';
import { generateKeyPairSync, sign, verify } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { publicKey, signed, signingKey, verified } from '../../cli/signature.ts';
import { isMeshError } from '../../core/errors.ts';

const folder = mkdtempSync(join(tmpdir(), 'reprise-sign-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function key(name: string) {
  const { privateKey, publicKey: pub } = generateKeyPairSync('ed25519');
  const [path, pubPath] = [join(folder, `${name}.pem`), join(folder, `${name}.pub.pem`)];
  writeFileSync(path, privateKey.export({ type: 'pkcs8', format: 'pem' }));
  writeFileSync(pubPath, pub.export({ type: 'spki', format: 'pem' }));
  return { path, pubPath, pub, privateKey };
}
const mine = key('mine');
const other = key('other');
const LOG = ['{"stream":{}}', '{"v":1,"seq":1,"text":"Grüße"}', '{"v":1,"seq":2}'];

async function* from(lines: readonly string[]): AsyncGenerator<string> {
  yield* lines;
}
async function all(lines: AsyncIterable<string>): Promise<string[]> {
  const out: string[] = [];
  for await (const line of lines) out.push(line);
  return out;
}
const exported = (path = mine.path): Promise<string[]> => all(signed(from(LOG), signingKey(path)));
const refused = async (lines: readonly string[], signer?: string): Promise<string> => {
  const error: unknown = await all(verified(from(lines), 'x.jsonl', signer)).catch((e: unknown) => e);
  return isMeshError(error, 'SIGNATURE_INVALID') ? error.message : `imported: ${String(error)}`;
};

describe('signed logs', () => {
  test('are the logs and one line more, and come back as they were', async () => {
    const lines = await exported();
    expect(lines.slice(0, -1)).toEqual(LOG);
    expect(await all(verified(from(lines), 'x.jsonl'))).toEqual(LOG);
    expect(await all(verified(from(lines), 'x.jsonl', publicKey(mine.pubPath)))).toEqual(LOG);
    expect(await all(verified(from(LOG), 'x.jsonl'))).toEqual(LOG);
  });

  test('are signed as anybody checks it', async () => {
    const { signature } = JSON.parse((await exported()).at(-1) as string) as { signature: { key: string; sig: string } };
    expect(signature.key).toBe(publicKey(mine.path.replace('.pem', '.pub.pem')));
    const digest = execFileSync('sha256sum', { input: LOG.map((l) => `${l}\n`).join('') })
      .toString()
      .slice(0, 64);
    const message = Buffer.from(`reprise exported logs, version 1\n${digest}`);
    expect(verify(null, message, mine.pub, Buffer.from(signature.sig, 'base64url'))).toBe(true);
    expect(sign(null, message, mine.privateKey).toString('base64url')).toBe(signature.sig);
  });

  test('are refused when anything was changed', async () => {
    const lines = await exported();
    const changed = lines.with(1, '{"v":1,"seq":1,"text":"Gruesse"}');
    expect(await refused(changed)).toContain('not what was signed');
    expect(await refused(lines.toSpliced(1, 1))).toContain('not what was signed');
    expect(await refused(lines.toSpliced(0, 1, lines[1] as string, lines[0] as string))).toContain('not what was signed');
    expect(await refused([...lines, LOG[2] as string])).toContain('behind its signature');
    const last = lines.at(-1) as string;
    expect(await refused([...LOG, last.replace(/"sig":"../, '"sig":"AA')])).toContain('not what was signed');
    expect(await refused([...LOG, last.slice(0, -5)])).toContain('cannot be read');
    expect(await refused([...LOG, last.replace('ed25519', 'none')])).toContain('not one that this version knows');
  });

  test('are refused when they have to be signed by somebody else, or at all', async () => {
    expect(await refused(await exported(other.path), publicKey(mine.pubPath))).toContain('not by');
    expect(await refused(LOG, publicKey(mine.pubPath))).toContain('not signed');
  });

  test('a key of small order signs nothing', async () => {
    // The neutral element: under it this signature fits every message where points of small order are let pass.
    const neutral = Buffer.alloc(32);
    neutral[0] = 1;
    const sig = Buffer.concat([neutral, Buffer.alloc(32)]);
    const line = JSON.stringify({
      signature: { alg: 'ed25519', key: neutral.toString('base64url'), sig: sig.toString('base64url') },
    });
    expect(await refused([...LOG, line])).toContain('not what was signed');
  });

  test('keys of another kind, and files that hold none, are named', () => {
    const path = join(folder, 'ec.pem');
    writeFileSync(path, generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' }));
    expect(() => signingKey(path)).toThrow(/of the kind ec/);
    expect(() => signingKey(join(folder, 'none.pem'))).toThrow(/holds no Ed25519 key/);
    expect(() => publicKey('not-a-key')).toThrow(/holds no Ed25519 key/);
  });
});
