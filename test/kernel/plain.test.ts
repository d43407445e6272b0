import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MeshError } from '../../core/errors.ts';
import { freezeDeep, notPlain, pathOfCycle, type PlainOptions, reviveRefs, toPlain } from '../../core/kernel/plain.ts';

const ref = (id: string): object => ({ sessionId: id, send: () => {}, ref: undefined, id });
const options = (more: Partial<PlainOptions> = {}): PlainOptions => ({
  what: 'it',
  code: 'EVENT_NOT_PLAIN',
  marker: (r) => ('id' in r ? { xstate$$type: 1, id: (r as { id: string }).id } : undefined),
  ...more,
});
const json = (value: unknown): unknown => (value === undefined ? undefined : JSON.parse(JSON.stringify(value)));

describe('toPlain', () => {
  test('gives any JSON value back as it is, the same object', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(toPlain(value, options())).toBe(value);
        expect(toPlain(value, options({ copy: true }))).toEqual(value);
      }),
      { numRuns: 300, seed: 1 },
    );
  });

  test('copies only where something changes', () => {
    const same = { deep: [1, 2] };
    const value = { same, when: new Date(5) };
    const plain = toPlain<Record<string, unknown>>(value, options());
    expect(plain).toEqual({ same, when: '1970-01-01T00:00:00.005Z' });
    expect(plain['same']).toBe(same);
    expect(value.when).toBeInstanceOf(Date);
  });

  test('a copy shares nothing with what it was made of', () => {
    const value = { list: [{ n: 1 }] };
    const copy = toPlain(value, options({ copy: true }));
    value.list[0] = { n: 2 };
    expect(copy).toEqual({ list: [{ n: 1 }] });
  });

  test.each<[name: string, value: unknown, plain: unknown]>([
    ['members that are undefined', { a: undefined, b: 1 }, { b: 1 }],
    ['undefined in a list', [1, undefined, 3], [1, null, 3]],
    ['numbers that JSON has not', [NaN, Infinity, -Infinity], [null, null, null]],
    ['what has a toJSON', { at: { toJSON: () => ({ x: 1 }) } }, { at: { x: 1 } }],
    [
      'errors',
      { error: new RangeError('r', { cause: 'c' }) },
      { error: { name: 'RangeError', message: 'r', cause: { name: 'Error', message: 'c' } } },
    ],
    [
      'an instance of a class, its members',
      new (class Money {
        cents = 5;
      })(),
      { cents: 5 },
    ],
    ['an object without prototype', Object.assign(Object.create(null) as object, { a: 1 }), { a: 1 }],
    ['references', { to: ref('a/b@1.0') }, { to: { xstate$$type: 1, id: 'a/b@1.0' } }],
    ['a member called __proto__', JSON.parse('{"__proto__":{"x":1},"when":0}'), JSON.parse('{"__proto__":{"x":1},"when":0}')],
  ])('as JSON would: %s', (_, value, plain) => {
    const made = toPlain(value, options());
    expect(made).toEqual(plain);
    expect(json(made)).toEqual(plain);
  });

  test('a prototype cannot be smuggled in', () => {
    const made = toPlain<object>(JSON.parse('{"__proto__":{"evil":true},"when":{}}'), options({ copy: true }));
    expect('evil' in made).toBe(false);
    expect(Object.getPrototypeOf(made)).toBe(Object.prototype);
  });

  test.each<[what: string, value: unknown, path: string]>([
    ['a function (pay)', { a: { pay() {} } }, ' at a.pay'],
    ['a symbol', [Symbol('s')], ' at [0]'],
    ['a bigint', 1n, ''],
    ['a Map', { by: new Map() }, ' at by'],
    ['a Set', { 'a b': new Set() }, ' at ["a b"]'],
    ['a Promise', { p: Promise.resolve() }, ' at p'],
    ['a Uint8Array', { bytes: new Uint8Array(1) }, ' at bytes'],
    ['an ArrayBuffer', { bytes: new ArrayBuffer(1) }, ' at bytes'],
    ['an object that contains itself', cycle(), ' at list[0]'],
    ['a reference to no actor of this mesh', { to: { sessionId: 1, send() {}, ref: 1 } }, ' at to'],
  ])('refuses %s, and says where', (what, value, path) => {
    expect(() => toPlain(value, options())).toThrow(
      new MeshError('EVENT_NOT_PLAIN', `it holds ${what}${path}, which JSON cannot carry: hand over plain data`, {
        data: { path: path.slice(' at '.length) },
      }),
    );
  });

  test('refuses what is too deep, with how deep it may be, and no endless path', () => {
    const deep = (levels: number): unknown => JSON.parse('{"member":'.repeat(levels) + '1' + '}'.repeat(levels));
    expect(toPlain(deep(200), options({ copy: true }))).toEqual(deep(200));
    const where = `${'member.'.repeat(30).slice(0, 200)}…`;
    const why = `it is deeper than 200 levels at ${where}: hand over flatter data, or the deep part as text`;
    const error = new MeshError('EVENT_NOT_PLAIN', why, { data: { path: where } });
    expect(() => toPlain(deep(201), options({ copy: true }))).toThrow(error);
    expect(() => toPlain(deep(5_000), options())).toThrow(error);
    expect(() => toPlain(Object.fromEntries([['k'.repeat(5_000), 1n]]), options())).toThrow(/^.{1,300}$/);
  });
});

function cycle(): object {
  const ring: { list: object[] } = { list: [] };
  ring.list.push(ring);
  return ring;
}

describe('notPlain', () => {
  const own = ref('own');
  const find = (value: unknown): unknown => notPlain(value, 'context', (r) => r === own);

  test('any JSON value, and references to own children, are plain', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(find({ value, own, nothing: undefined })).toBe(undefined);
      }),
      { numRuns: 200, seed: 2 },
    );
  });

  test.each<[value: unknown, path: string, what: string]>([
    [{ a: [{ b: new Map() }] }, 'context.a[0].b', 'a Map'],
    [{ a: [1, undefined] }, 'context.a[1]', 'undefined in a list'],
    [{ n: NaN }, 'context.n', 'NaN'],
    [{ f: () => 1 }, 'context.f', 'a function (f)'],
    [{ other: ref('x') }, 'context.other', 'a reference to an actor that is not its child'],
    [cycle(), 'context.list[0]', 'an object that contains itself'],
  ])('%j', (value, path, what) => {
    expect(find(value)).toMatchObject({ path, what });
  });

  test('the same object twice is no cycle', () => {
    const shared = { n: 1 };
    expect(find({ a: shared, b: [shared, shared] })).toBe(undefined);
  });
});

describe('pathOfCycle', () => {
  test('finds what contains itself, through toJSON too, and nothing else', () => {
    const shown = { toJSON: (): unknown => ({ again: shown }) };
    expect([
      pathOfCycle(cycle()),
      pathOfCycle({ a: shown }),
      pathOfCycle({ a: new Map(), f() {} }),
      pathOfCycle(ref('x')),
    ]).toEqual(['list[0]', 'a.again', undefined, undefined]);
  });
});

describe('reviveRefs', () => {
  test('markers become what they stand for, wherever they are; the rest stays as it is', () => {
    const same = { deep: [1] };
    const value = { same, to: { xstate$$type: 1, id: 'a' }, list: [{ xstate$$type: 1, id: 'b' }, 2] };
    const revived = reviveRefs<unknown>(value, (m) => `<${m.id}>`);
    expect(revived).toEqual({ same, to: '<a>', list: ['<b>', 2] });
    expect((revived as { same: unknown }).same).toBe(same);
    expect(reviveRefs(same, () => 'x')).toBe(same);
  });

  test('and back', () => {
    const to = ref('a/b@1.0');
    const there = toPlain({ to, n: 1 }, options());
    expect(reviveRefs<unknown>(json(there), (m) => (m.id === 'a/b@1.0' ? to : undefined))).toEqual({ to, n: 1 });
  });
});

test('freezeDeep freezes what it reaches, but no reference', () => {
  const own = ref('own');
  const value = { list: [{ n: 1 }], own };
  freezeDeep(value);
  expect([value, value.list, value.list[0], own].map((v) => Object.isFrozen(v))).toEqual([true, true, true, false]);
});
