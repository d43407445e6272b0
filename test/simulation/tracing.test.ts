/** One trace over messages, calls, timers and crashes: what real cells tell a tracer, and what their log keeps. */
import { describe, expect, test } from 'vitest';
import type { SpanOptions, Tracer } from '../../core/ports/tracer.ts';
import { sendTo, spawn, timer, World } from './world.ts';

interface Seen extends SpanOptions {
  readonly operation: string;
  /** Its context. */
  readonly id: string;
  ended: boolean;
}

function recorder(): { readonly tracer: Tracer; readonly seen: Seen[] } {
  const seen: Seen[] = [];
  const start: Tracer['start'] = (operation, options) => {
    const span: Seen = { operation, ...options, id: `span-${seen.length}`, ended: false };
    seen.push(span);
    return {
      context: { traceparent: span.id },
      set: () => undefined,
      end: () => {
        span.ended = true;
      },
    };
  };
  return { tracer: { start }, seen };
}
const A = 'a.plain1';
const B = 'b.plain1';

async function pair(): Promise<{ readonly world: World; readonly seen: Seen[] }> {
  const { tracer, seen } = recorder();
  const world = new World({ tracer });
  await world.up('n1', ['a']);
  await world.up('n2', ['b']);
  await world.advance(1_000);
  return { world, seen };
}
const of = (seen: readonly Seen[], operation: string, actor: string): Seen[] =>
  seen.filter((s) => s.operation === operation && s.attributes?.['actor'] === actor);
const only = (spans: readonly Seen[]): Seen => {
  expect(spans.length).toBe(1);
  return spans[0] as Seen;
};

describe('a trace', () => {
  test('goes from a message over the turn that it causes to what that sends and calls', async () => {
    const { world, seen } = await pair();
    await world.send(A, {
      type: 'go',
      do: [sendTo(B, { type: 'm', n: 1 }), spawn('call', 'tool', 1), timer('t', 500, { type: 'ring' })],
    });
    await world.advance(2_000);
    const turn = seen.find((s) => s.operation === 'turn' && s.attributes?.['event'] === 'go') as Seen;
    const send = only(of(seen, 'send', A));
    expect(send).toMatchObject({
      kind: 'producer',
      parent: { traceparent: turn.id },
      attributes: { destination: 'b.plain{key}' },
    });
    expect(only(of(seen, 'process', B))).toMatchObject({ kind: 'consumer', links: [{ traceparent: send.id }] });
    expect(only(of(seen, 'leaf', A))).toMatchObject({ parent: { traceparent: turn.id } });
    const causedByItself = seen.filter((s) => s.operation === 'turn' && s.attributes?.['actor'] === A && s !== turn);
    expect(causedByItself.map((s) => [s.attributes?.['event'], s.parent])).toEqual([
      ['xstate.done.actor.call', { traceparent: turn.id }],
      ['ring', { traceparent: turn.id }],
    ]);
    expect(seen.filter((s) => !s.ended)).toEqual([]);
    const go = (await world.records(A)).find((r) => r.kind === 'event');
    expect(go?.meta.trace).toEqual({ traceparent: turn.id });
  });

  test('a re-send is no second span, and carries the context of the first, over a crash of its sender too', async () => {
    const { world, seen } = await pair();
    world.network.partition('n1', 'n2', 'oneWay');
    await world.send(A, { type: 'go', do: [sendTo(B, { type: 'm', n: 1 })] });
    await world.advance(10_000);
    const send = only(of(seen, 'send', A));
    world.network.heal();
    await world.advance(60_000);
    expect(only(of(seen, 'process', B)).links).toEqual([{ traceparent: send.id }]);
  });

  test('recovery and replay make no spans', async () => {
    const { world, seen } = await pair();
    await world.send(A, { type: 'go', do: [timer('t', 3_600_000, { type: 'ring' })] });
    await world.advance(1_000);
    world.crash('n1');
    const before = seen.length;
    await world.up('n3', ['a']);
    await world.advance(10_000);
    expect(world.events.filter((e) => e.type === 'actor.recovered' && e.actor === A).length).toBe(1);
    expect(seen.length).toBe(before);
  });
});
