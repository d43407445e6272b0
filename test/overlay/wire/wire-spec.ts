/**
 * docs/overlay-wire.md once more, by nothing but that page: what another implementation would have to write. It reads the tables of layouts
 * from the page itself; what the text says beside them is written here.
 */
import { readFileSync } from 'node:fs';
import type { Frame } from '../../../transport/overlay/wire/frames.ts';
import type { Hello } from '../../../transport/overlay/wire/hello.ts';
import type { Packet } from '../../../transport/overlay/wire/packets.ts';

interface Field {
  readonly name: string;
  readonly kind: string;
}
interface FrameRow {
  readonly name: string;
  readonly types: readonly number[];
  readonly fields: readonly Field[];
  /** More fields, as often as the field `count` says. */
  readonly repeated: { readonly count: string; readonly fields: readonly Field[] } | undefined;
}
interface PacketRow {
  readonly name: string;
  readonly type: number;
  readonly min: number;
  readonly max: number;
  readonly hasVersion: boolean;
  readonly fields: readonly Field[];
}
type Values = Record<string, number | Uint8Array>;

const lines = readFileSync('docs/overlay-wire.md', 'utf8').split('\n');
const cells = lines.filter((line) => /^\| `[0-9a-f]{2}`/.test(line)).map((line) => line.slice(2, -2).split(' | '));

export const fieldsOf = (text: string): Field[] =>
  Array.from(text.matchAll(/(\w+) `(u\d+|v\[\]|v|\[\d+\]|\.\.)`/g), ([, name = '', kind = '']) => ({ name, kind }));
const codesOf = (text: string): number[] => Array.from(text.matchAll(/[0-9a-f]{2}/g), ([hex]) => Number.parseInt(hex, 16));

export const frameRows: readonly FrameRow[] = cells
  .filter((row) => row.length === 3)
  .map(([types = '', name = '', body = '']) => {
    const [once = '', count, often = ''] = body.split(/, then `(\w+)` times: /);
    const repeated = count === undefined ? undefined : { count, fields: fieldsOf(often) };
    return { name, types: codesOf(types), fields: fieldsOf(once), repeated };
  });

export const packetRows: readonly PacketRow[] = cells
  .filter((row) => row.length === 4)
  .map(([type = '', name = '', sizes = '', layout = '']) => {
    const [min = 0, max = sizes.endsWith('more') ? Infinity : min] = Array.from(sizes.matchAll(/\d+/g), Number);
    return { name, type: codesOf(type)[0] as number, min, max, hasVersion: layout.includes('version'), fields: fieldsOf(layout) };
  });

/** The drawing of a hello: a name and its kind in each line, down to the padding. */
const drawn = lines.slice(lines.findIndex((line) => line.startsWith('hello  ')));
const helloFields: readonly Field[] = drawn
  .slice(
    0,
    drawn.findIndex((line) => line.trim().startsWith('padding')),
  )
  .map((line) => / (\w+) (\S+) {2,}/.exec(line) ?? [])
  .map(([, name = '', kind = '']) => ({ name, kind }));

class Malformed extends Error {}

export function must(holds: boolean): void {
  if (!holds) throw new Malformed();
}

export class Cursor {
  at = 0;
  readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  take(count: number): Uint8Array {
    must(this.at + count <= this.bytes.length);
    this.at += count;
    return this.bytes.slice(this.at - count, this.at);
  }

  number(bytes: Uint8Array): number {
    const value = BigInt(`0x${Buffer.from(bytes).toString('hex')}`);
    must(value < 2n ** 53n);
    return Number(value);
  }

  varint(): number {
    const first = this.take(1)[0] as number;
    const size = 2 ** (first >> 6);
    const value = this.number(Uint8Array.of(first & 0x3f, ...this.take(size - 1)));
    must(size === 1 || value >= 2 ** (8 * (size / 2) - 2));
    return value;
  }

  field({ kind }: Field): number | Uint8Array {
    if (kind === 'v') return this.varint();
    if (kind === 'v[]') return this.take(this.varint());
    if (kind.startsWith('u')) return this.number(this.take(Number(kind.slice(1)) / 8).toReversed());
    return this.take(Number(kind.slice(1, -1)));
  }

  fields(fields: readonly Field[]): Values {
    return Object.fromEntries(fields.map((field) => [field.name, this.field(field)]));
  }
}

/** Undefined: the page says that it is malformed. */
export function judged<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof Malformed) return undefined;
    throw error;
  }
}

export const specFrames = (payload: Uint8Array): Frame[] | undefined =>
  judged(() => {
    const cursor = new Cursor(payload);
    const frames: Frame[] = [];
    while (cursor.at < payload.length) frames.push(...oneFrame(cursor));
    return frames;
  });

function oneFrame(cursor: Cursor): Frame[] {
  const type = cursor.take(1)[0] as number;
  const row = frameRows.find(({ types }) => types.includes(type));
  if (row === undefined) {
    must(type >= 0x80);
    cursor.take(cursor.varint());
    return [];
  }
  const values = cursor.fields(row.fields);
  const repeats: Values[] = [];
  for (let i = 0; row.repeated !== undefined && i < Number(values[row.repeated.count]); i++) {
    must(row.name !== 'ACK' || i < 31);
    repeats.push(cursor.fields(row.repeated.fields));
  }
  return meant(row.name, type, values, repeats);
}

function meant(name: string, type: number, values: Values, repeats: readonly Values[]): Frame[] {
  const number = (key: string): number => values[key] as number;
  const bytes = (key: string): Uint8Array => values[key] as Uint8Array;
  const mode = (value: number): 0 | 1 | 2 => {
    must(value <= 2);
    return value as 0 | 1 | 2;
  };
  switch (name) {
    case 'PADDING':
      return [];
    case 'PING':
      return [{ type: 'ping' }];
    case 'ACK': {
      const ranges: [number, number][] = [[number('largest') - number('length'), number('largest')]];
      for (const { gap, length } of repeats) {
        const to = (ranges.at(-1)?.[0] as number) - 2 - (gap as number);
        ranges.push([to - (length as number), to]);
      }
      must(ranges.flat().every((n) => n >= 0));
      return [{ type: 'ack', largest: number('largest'), delayUs: number('delay'), ranges }];
    }
    case 'CLOSE':
      return [{ type: 'close', code: number('code'), finals: repeats.map((r) => [r['channel'] as number, r['seq'] as number]) }];
    case 'OPEN_CHANNEL': {
      const name = Buffer.from(bytes('name'));
      must(name.length <= 512 && Buffer.compare(Buffer.from(name.toString('utf8'), 'utf8'), name) === 0);
      return [{ type: 'open_channel', channel: number('channel'), mode: mode(number('mode')), name: name.toString('utf8') }];
    }
    case 'RESET_CHANNEL':
      return [{ type: 'reset_channel', channel: number('channel'), seq: number('seq'), bytes: number('bytes') }];
    case 'MAX_DATA':
      return [{ type: 'max_data', bytes: number('bytes') }];
    case 'MAX_MSGS':
      return [{ type: 'max_msgs', channel: number('channel'), count: number('count') }];
    case 'MSG': {
      const isFragment = type >= 0x0c;
      const { length } = bytes('bytes');
      const offset = isFragment ? number('offset') : 0;
      const total = isFragment ? number('total') : length;
      must(total <= 16_777_216);
      if (isFragment) must(length > 0 && length < total && offset + length <= total);
      const where = { channel: number('channel'), seq: number('seq'), mode: mode(type - (isFragment ? 0x0c : 0x08)) };
      return [{ type: 'msg', ...where, offset, total, bytes: bytes('bytes') }];
    }
    case 'PATH_CHALLENGE':
      return [{ type: 'path_challenge', data: bytes('data') }];
    case 'PATH_RESPONSE':
      return [{ type: 'path_response', data: bytes('data') }];
    default:
      return [{ type: 'control', code: type as never, bytes: bytes('body') }];
  }
}

export const specPacket = (bytes: Uint8Array): Packet | undefined =>
  judged(() => {
    const row = packetRows.find(({ type }) => type === bytes[0]);
    must(row !== undefined && bytes.length >= row.min && bytes.length <= row.max);
    const { name, fields, hasVersion } = row as PacketRow;
    must(bytes[1] === (hasVersion ? 1 : 0) && bytes[2] === 0 && bytes[3] === 0);
    // What has no size of its own has the bytes that those behind it leave.
    const open = fields.findIndex(({ kind }) => kind === '..');
    const behind = open < 0 ? 0 : fields.slice(open + 1).reduce((sum, { kind }) => sum + Number(kind.slice(1, -1)), 0);
    const cursor = new Cursor(bytes);
    cursor.take(4);
    const values: Values = {};
    const renamed: Record<string, string> = { static: 'sealedStatic', payload: 'sealedPayload' };
    for (const field of fields)
      values[renamed[field.name] ?? field.name] =
        field.kind === '..' ? cursor.take(bytes.length - cursor.at - behind) : cursor.field(field);
    must(cursor.at === bytes.length);
    return { type: name.toLowerCase(), ...values } as unknown as Packet;
  });

export const specHello = (payload: Uint8Array): Hello | undefined =>
  judged(() => {
    const cursor = new Cursor(payload);
    const hello = cursor.fields(helloFields) as unknown as Hello;
    must(hello.maxDatagram >= 1200 && hello.observed.length <= 32 && payload.slice(cursor.at).every((byte) => byte === 0));
    return hello;
  });
