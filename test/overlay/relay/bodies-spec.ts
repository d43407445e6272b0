/**
 * §4 of docs/overlay-wire.md once more, by nothing but that page: layouts are read from its table, what the text says beside them is written
 * here.
 */
import { readFileSync } from 'node:fs';
import { Cursor, fieldsOf, judged, must } from '../wire/wire-spec.ts';

export type BodyName = 'REGISTER' | 'RESOLVE' | 'RECORD' | 'RELAY' | 'OBSERVED' | 'CANDIDATES' | 'PUNCH';
interface Values {
  [name: string]: number | Uint8Array | readonly Values[];
}

const page = readFileSync('docs/overlay-wire.md', 'utf8');
const section = page.slice(page.indexOf('## 4. Bodies'));
/** Under `REGISTER`, and `RECORD 2` for those that begin with a 2. */
const layouts = new Map(
  Array.from(section.matchAll(/^\| ([A-Z]+(?: \d)?)[^|]* \| (.*) \|$/gm), ([, name = '', text = '']) => [name, text]),
);

/** Reasons by their numbers. */
export const specReasons: readonly string[] = (() => {
  const from = section.indexOf('`reason` is one of');
  const listed = section.slice(from, section.indexOf('. The first ones', from));
  const pairs = Array.from(listed.matchAll(/(\d+)\s+`(\w+)`/g), ([, number, name = '']) => [Number(number), name] as const);
  return pairs.map(([number, name], i) => (number === i ? name : `${number} is out of order`));
})();

/** The fields of the body by their names, lists under the field that counts them. Undefined: malformed. */
export const specBody = (name: BodyName, bytes: Uint8Array): Values | undefined =>
  judged(() => {
    const cursor = new Cursor(bytes);
    const kind = name === 'RECORD' ? (cursor.take(1)[0] as number) : undefined;
    const layout = layouts.get(kind === undefined ? name : `${name} ${kind}`);
    must(layout !== undefined);
    const values = read(cursor, layout as string, bytes.length);
    must(cursor.at === bytes.length);
    check(name, values, bytes.length);
    return kind === undefined ? values : { outcome: kind, ...values };
  });

function read(cursor: Cursor, layout: string, end: number): Values {
  const values: Values = {};
  for (const segment of layout.split('; ')) {
    const [, once = segment, count, often = ''] = /^(.*?), then `(\w+)` times: (.*)$/.exec(segment) ?? [];
    for (const field of fieldsOf(once)) {
      const size = field.name === 'address' ? addressBytes(values['family']) : end - cursor.at;
      values[field.name] = field.kind === '..' ? cursor.take(size) : cursor.field(field);
    }
    // What is repeated is read before what is behind the semicolon.
    if (count !== undefined) values[count] = Array.from({ length: values[count] as number }, () => read(cursor, often, end));
  }
  return values;
}

function addressBytes(family: Values[string] | undefined): number {
  must(family === 4 || family === 6);
  return family === 4 ? 4 : 16;
}

function check(name: BodyName, values: Values, length: number): void {
  const number = (key: string): number => values[key] as number;
  const size = (of: Values, key: string): number => (of[key] as Uint8Array).length;
  const list = (of: Values, key: string): readonly Values[] => (of[key] ?? []) as readonly Values[];
  const within = (value: number, least: number, most: number): void => must(value >= least && value <= most);
  if (name === 'REGISTER') within(size(values, 'record'), 1, 400);
  if (name === 'RESOLVE') {
    const value = Buffer.from(values['value'] as Uint8Array);
    if (number('kind') === 0) must(value.length === 32);
    else if (number('kind') === 1) must(value.length === 6 && !/^(?:0{12}|f{12})$/.test(value.toString('hex')));
    else if (number('kind') === 3) must(value.length === 8);
    else must(number('kind') === 2 && /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/.test(value.toString('latin1')));
  }
  if (name === 'RECORD') {
    must(length <= 1_097);
    if ('reason' in values) must(specReasons[number('reason')] !== undefined);
    if ('parts' in values) {
      within(number('parts'), 1, 16);
      must(number('part') < number('parts'));
    }
    must(list(values, 'records').length <= 4);
    for (const record of list(values, 'records')) within(size(record, 'record'), 1, 400);
    for (const relay of list(values, 'relays')) {
      must(list(relay, 'endpoints').length <= 4);
      for (const each of list(relay, 'endpoints')) {
        within(size(each, 'endpoint'), 1, 253);
        must((each['endpoint'] as Uint8Array).every((byte) => byte >= 0x20 && byte <= 0x7e));
      }
    }
  }
  if (name === 'RELAY') {
    within(number('direction'), 0, 1);
    within(size(values, 'packet'), 1, 1_184);
  }
  if (name === 'OBSERVED') must(number('port') !== 0);
  if (name === 'CANDIDATES' || name === 'PUNCH') within(number('round'), 0, 1);
  if (name === 'CANDIDATES') {
    within(number('nat'), 0, 3);
    within(number('flags'), 0, 1);
    must(list(values, 'candidates').length <= 8);
    for (const { seen, port } of list(values, 'candidates')) must(Number(seen) <= 1 && port !== 0);
  }
}
