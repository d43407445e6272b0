/** Secrets by reference: where values come from, and that they do not come back. */
import { describe, expect, it } from 'vitest';
import { Redactor, Vault } from '../../actors/secret.ts';

const vault = (env: Record<string, string>, files: Record<string, string> = {}): Vault =>
  new Vault({
    env,
    readFile: (path) => {
      const text = files[path];
      if (text === undefined) throw new Error('ENOENT');
      return text;
    },
  });

describe('a vault', () => {
  it('resolves references at each asking, with their prefix, and leaves plain text alone', () => {
    const env: Record<string, string> = { KEY: 'k3y-1' };
    const secrets = vault(env, { '/run/token': 't0ken\r\n' });
    expect(secrets.values({ a: { env: 'KEY', prefix: 'Bearer ' }, b: { file: '/run/token' }, c: 'plain' })).toEqual({
      a: 'Bearer k3y-1',
      b: 't0ken',
      c: 'plain',
    });
    env['KEY'] = 'k3y-2';
    expect(secrets.value({ env: 'KEY' })).toBe('k3y-2');
    expect(secrets.redactor.text('k3y-1 k3y-2 t0ken plain')).toBe('[secret KEY] [secret KEY] [secret /run/token] plain');
  });

  it.each([
    [{ env: 'NOT_SET' }, 'NOT_SET is not set'],
    [{ env: 'EMPTY' }, 'EMPTY is not set'],
    [{ file: '/none' }, '/none cannot be read'],
    [{ file: '/empty' }, '/empty is empty'],
  ])('%j is missing', (reference, message) => {
    expect(() => vault({ EMPTY: '' }, { '/empty': '\n' }).value(reference)).toThrow(
      expect.objectContaining({ code: 'SECRET_MISSING', message: expect.stringContaining(message) }),
    );
  });
});

describe('a redactor', () => {
  const secret = 'p"ss/w?rd>1~';

  it('knows a secret in the forms in which it comes back', () => {
    const redactor = new Redactor();
    redactor.add(secret, 'KEY');
    for (const form of [
      secret,
      JSON.stringify({ k: secret }),
      `https://x.example/?k=${encodeURIComponent(secret)}`,
      Buffer.from(secret).toString('base64'),
      Buffer.from(secret).toString('base64url'),
    ])
      expect(redactor.text(`before ${form} after`)).toMatch(/^before .*\[secret KEY\].* after$/);
  });

  it('goes through JSON, names of members included, and copies nothing when it has nothing to do', () => {
    const redactor = new Redactor();
    const value = { [secret]: [secret, 1, null, { deep: `x${secret}` }] };
    expect(redactor.json(value)).toBe(value);
    redactor.add(secret, 'KEY');
    expect(redactor.json(value)).toEqual({ '[secret KEY]': ['[secret KEY]', 1, null, { deep: 'x[secret KEY]' }] });
    expect(value).toHaveProperty([secret]);
  });

  it('one secret inside another leaves nothing over; very short ones would harm more than they help', () => {
    const redactor = new Redactor();
    redactor.add('abcd', 'SHORT');
    redactor.add('abcdefgh', 'LONG');
    redactor.add('ab', 'TINY');
    expect(redactor.text('abcdefgh abcd ab')).toBe('[secret LONG] [secret SHORT] ab');
  });
});
