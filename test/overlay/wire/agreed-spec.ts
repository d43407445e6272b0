/**
 * §5 of docs/overlay-wire.md once more, by nothing but that page: what a DENYLIST says, what is owed to who sent it, and the codes of CLOSE.
 * The layout and the codes are read from the tables of the page; what the text says beside them is written here.
 */
import { readFileSync } from 'node:fs';
import type { Frame } from '../../../transport/overlay/wire/frames.ts';
import { Cursor, fieldsOf, judged, must, specFrames } from './wire-spec.ts';

const page = readFileSync('docs/overlay-wire.md', 'utf8');
const section = page.slice(page.indexOf('## 5. '));
const cells = section
  .split('\n')
  .filter((line) => line.startsWith('| '))
  .map((line) => line.slice(2, -2).split(' | '));

const layout = cells.find(([body]) => body === 'DENYLIST')?.[1] ?? '';
const fields = fieldsOf(layout);
const timesMax = Number(/up to the end, at most (\d) times:/.exec(layout)?.[1]);

/** Of the table of codes: the constant of each. */
export const specCodes: ReadonlyMap<number, string> = new Map(
  cells.filter(([code = '']) => /^\d+$/.test(code)).map(([code, constant = '']) => [Number(code), constant.replaceAll('`', '')]),
);

/** Names of the channels of the overlay. */
export const specChannels: readonly string[] = cells.flatMap(([name = '']) => /^`(net\/[^`]+)`$/.exec(name)?.[1] ?? []);

/** A deny list: whose, and which. `caKey` in hex. */
export interface SpecNumber {
  readonly caKey: string;
  readonly number: number;
}

/** The lists that a DENYLIST names. Undefined: malformed. */
export const specDenyNumbers = (body: Uint8Array): readonly SpecNumber[] | undefined =>
  judged(() => {
    const cursor = new Cursor(body);
    const said: SpecNumber[] = [];
    while (cursor.at < body.length) {
      const { caKey, number } = cursor.fields(fields);
      said.push({ caKey: Buffer.from(caKey as Uint8Array).toString('hex'), number: number as number });
      must(said.length <= timesMax && number !== 0);
    }
    must(new Set(said.map(({ caKey }) => caKey)).size === said.length);
    return said;
  });

type Side = 'a' | 'b';
const DENYLIST = 0x24;

/**
 * Follows what two members say to each other from the beginning of an association: who owes what, and whether it is said. `read`: what a message
 * on the channel of deny lists is. Gives what is not as the page says, or is still owed at the end.
 */
export function specBreaches(
  packets: readonly { readonly by: string; readonly hex: string }[],
  has: Record<Side, readonly SpecNumber[]>,
  read: (message: Uint8Array) => SpecNumber,
): readonly string[] {
  const lists = { ...has };
  const last: Record<Side, readonly SpecNumber[]> = { a: [], b: [] };
  const messages = { a: new Messages(), b: new Messages() };
  const owed = ['a tells', 'b tells'];
  const answered: Record<Side, string> = { a: '', b: '' };
  const sends = new Set<string>();
  const breaches: string[] = [];
  const settle = (what: string): void => {
    if (owed.includes(what)) owed.splice(owed.indexOf(what), 1);
    else breaches.push(`not owed: ${what}`);
  };
  for (const { by, hex } of packets) {
    const [speaker, hearer]: readonly [Side, Side] = by === 'a' ? ['a', 'b'] : ['b', 'a'];
    for (const frame of specFrames(Buffer.from(hex, 'hex')) ?? []) {
      if (frame.type === 'control' && frame.code === DENYLIST) {
        const told = specDenyNumbers(frame.bytes) ?? [];
        settle(`${speaker} tells`);
        // It may have been written before the last list came.
        if (newer(told, lists[speaker]).length > 0) breaches.push(`${speaker} tells of a list that it has not`);
        last[speaker] = told;
        const wanted = newer(lists[hearer], told).map(({ caKey, number }) => `${hearer} sends ${caKey} ${number}`);
        owed.push(...wanted.filter((what) => !sends.has(what)));
        for (const what of wanted) sends.add(what);
        const body = Buffer.from(frame.bytes).toString('hex');
        if (newer(told, lists[hearer]).length === 0 || body === answered[hearer]) continue;
        answered[hearer] = body;
        owed.push(`${hearer} tells`);
      } else {
        const message = messages[speaker].add(frame);
        if (message === undefined) continue;
        const list = read(message);
        settle(`${speaker} sends ${list.caKey} ${list.number}`);
        lists[hearer] = [...lists[hearer].filter(({ caKey }) => caKey !== list.caKey), list];
        owed.push(`${hearer} tells`);
      }
    }
  }
  for (const side of ['a', 'b'] as const)
    if (newer(lists[side], last[side]).length > 0) breaches.push(`${side} has not told of its last list`);
  if (newer(lists.a, lists.b).length + newer(lists.b, lists.a).length > 0) breaches.push('one has a list that the other lacks');
  return [...breaches, ...owed];
}

/** Of `all` those that are newer than what is in `than`. */
const newer = (all: readonly SpecNumber[], than: readonly SpecNumber[]): readonly SpecNumber[] =>
  all.filter(({ caKey, number }) => number > (than.find((other) => other.caKey === caKey)?.number ?? 0));

/** Messages of one side on `net/deny-list`, put together by §3. Nothing is lost here, nor comes twice. */
class Messages {
  private readonly channels = new Map<number, string>();
  private readonly parts = new Map<number, Uint8Array>();

  /** The message that is whole now. */
  add(frame: Frame): Uint8Array | undefined {
    if (frame.type === 'open_channel') this.channels.set(frame.channel, `${frame.mode} ${frame.name}`);
    if (frame.type !== 'msg') return undefined;
    must(frame.mode === 0 && this.channels.get(frame.channel) === '0 net/deny-list');
    const before = this.parts.get(frame.seq) ?? new Uint8Array(0);
    must(frame.offset === before.length);
    const bytes = Uint8Array.from([...before, ...frame.bytes]);
    this.parts.set(frame.seq, bytes);
    return bytes.length === frame.total ? bytes : undefined;
  }
}
