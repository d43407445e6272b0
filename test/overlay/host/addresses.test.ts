import { expect, test } from 'vitest';
import { Addresses } from '../../../transport/overlay/host/addresses.ts';
import { parseAddress, type OverlayAddress } from '../../../transport/overlay/identity/address.ts';

const KEY = 'ab'.repeat(32);

test('who asks for an address again before it is there costs nothing, and may ask again when it is', async () => {
  const computing: ((address: OverlayAddress | undefined) => void)[] = [];
  const found: string[] = [];
  const addresses = new Addresses({
    compute: () => new Promise((resolve) => computing.push(resolve)),
    found: (key, address) => found.push(`${key.slice(0, 2)} ${address}`),
  });
  const asked = Array.from({ length: 1_000 }, () => addresses.want(KEY));
  const other = addresses.want('cd'.repeat(32));
  expect(computing).toHaveLength(2);
  computing[0]?.(parseAddress('0001.0002.0003'));
  computing[1]?.(undefined);
  await Promise.all([...asked, other]);
  expect(found).toEqual(['ab 0001.0002.0003']);
  void addresses.want(KEY);
  expect(computing).toHaveLength(3);
});
