/** Secrets by reference: where values come from, and that they do not come back. */
import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { Redactor, Vault } from '../../actors/secret.ts';
import { StderrTail } from '../../actors/stderr-tail.ts';

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

  it('cleans before it cuts', () => {
    const redactor = new Redactor();
    redactor.add('sk-0123456789', 'KEY');
    expect(redactor.excerpt('it is sk-0123456789', 9)).toBe('it is [se');
  });

  it('knows a value of several lines line by line, also where their ends are written in JSON', () => {
    const lines = ['MIIEvQIBADANBgkqhkiG', '9w0BAQEFAASCBKcwggSj'];
    const pem = ['-----BEGIN KEY-----', ...lines, 'abc=', '-----END KEY-----'].join('\n');
    for (const value of [pem, JSON.stringify({ key: pem }), JSON.stringify({ key: pem }, undefined, 2)]) {
      const redactor = new Redactor();
      redactor.add(value, 'FILE');
      for (const line of lines) expect(redactor.text(`line: ${line}.`)).toBe('line: [secret FILE].');
      // Too short to be told from other text.
      expect(redactor.text('abc= {')).toBe('abc= {');
    }
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

describe('what a child process writes to stderr', () => {
  const secret = 'sk-0123456789-ü';
  interface Tail {
    readonly told: readonly string[];
    readonly said: () => string;
    readonly write: (...chunks: readonly (string | Buffer)[]) => void;
  }
  function tail(name = secret): Tail {
    const redactor = new Redactor();
    redactor.add(name, 'KEY');
    const told: string[] = [];
    const stderr = new StderrTail(redactor, (line) => told.push(line));
    const stream = new PassThrough();
    stderr.follow(stream);
    return {
      told,
      said: () => stderr.said(),
      write: (...chunks) => {
        for (const chunk of chunks) stream.emit('data', Buffer.from(chunk));
      },
    };
  }

  it('is cleaned before a long line is cut', () => {
    const { told, said, write } = tail();
    write(`${'x'.repeat(1_990)}${secret} and more\n`);
    expect(told[0]).toHaveLength(2_000);
    expect(`${told[0]}${said()}`).not.toContain('sk-');
  });

  it('and when it comes in pieces, even of one character', () => {
    const { told, write } = tail();
    const bytes = Buffer.from(`it is ${secret}\n`);
    write(
      ...bytes
        .subarray()
        .toString('latin1')
        .split('')
        .map((byte) => Buffer.from(byte, 'latin1')),
    );
    expect(told).toEqual(['it is [secret KEY]']);
  });

  it('and when a line does not end: what is kept of it is not cut in the middle of a secret', () => {
    for (let pad = 0; pad < secret.length; pad++) {
      const { told, said, write } = tail();
      for (let i = 0; i < 1_500; i++) write(secret);
      write('y'.repeat(pad));
      const last = said();
      write('\n');
      expect(`${told.join('')}${last}`).toContain('[secret KEY]');
      expect(`${told.join('')}${last}`).not.toMatch(/sk-|123|789|-ü/);
    }
  });

  it('and a key of several lines, which comes line by line', () => {
    const pem = '-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG\n9w0BAQEFAASCBKcwggSj\n-----END KEY-----';
    const { told, write } = tail(pem);
    write(`${pem}\n`);
    expect(told).toEqual(Array(4).fill('[secret KEY]'));
  });
});
