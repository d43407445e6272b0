/** A network whose users may send no more than 1,024 bytes: what the overlay itself has to say gets through all the same. */
import { expect, test } from 'vitest';
import { Authority } from '../../../transport/overlay/trust/authority.ts';
import { DENIED_KEYS_MAX, DenyLists, signDenyList } from '../../../transport/overlay/trust/deny-list.ts';
import { LIMITS, networkOf } from '../../../transport/overlay/trust/descriptor.ts';
import { JOIN_ANSWER_BYTES_MAX, joinAnswer } from '../../../transport/overlay/trust/join.ts';
import { CertificateTrust } from '../../../transport/overlay/trust/trust.ts';
import { identityOf, seededRandom } from '../identities.ts';
import { EPOCH, identity, World, type Name, type SimNode } from '../world.ts';

const ca = await identityOf('ca of a small network');
const limits = { ...LIMITS, messageBytesMax: 1_024 };
const network = networkOf({ name: 'small', caKeys: [ca.publicKey], addressProfile: 'cheap', limits });
const random = seededRandom('small');
const authority = new Authority({ network, signer: ca, denyLists: new DenyLists(network), random });
/** The longest that there is. */
const list = signDenyList(
  ca,
  network.networkId,
  1,
  Array.from({ length: DENIED_KEYS_MAX }, () => random(32)),
);

async function add(world: World, name: Name, last: number, peer?: SimNode): Promise<SimNode> {
  const denyLists = new DenyLists(network);
  const trust = new CertificateTrust({ network, denyLists });
  trust.present(await authority.issue(identity(name).publicKey, { name }, EPOCH), identity(name).publicKey, EPOCH);
  const peers = peer === undefined ? [] : [{ publicKey: peer.key, endpoints: ['203.0.113.1:4000'] }];
  return world.add(name, { addresses: [`203.0.113.${last}`], network, trust, denyLists, peers });
}

test('a deny list of 140 kB goes from member to member, and messages of users do not', async () => {
  const world = new World(1);
  const a = await add(world, 'a', 1);
  const b = await add(world, 'b', 2, a);
  world.send(b, a, 'x'.repeat(1_024));
  await world.until('the message', () => a.heard.length === 1);
  const tooLong = expect.objectContaining({ code: 'PAYLOAD_TOO_LARGE' });
  expect(() => world.send(b, a, 'x'.repeat(1_025))).toThrow(tooLong);
  expect(a.node.installDenyList(world.now, list)).toBe('installed');
  await world.until('the list', () => b.events.some(({ type }) => type === 'deny_list'));
  expect(b.node.installDenyList(world.now, list)).toBe('known');
  world.send(a, b, 'still here');
  await world.until('the answer', () => b.texts(a.key).length === 1);
});

test('the longest answer to a request for a certificate is that of four of the longest lists', () => {
  const bytes = (length: number): Uint8Array => new Uint8Array(length);
  const denyLists = Array.from({ length: 4 }, () => bytes(34 * DENIED_KEYS_MAX + 256));
  const longest = joinAnswer({ type: 'granted', descriptor: bytes(256), certificate: bytes(473), denyLists });
  expect(longest.length).toBeLessThanOrEqual(JOIN_ANSWER_BYTES_MAX);
  expect(longest.length).toBeGreaterThan(JOIN_ANSWER_BYTES_MAX - 32);
});
