/** What is said of small mistakes says what is wrong, in words of a person. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseNetConfig } from '../../../cli/net/config.ts';
import { diagnose } from '../../../cli/net/doctor.ts';
import { NetFolder } from '../../../cli/net/folder.ts';
import { withPeer } from '../../../cli/net/orders.ts';
import { RelaySilence } from '../../../cli/net/relay-silence.ts';
import { NetLab } from './lab.ts';
import { RELAY, STATUS } from './status.ts';

describe('config.json', () => {
  const wrong = (text: string): string => {
    try {
      return JSON.stringify(parseNetConfig(text, 'config.json'));
    } catch (error) {
      return (error as Error).message;
    }
  };
  test.each([
    ['{"listn":[]}', 'config.json: it has "listn", which means nothing there (did you mean "listen"?)'],
    ['{"peers":[{"key":"KEY","nmae":"x"}]}', 'config.json: peers.0 has "nmae", which means nothing there (did you mean "name"?)'],
    ['{"birthday":"no"}', 'config.json: birthday is wrong: expected boolean, received string'],
    ['[]', 'config.json: it is wrong: expected object, received array'],
    ['{"listen":["7337"]}', 'config.json: listen.0 is no IP address with a port'],
  ])('%s', (text, message) => {
    expect(wrong(text.replace('KEY', 'ab'.repeat(32)))).toBe(message);
  });
});

test.each(['none', 'unknown'] as const)('a NAT is not called %s twice', (kind) => {
  const message = diagnose({ ...STATUS, nat: { kind, reflexive: [] } }, 0).find(({ name }) => name === 'nat')?.message;
  expect(message).toMatch(new RegExp(`^${kind}: (?!${kind}\\b|not known)`));
});

test('a relay whose name is not known yet is said to be where it is', () => {
  const silence = new RelaySilence();
  const silent = { ...RELAY, kind: undefined, name: '9d33aabbccdd…', endpoints: ['hub.example.org:7337'] };
  silence.look(0, [silent]);
  expect(silence.look(20_000, [silent])).toMatch(/^no relay serves this node: hub\.example\.org:7337\. /);
});

test('a relay that is made known again keeps its name', () => {
  const config = parseNetConfig('{}', 'config.json');
  const peer = { key: 'ab'.repeat(32), name: 'spare', roles: ['node' as const, 'relay' as const], endpoints: ['192.0.2.1:1'] };
  const { name: _name, ...nameless } = peer;
  const again = withPeer(withPeer(config, { peer, isRelay: true }), {
    peer: { ...nameless, endpoints: ['192.0.2.2:2'] },
    isRelay: true,
  });
  expect(again.relays).toEqual([{ key: peer.key, name: 'spare', endpoints: ['192.0.2.2:2'] }]);
  expect(again.peers).toMatchObject([{ name: 'spare' }]);
});

test('a key that no node may have is no matter of files', async () => {
  await using lab = new NetLab();
  await lab.home('a');
  const key = 'ab'.repeat(32);
  const error = await lab.fails('a', 'add', key);
  expect([error.code, error.message, error.cure]).toEqual(['NET_KEY_INVALID', expect.stringContaining(key), undefined]);
  expect((await new NetFolder(lab.dir('a')).config()).peers).toEqual([]);
});

test('a key file of something else is not explained by what a library says', async () => {
  await using lab = new NetLab();
  await lab.home('a');
  const path = join(lab.dir('a'), 'identity.pem');
  writeFileSync(path, 'hello');
  expect((await lab.fails('a', 'id')).message).toBe(`${path} holds no Ed25519 private key in PEM`);
});
