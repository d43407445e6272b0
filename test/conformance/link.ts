/** What every `Link` keeps, on a network that does its best. Loss is allowed, so each case sends again until it is heard. */
import assert from 'node:assert/strict';
import type { Link } from '../../core/ports/link.ts';
import { type Case, caseOf, type Passing, until } from './case.ts';

export interface LinkSubject extends Passing {
  /** Another link on the same network, not started. */
  link(): Link;
}

interface Heard {
  readonly from: string;
  readonly bytes: Uint8Array;
}

async function started(
  subject: LinkSubject,
  node: string,
  ...channels: string[]
): Promise<{ link: Link; heard: Record<string, Heard[]> }> {
  const link = subject.link();
  const heard: Record<string, Heard[]> = {};
  for (const channel of channels) {
    const list: Heard[] = (heard[channel] = []);
    link.onMessage(channel, (from, bytes) => list.push({ from, bytes: Uint8Array.from(bytes) }));
  }
  await link.start(node);
  return { link, heard };
}

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const link = (name: string, body: (subject: LinkSubject) => Promise<void>): Case<LinkSubject> => caseOf(name, body);

export const linkCases: readonly Case<LinkSubject>[] = [
  link('a message arrives unchanged, with the name of its sender', async (subject) => {
    const a = await started(subject, 'a');
    const b = await started(subject, 'b', 'x');
    const all = Uint8Array.from({ length: 256 }, (_, i) => i);
    for (const bytes of [all, new Uint8Array(0), new Uint8Array(Math.min(a.link.bytesMax, 300_000)).fill(7)]) {
      const copies = (): Heard[] => (b.heard['x'] ?? []).filter((m) => m.bytes.length === bytes.length);
      await until(
        subject,
        'a message arrives',
        () => copies().length > 0,
        () => a.link.send('b', 'x', bytes),
      );
      for (const copy of copies())
        assert.ok(copy.from === 'a' && Buffer.compare(copy.bytes, bytes) === 0, `of ${bytes.length} bytes`);
    }
  }),

  link('bytesMax bytes pass; one more does not throw, and the link goes on', async (subject) => {
    const a = await started(subject, 'a');
    const b = await started(subject, 'b', 'x');
    a.link.send('b', 'x', new Uint8Array(a.link.bytesMax + 1));
    const largest = new Uint8Array(a.link.bytesMax).fill(1);
    await until(
      subject,
      'the largest message arrives',
      () => (b.heard['x'] ?? []).some((m) => m.bytes.length === largest.length),
      () => a.link.send('b', 'x', largest),
    );
    assert.ok((b.heard['x'] ?? []).every((m) => m.bytes.length <= a.link.bytesMax));
  }),

  link('channels do not mix, and a channel without a handler harms nobody', async (subject) => {
    const a = await started(subject, 'a');
    const b = await started(subject, 'b', 'x', 'y.z');
    await until(
      subject,
      'both arrive',
      () => (b.heard['x']?.length ?? 0) > 0 && (b.heard['y.z']?.length ?? 0) > 0,
      () => {
        a.link.send('b', 'nobody listens', bytesOf('?'));
        a.link.send('b', 'x', bytesOf('for x'));
        a.link.send('b', 'y.z', bytesOf('for y.z'));
      },
    );
    assert.ok((b.heard['x'] ?? []).every((m) => textOf(m.bytes) === 'for x'));
    assert.ok((b.heard['y.z'] ?? []).every((m) => textOf(m.bytes) === 'for y.z'));
  }),

  link('the last handler of a channel counts, also one that is set after the start', async (subject) => {
    const a = await started(subject, 'a');
    const b = await started(subject, 'b', 'x');
    let second = 0;
    b.link.onMessage('x', () => second++);
    await until(
      subject,
      'the second handler hears',
      () => second > 0,
      () => a.link.send('b', 'x', bytesOf('!')),
    );
    assert.equal(b.heard['x']?.length, 0);
  }),

  link('a handler may answer at once', async (subject) => {
    const a = await started(subject, 'a', 'pong');
    const b = await started(subject, 'b');
    b.link.onMessage('ping', (from, bytes) => b.link.send(from, 'pong', bytes));
    await until(
      subject,
      'an answer',
      () => (a.heard['pong']?.length ?? 0) > 0,
      () => a.link.send('b', 'ping', bytesOf('hello')),
    );
    assert.equal(textOf(a.heard['pong']?.[0]?.bytes ?? new Uint8Array()), 'hello');
  }),

  link('a burst arrives whole when what is missing is sent again, and no message is broken', async (subject) => {
    const a = await started(subject, 'a');
    const b = await started(subject, 'b', 'x');
    const missing = new Set(Array.from({ length: 1_000 }, (_, i) => `message ${i} ${'.'.repeat(i % 97)}`));
    const sent = new Set(missing);
    let read = 0;
    await until(
      subject,
      'all arrive',
      () => {
        for (; read < (b.heard['x']?.length ?? 0); read++) {
          const text = textOf(b.heard['x']?.[read]?.bytes ?? new Uint8Array());
          assert.ok(sent.has(text), `nobody sent '${text}'`);
          missing.delete(text);
        }
        return missing.size === 0;
      },
      () => {
        for (const text of missing) a.link.send('b', 'x', bytesOf(text));
      },
    );
  }),

  link('names of nodes are kept apart, whatever they hold', async (subject) => {
    const names = ['a.b', 'a', 'b', 'ä/1 x', '*', '>', 'A'];
    const all = new Map<string, Awaited<ReturnType<typeof started>>>();
    for (const name of names) all.set(name, await started(subject, name, 'x'));
    const sender = all.get('a.b');
    for (const name of names.slice(1)) {
      const to = all.get(name);
      await until(
        subject,
        `mail for '${name}'`,
        () => (to?.heard['x']?.length ?? 0) > 0,
        () => sender?.link.send(name, 'x', bytesOf(name)),
      );
    }
    for (const [name, { heard }] of all)
      assert.ok(
        (heard['x'] ?? []).every((m) => m.from === 'a.b' && textOf(m.bytes) === name),
        name,
      );
  }),

  link('sending to nobody, before the start or after the stop neither throws nor blocks', async (subject) => {
    const early = subject.link();
    early.send('b', 'x', bytesOf('too early'));
    const a = await started(subject, 'a');
    a.link.send('nobody', 'x', bytesOf('?'));
    await a.link.stop();
    a.link.send('b', 'x', bytesOf('too late'));
    await a.link.stop();
    await early.stop();
  }),

  link('a node that stopped hears no more; another may start under its name', async (subject) => {
    const a = await started(subject, 'a');
    const first = await started(subject, 'b', 'x');
    await until(
      subject,
      'the first hears',
      () => (first.heard['x']?.length ?? 0) > 0,
      () => a.link.send('b', 'x', bytesOf('1')),
    );
    await first.link.stop();
    const count = first.heard['x']?.length;
    const second = await started(subject, 'b', 'x');
    await until(
      subject,
      'the second hears',
      () => (second.heard['x']?.length ?? 0) > 0,
      () => a.link.send('b', 'x', bytesOf('2')),
    );
    assert.equal(first.heard['x']?.length, count);
    assert.ok((second.heard['x'] ?? []).every((m) => m.from === 'a'));
  }),

  link('peers are the other nodes that are there', async (subject) => {
    const a = await started(subject, 'a');
    const b = await started(subject, 'b');
    const c = await started(subject, 'c');
    await until(subject, 'all know each other', () => [a, b, c].every(({ link: l }) => l.peers().length === 2));
    assert.deepEqual([...a.link.peers()].sort(), ['b', 'c']);
    await c.link.stop();
    await until(subject, 'who stopped is forgotten', () => a.link.peers().length === 1);
    assert.deepEqual(a.link.peers(), ['b']);
  }),

  link('an endpoint says where the node is, and differs from node to node', async (subject) => {
    const a = await started(subject, 'a');
    const b = await started(subject, 'b');
    assert.notEqual(a.link.endpoint, '');
    assert.notEqual(a.link.endpoint, b.link.endpoint);
  }),
];
