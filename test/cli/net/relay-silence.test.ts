/** That no relay answers is said once each time, and not for a moment of silence. */
import { expect, test } from 'vitest';
import { RelaySilence } from '../../../cli/net/relay-silence.ts';
import { RELAY } from './status.ts';

const SILENT = { ...RELAY, state: 'connecting' as const, kind: undefined };

test('a silence of a quarter of a minute is told, with the names and what to do, once', () => {
  const silence = new RelaySilence();
  expect(silence.look(0, [SILENT])).toBeUndefined();
  expect(silence.look(14_000, [SILENT])).toBeUndefined();
  expect(silence.look(15_000, [SILENT, { ...SILENT, name: 'spare', parted: 'it said goodbye' }])).toMatch(
    /^no relay serves this node: hub, spare \(it said goodbye\)\. `reprise net doctor`/,
  );
  expect(silence.look(60_000, [SILENT])).toBeUndefined();
});

test('it is told again after a relay has served', () => {
  const silence = new RelaySilence();
  for (const from of [0, 100_000]) {
    expect(silence.look(from, [SILENT])).toBeUndefined();
    expect(silence.look(from + 20_000, [SILENT])).toContain('hub');
    expect(silence.look(from + 21_000, [SILENT, { ...RELAY, name: 'spare' }])).toBeUndefined();
  }
});

test('one that is registered and has no way does not serve; a node without relays misses none', () => {
  const silence = new RelaySilence();
  const stale = { ...RELAY, kind: undefined };
  silence.look(0, [stale]);
  expect(silence.look(20_000, [stale])).toContain('hub');
  expect(silence.look(40_000, [])).toBeUndefined();
});
