import { describe, expect, test } from 'vitest';
import type { Envelope } from '../../core/envelope.ts';
import type { MeshError } from '../../core/errors.ts';
import { timeline } from '../../core/testing/virtual.ts';
import { direct } from '../../transport/direct.ts';
import { type LocalNetworkOptions, localNetwork } from '../../transport/local.ts';
import { msgpack } from '../../transport/msgpack.ts';
import { conform } from '../conformance/conform.ts';
import { mailboxesCases, type MailboxesSubject } from '../conformance/mailboxes.ts';

const owners: Readonly<Record<string, string>> = { 'default/0': 'here', 'default/1': 'there' };
const envelope: Envelope = {
  id: 'a!3.0',
  from: 'a',
  to: 'b',
  lane: 'user',
  shard: 'default/1',
  fromShard: 'default/0',
  after: -1,
  ts: 0,
  event: { type: 'hello' },
};

async function mesh(weather: Partial<LocalNetworkOptions> = {}) {
  const time = timeline();
  const clock = time.clock();
  const network = localNetwork({ seed: 1, clock, ...weather });
  const dropped: MeshError[] = [];
  const node = async (name: string) => {
    const link = network.link();
    const mailboxes = direct({
      node: name,
      link,
      codec: msgpack(),
      ownerOf: (shard) => owners[shard],
      soon: (fn) => clock.soon(fn),
      dropped: (cause) => dropped.push(cause),
    });
    await mailboxes.start();
    await link.start(name);
    return { link, mailboxes };
  };
  return { time, network, dropped, here: await node('here'), there: await node('there') };
}

const subject = (weather: Partial<LocalNetworkOptions>) => async (): Promise<MailboxesSubject> => {
  const { time, here, there } = await mesh(weather);
  return { here: here.mailboxes, there: there.mailboxes, passes: () => time.advance(1), close: () => Promise.resolve() };
};
conform('direct mailboxes over a quiet link', mailboxesCases, subject({}));
conform(
  'direct mailboxes over a bad link',
  mailboxesCases,
  subject({ latencyMs: 4, jitterMs: 10, loss: 0.2, duplication: 0.2, reordering: 0.3 }),
);

describe('direct mailboxes', () => {
  test('on one node mail is handed over at once, as it is, without a link', async () => {
    const alone = direct({ node: 'here', ownerOf: () => 'here', soon: () => undefined });
    const got: Envelope[] = [];
    await alone.start();
    await alone.open('default/1', 1, { deliver: (e) => got.push(e), report: () => undefined });
    void alone.send(envelope);
    expect(got[0]).toBe(envelope);
  });

  test('the reports of one turn go in one frame for each node', async () => {
    const { time, network, here } = await mesh();
    for (let i = 0; i < 100; i++)
      here.mailboxes.report({ from: `a${i % 10}`, to: 'b', lane: 'user', shard: 'default/1', upTo: i });
    await time.advance(10);
    expect(network.counts.sent).toBe(1);
  });

  test('a message larger than the link carries is told, and others go on', async () => {
    const { time, dropped, here, there } = await mesh({ bytesMax: 1_000 });
    const got: Envelope[] = [];
    await there.mailboxes.open('default/1', 1, { deliver: (e) => got.push(e), report: () => undefined });
    await here.mailboxes.send({ ...envelope, event: { type: 'document', text: 'x'.repeat(2_000) } });
    await here.mailboxes.send(envelope);
    await time.advance(10);
    expect(dropped.map((e) => e.code)).toEqual(['PAYLOAD_TOO_LARGE']);
    expect(got).toEqual([envelope]);
  });

  test('a message that is no plain data is told, and send does not reject', async () => {
    const { dropped, here } = await mesh();
    await here.mailboxes.send({ ...envelope, event: { type: 'big', n: 2n ** 70n } });
    expect(dropped.map((e) => e.code)).toEqual(['CODEC_FAILED']);
  });

  test('frames that are garbage or of another shape are told and dropped', async () => {
    const { time, dropped, here, there } = await mesh();
    const got: unknown[] = [];
    await there.mailboxes.open('default/1', 1, { deliver: (e) => got.push(e), report: (r) => got.push(r) });
    const codec = msgpack();
    here.link.send('there', 'mailbox', Uint8Array.of(0xc1, 0xff));
    for (const value of [
      null,
      7,
      [],
      { ...envelope, event: null },
      { ...envelope, lane: 'fast' },
      { ...envelope, after: 'x' },
      { ...envelope, event: { type: 5 } },
    ])
      here.link.send('there', 'mailbox', codec.encode(value));
    for (const value of [{}, [7], [{ from: 'a', to: 'b', lane: 'user', shard: 'default/1' }]])
      here.link.send('there', 'report', codec.encode(value));
    await time.advance(10);
    expect(got).toEqual([]);
    expect(dropped.map((e) => e.code)).toEqual(Array.from({ length: 11 }, () => 'CODEC_FAILED'));
  });

  test('after the stop nothing is delivered that still arrives', async () => {
    const { time, here, there } = await mesh({ latencyMs: 5 });
    const got: Envelope[] = [];
    await there.mailboxes.open('default/1', 1, { deliver: (e) => got.push(e), report: () => undefined });
    await here.mailboxes.send(envelope);
    await there.mailboxes.stop();
    await time.advance(10);
    expect(got).toEqual([]);
  });
});
