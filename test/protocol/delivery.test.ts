/**
 * Many messages over a network that loses, copies and reorders, with crashes at both ends: each is taken once, in the order of its sender
 * and lane. Where the explorer walks every schedule of a few messages, this walks some schedules of many.
 */
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Address, effectId } from '../../core/address.ts';
import type { Lane } from '../../core/effect.ts';
import { advance, type Cursors, cursorKey, decodeCursors, encodeCursors, receive } from '../../core/protocol/cursors.ts';
import { emptyHeld, hold, release } from '../../core/protocol/held.ts';
import { addSend, afterOf, decodeOutbox, emptyOutbox, encodeOutbox, heard, pendingSends } from '../../core/protocol/outbox.ts';

interface Copy {
  readonly from: Address;
  readonly lane: Lane;
  readonly position: number;
  readonly after: number;
}
interface Report {
  readonly from: Address;
  readonly lane: Lane;
  readonly upTo: number;
}
const SENDERS: readonly Address[] = ['a1', 'a2'];
const LANES: readonly Lane[] = ['user', 'system'];
const HORIZON = 1e9;

class Sender {
  readonly address: Address;
  private outbox = emptyOutbox();
  private made = 0;
  /** The outbox when it was last durable: acknowledgements that were heard since are forgotten in a crash. */
  private saved: unknown = [];

  constructor(address: Address) {
    this.address = address;
  }
  send(lane: Lane): number {
    const position = ++this.made;
    const id = effectId(this.address, position, 0);
    addSend(this.outbox, { id, position, to: 'b', lane, event: { type: 'm' }, ts: 0 });
    this.saved = encodeOutbox(this.outbox);
    return position;
  }
  copies(): Copy[] {
    return Array.from(pendingSends(this.outbox), (send) => {
      const { lane, position } = send;
      return { from: this.address, lane, position, after: afterOf(send) };
    });
  }
  hear({ lane, upTo }: Report): void {
    heard(this.outbox, 'b', lane, upTo);
  }
  crash(): void {
    this.outbox = decodeOutbox(JSON.parse(JSON.stringify(this.saved)));
  }
}

class Receiver {
  private cursors: Cursors = new Map();
  private held = emptyHeld<Copy>();
  private ahead: Copy[] = [];
  private saved: unknown = [];
  readonly log: Copy[] = [];

  meet(copy: Copy): void {
    const key = cursorKey(copy.from, copy.lane);
    const arrival = { position: copy.position, after: copy.after, ts: 0, expired: false, void: false };
    const { kind } = receive(this.cursors.get(key), arrival, 0, HORIZON);
    if (kind === 'hold') hold(this.held, copy.from, copy.lane, copy.position, copy);
    if (kind !== 'take') return;
    this.ahead.push(copy);
    advance(this.cursors, copy.from, copy.lane, copy.position, 0);
    for (const next of release(this.held, copy.from, copy.lane, copy.position, (c) => c.after)) this.meet(next);
  }
  /** What it stepped is durable: its cursors are reported. */
  append(): Report[] {
    this.log.push(...this.ahead.splice(0));
    this.saved = encodeCursors(this.cursors);
    return SENDERS.flatMap((from) =>
      LANES.flatMap((lane) => {
        const cursor = this.cursors.get(cursorKey(from, lane));
        return cursor === undefined ? [] : [{ from, lane, upTo: cursor.at }];
      }),
    );
  }
  crash(): void {
    this.cursors = decodeCursors(JSON.parse(JSON.stringify(this.saved)));
    this.held = emptyHeld();
    this.ahead = [];
  }
}

const act = fc.record({
  do: fc.constantFrom(
    'send',
    'send',
    'offer',
    'offer',
    'deliver',
    'deliver',
    'copy',
    'lose',
    'append',
    'report',
    'forget',
    'crash a',
    'crash b',
  ),
  who: fc.nat(1),
  lane: fc.nat(3),
  which: fc.nat(1_000),
});

test('any schedule of many messages', () => {
  fc.assert(
    fc.property(fc.array(act, { minLength: 50, maxLength: 400 }), (acts) => {
      const senders = SENDERS.map((address) => new Sender(address));
      const receiver = new Receiver();
      const sent = new Map<string, number[]>();
      let net: Copy[] = [];
      let reports: Report[] = [];
      const pick = (list: readonly unknown[], which: number): number => (list.length === 0 ? -1 : which % list.length);
      const deliverAll = (): void => {
        for (const copy of senders.flatMap((sender) => sender.copies())) receiver.meet(copy);
        for (const report of receiver.append()) senders.find((s) => s.address === report.from)?.hear(report);
      };
      for (const { do: what, who, lane: whichLane, which } of acts) {
        const sender = senders[who] as Sender;
        // Most go to the users' lane.
        const lane: Lane = whichLane === 0 ? 'system' : 'user';
        const at = pick(net, which);
        const reportAt = pick(reports, which);
        if (what === 'send') {
          const key = `${sender.address} ${lane}`;
          sent.set(key, [...(sent.get(key) ?? []), sender.send(lane)]);
        } else if (what === 'offer') net.push(...sender.copies().slice(0, 1 + (which % 4)));
        else if (what === 'append') reports.push(...receiver.append());
        else if (what === 'crash a') sender.crash();
        else if (what === 'crash b') receiver.crash();
        else if (what === 'report' && reportAt >= 0) {
          const [report] = reports.splice(reportAt, 1);
          if (report !== undefined) senders.find((s) => s.address === report.from)?.hear(report);
        } else if (what === 'forget') reports = reports.filter((_, i) => i !== reportAt);
        else if (what === 'copy' && at >= 0) receiver.meet(net[at] as Copy);
        else if (what === 'lose') net = net.filter((_, i) => i !== at);
        else if (what === 'deliver' && at >= 0) receiver.meet(net.splice(at, 1)[0] as Copy);
      }
      // The network is kind at last, and old copies come after all.
      for (let i = 0; i < acts.length && senders.some((sender) => sender.copies().length > 0); i++) deliverAll();
      for (const copy of net) receiver.meet(copy);
      receiver.append();
      for (const from of SENDERS)
        for (const lane of LANES) {
          const taken = receiver.log.filter((c) => c.from === from && c.lane === lane).map((c) => c.position);
          expect(taken).toEqual(sent.get(`${from} ${lane}`) ?? []);
        }
      expect(senders.flatMap((sender) => sender.copies())).toEqual([]);
    }),
    { seed: 20260308, numRuns: 300 },
  );
});
