/** Two ends on networks where anything happens, by the seed. */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PATHS_MAX, Paths, type PathOutput } from '../../../transport/overlay/paths/paths.ts';
import { randomOf } from '../session/lab.ts';
import { seededRandom } from '../identities.ts';
import { DIRECT, DIRECT_BACK, RELAY, World } from './lab.ts';

const STRANGER = 'udp:0/203.0.113.66:666';

describe('whatever happens for a minute, with a relay that works', () => {
  test('both talk again within seconds of its end, and by a direct path that works once it is looked for', () => {
    for (let seed = 1; seed <= 8; seed++) {
      const chance = randomOf(seed);
      const { world, a, b, direct, relay } = World.withRelay(seed);
      direct.jitterMs = 10;
      relay.jitterMs = 10;
      world.talk(1_452, [a, b], 100);
      let isRacing = false;
      let isAmplified = false;
      world.tap = (from, path, packet) => {
        if (isRacing && from === b && path === DIRECT_BACK) world.deliver(a, STRANGER, packet, 1);
        isAmplified ||= (a.sent.get(STRANGER) ?? 0) > 3 * (a.received.get(STRANGER) ?? 0);
        return false;
      };
      for (let i = 0; i < 60; i++) {
        const event = Math.floor(10 * chance());
        if (event === 0) direct.a = `udp:0/192.0.2.1:${5_000 + i}`;
        if (event === 1) direct.b = `udp:0/192.0.2.2:${5_000 + i}`;
        if (event === 2) direct.cut = (['both', 'from a', 'from b'] as const)[Math.floor(3 * chance())] ?? 'both';
        if (event === 3) direct.cut = 'none';
        if (event === 4) direct.loss = 0.3 * chance();
        if (event === 5) direct.maxBytes = chance() < 0.5 ? 1_250 : 1_500;
        if (event === 6) isRacing = !isRacing;
        if (event === 7) a.paths.failed(world.now, a.paths.active ?? RELAY, 'unreachable');
        if (event === 8) b.paths.networkChanged(world.now);
        if (event === 9) relay.loss = 0.2 * chance();
        world.run(1_000);
      }
      expect(isAmplified).toBe(false);
      isRacing = false;
      Object.assign(direct, { cut: 'none', loss: 0, maxBytes: 1_500 });
      relay.loss = 0;
      world.run(8_000);
      const since = world.now;
      a.paths.probe(since, direct.a);
      b.paths.probe(since, direct.b);
      // Longer than a hold, and than a window of lost challenges.
      world.run(180_000);
      for (const end of [a, b]) {
        expect(end.dataAt.filter((at) => at > since && at < since + 10_000).length).toBeGreaterThan(95);
        expect([direct.a, direct.b]).toContain(end.paths.active);
        expect(end.paths.view().length).toBeLessThanOrEqual(PATHS_MAX);
      }
      world.talk(undefined);
      world.run(200_000);
      expect([a.paths.nextAt(), b.paths.nextAt()]).toEqual([Infinity, Infinity]);
    }
  });
});

describe('any inputs in any order', () => {
  const path = fc.constantFrom(DIRECT, RELAY, 'ws:1', 'udp:0/127.0.0.1:9', STRANGER);
  const many = fc.oneof(
    path,
    fc.integer({ min: 1, max: 40 }).map((port) => `udp:0/198.51.100.7:${port}`),
  );
  const step = fc.oneof(
    fc.record({ type: fc.constant('begin' as const), path, isProved: fc.boolean() }),
    fc.record({
      type: fc.constant('received' as const),
      path: many,
      bytes: fc.integer({ min: 33, max: 1_500 }),
      isNewest: fc.boolean(),
    }),
    fc.record({ type: fc.constant('challenge' as const), path: many }),
    /** Of the answers that could be given, this one; by its path or by another. */
    fc.record({ type: fc.constant('response' as const), which: fc.nat(), by: fc.option(many) }),
    fc.record({ type: fc.constant('probe' as const), path: many }),
    fc.record({ type: fc.constant('failed' as const), path: many, error: fc.constantFrom('unreachable', 'too_long', 'closed') }),
    fc.record({ type: fc.constant('timeouts' as const), count: fc.nat(5) }),
    fc.record({ type: fc.constantFrom('traffic' as const, 'network' as const) }),
    fc.record({ type: fc.constant('wait' as const), ms: fc.integer({ min: 0, max: 20_000 }) }),
  );

  test('keep what is promised', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const paths = new Paths({ random: seededRandom(7), maxDatagram: 9_000 });
        let now = 0;
        let spins = false;
        let asked: { path: string; data: Uint8Array }[] = [];
        let active: string | undefined;
        const proved = new Set<string>();
        const sent = new Map<string, number>();
        const got = new Map<string, number>();
        const wanted = new Set<string>();
        const after = (): void => {
          const outputs: readonly PathOutput[] = paths.take();
          // One of these for each path, at most, and a few more for lengths.
          expect(outputs.length).toBeLessThan(6 * PATHS_MAX);
          for (const output of outputs) {
            if (output.type === 'active') active = output.path;
            if (output.type !== 'send') continue;
            const bytes = output.padTo ?? (output.frame.type === 'path_response' ? 62 : 41);
            sent.set(output.path, (sent.get(output.path) ?? 0) + bytes);
            paths.sent(output.path, bytes);
            if (output.frame.type === 'path_challenge')
              asked = [...asked.slice(-50), { path: output.path, data: output.frame.data }];
            const isTrusted = proved.has(output.path) || wanted.has(output.path);
            expect(isTrusted || (sent.get(output.path) ?? 0) <= 3 * (got.get(output.path) ?? 0)).toBe(true);
          }
          expect(paths.active).toBe(active);
          const view = paths.view();
          expect(view.length).toBeLessThanOrEqual(PATHS_MAX);
          expect(view.filter(({ isActive }) => isActive).map((one) => one.path)).toEqual(active === undefined ? [] : [active]);
          for (const one of view) {
            expect(one.datagram).toBe(paths.datagram(one.path));
            expect(one.state !== 'valid' || proved.has(one.path)).toBe(true);
          }
        };
        const receive = (from: string, bytes: number, isNewest: boolean): void => {
          got.set(from, (got.get(from) ?? 0) + bytes);
          paths.received(now, from, bytes, isNewest);
        };
        for (const one of steps) {
          switch (one.type) {
            case 'begin':
              if (one.isProved) {
                proved.add(one.path);
                wanted.add(one.path);
              }
              paths.begin(now, one.path, one.isProved);
              break;
            case 'received':
              receive(one.path, one.bytes, one.isNewest);
              break;
            case 'challenge':
              receive(one.path, 41, true);
              paths.challenge(one.path, new Uint8Array(8));
              break;
            case 'response': {
              const answered = asked[one.which % Math.max(1, asked.length)];
              if (answered === undefined) break;
              const by = one.by ?? answered.path;
              receive(by, 41, true);
              if (by === answered.path) proved.add(by);
              paths.response(now, by, answered.data);
              break;
            }
            case 'probe':
              wanted.add(one.path);
              paths.probe(now, one.path);
              break;
            case 'failed':
              paths.failed(now, one.path, one.error);
              break;
            case 'timeouts':
              paths.timeouts(now, one.count, 50);
              break;
            case 'traffic':
              paths.traffic(now);
              break;
            case 'network':
              paths.networkChanged(now);
              break;
            case 'wait':
              for (const end = now + one.ms; ;) {
                const at = Math.max(now, paths.nextAt());
                if (at > end) {
                  now = end;
                  break;
                }
                now = at;
                paths.tick(now);
                after();
                spins ||= paths.nextAt() <= now;
              }
          }
          after();
        }
        expect(spins).toBe(false);
        // Nothing goes on for ever.
        for (let ticks = 0; paths.nextAt() < Infinity; ticks++) {
          expect(ticks).toBeLessThan(2_000);
          now = Math.max(now, paths.nextAt());
          paths.tick(now);
          after();
        }
        expect(paths.view().every(({ state }) => state !== 'probing' && state !== 'dead')).toBe(true);
      }),
      { seed: 4, numRuns: 300 },
    );
  });
});
