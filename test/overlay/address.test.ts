import type * as Crypto from 'node:crypto';
import { scryptSync, type ScryptOptions } from 'node:crypto';
import { describe, expect, test, vi } from 'vitest';
import { isMeshError } from '../../core/errors.ts';
import { addressBytes, addressFromBytes, addressOf, parseAddress } from '../../transport/overlay/identity/address.ts';
import { hex, seededRandom, toHex } from './identities.ts';

/** Counts what runs at once, and lets one fail. */
const spy = vi.hoisted(() => ({ running: 0, most: 0, begun: [] as string[], failing: undefined as string | undefined }));
vi.mock('node:crypto', async (load) => {
  const crypto = await load<typeof Crypto>();
  const scrypt = (key: Uint8Array, salt: Uint8Array, bytes: number, cost: ScryptOptions, done: Done): void => {
    spy.most = Math.max(spy.most, ++spy.running);
    const name = Buffer.from(key).toString('hex');
    spy.begun.push(name);
    crypto.scrypt(key, salt, bytes, cost, (error, derived) => {
      spy.running--;
      done(spy.failing === name ? new TypeError('no memory') : error, derived);
    });
  };
  return { ...crypto, scrypt };
});
type Done = (error: Error | null, derived: Buffer) => void;

const publicKey = seededRandom('address')(32);

describe('the address of a node', () => {
  test('is the first six bytes of scrypt of its key, at the cost of its profile', async () => {
    for (const [profile, N] of [
      ['standard', 16384],
      ['cheap', 16],
    ] as const) {
      const digits = scryptSync(publicKey, 'OVL1/addr', 32, { N, r: 8, p: 1 }).toString('hex', 0, 6).toUpperCase();
      expect(await addressOf(publicKey, profile)).toBe(`${digits.slice(0, 4)}.${digits.slice(4, 8)}.${digits.slice(8)}`);
    }
    expect(await addressOf(publicKey)).toBe(await addressOf(publicKey, 'standard'));
  });

  test('is asked of whole keys only', async () => {
    await expect(addressOf(publicKey.subarray(1), 'cheap')).rejects.toThrow('a public key has 32 bytes, not 31');
  });

  test('goes to bytes and back, and through what people type', () => {
    const address = parseAddress('  0a1b.2C3d.4e5F ');
    expect(address).toBe('0A1B.2C3D.4E5F');
    expect(toHex(addressBytes(address))).toBe('0a1b2c3d4e5f');
    expect(addressFromBytes(addressBytes(address))).toBe(address);
    expect(addressFromBytes(hex('000000000001'))).toBe('0000.0000.0001');
  });

  test('is never one of the two reserved values', () => {
    for (const [text, bytes] of [
      ['0000.0000.0000', '000000000000'],
      ['FFFF.FFFF.FFFF', 'ffffffffffff'],
    ] as const) {
      expect(addressFromBytes(hex(bytes))).toBeUndefined();
      expect(() => parseAddress(text)).toThrow(`${text} is reserved: no node has it`);
    }
  });

  test('has six bytes on the wire', () => {
    for (const length of [0, 5, 7, 32]) expect(addressFromBytes(new Uint8Array(length).fill(1))).toBeUndefined();
  });

  test.each([
    '',
    'ABCD',
    '0A1B2C3D4E5F',
    '0A1B.2C3D',
    '0A1B.2C3D.4E5F.6071',
    '0A1B.2C3D.4E5G',
    '0A1B:2C3D:4E5F',
    'desk/intake',
    'x'.repeat(500),
  ])('is not %j: the error says so in one line, with the form it should have', (text) => {
    let error: unknown;
    try {
      parseAddress(text);
    } catch (thrown) {
      error = thrown;
    }
    expect(isMeshError(error, 'NET_ADDRESS_INVALID')).toBe(true);
    const { message } = error as Error;
    expect(message).toContain('three groups of four hex digits, as 0A1B.2C3D.4E5F');
    expect(message.length).toBeLessThan(200);
  });

  test('is computed for two keys at a time, in order, and for the rest when one of them fails', async () => {
    const keys = Array.from({ length: 20 }, (_, i) => seededRandom(i)(32));
    spy.failing = toHex(keys[3]);
    const results = await Promise.allSettled(keys.map((k) => addressOf(k, 'cheap')));
    expect(spy.most).toBe(2);
    expect(spy.running).toBe(0);
    expect(spy.begun.slice(-20)).toEqual(keys.map(toHex));
    expect(results.map((one) => one.status)).toEqual(keys.map((_, i) => (i === 3 ? 'rejected' : 'fulfilled')));
    spy.failing = undefined;
    const alone: unknown[] = [];
    for (const k of keys) alone.push(await addressOf(k, 'cheap'));
    expect(results.map((one, i) => (one.status === 'fulfilled' ? one.value : alone[i]))).toEqual(alone);
    expect(new Set(alone).size).toBe(keys.length);
  });
});
