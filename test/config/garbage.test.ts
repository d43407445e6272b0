import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isMeshError } from '../../core/errors.ts';
import { parseMesh } from '../../core/config/load.ts';
import { planOf } from '../../core/config/plan.ts';

/** Parsed and planned, or CONFIG_INVALID with a place; anything else is thrown. */
function outcome(text: string): 'accepted' | 'refused' {
  try {
    const parsed = parseMesh(text, 'mesh.yaml', { HOME: '/home/x' });
    planOf(parsed.config, undefined, parsed);
    return 'accepted';
  } catch (error) {
    if (!isMeshError(error, 'CONFIG_INVALID')) throw error;
    const { problems } = error.data as { problems: readonly { file: string; message: string }[] };
    assert.ok(problems.length > 0);
    assert.ok(error.message.split('\n').length >= problems.length);
    return 'refused';
  }
}

const refusal = (text: string): string => {
  try {
    parseMesh(text, 'mesh.yaml');
  } catch (error) {
    if (isMeshError(error, 'CONFIG_INVALID')) return error.message;
    throw error;
  }
  throw new Error('the text was accepted');
};

describe('whatever the text', () => {
  test('any text is accepted or CONFIG_INVALID', () => {
    const text = fc.string({ unit: 'binary', maxLength: 200 });
    expect(() =>
      fc.assert(
        fc.property(text, (t) => void outcome(t)),
        { numRuns: 200 },
      ),
    ).not.toThrow();
  });

  const lines = [
    'mesh: a',
    'actors:',
    '  a:',
    '    kind: pool',
    '    module: ./a.ts',
    'tools:',
    '  - x',
    '<<: *a',
    '---',
    '%YAML 1.1',
  ];
  const marks = '{ } [ ] " \' # | > ? & * &a *a ${X} $${X} !!js/function'.split(' ');
  const token = fc.constantFrom(...lines, ...marks, '\t', '\n', ' ', '__proto__: 1');
  test('any mix of what YAML is made of is accepted or CONFIG_INVALID', () => {
    const text = fc
      .tuple(fc.array(token, { maxLength: 25 }), fc.constantFrom('', '\n'))
      .map(([parts, between]) => parts.join(between));
    expect(() =>
      fc.assert(
        fc.property(text, (t) => void outcome(t)),
        { numRuns: 400 },
      ),
    ).not.toThrow();
  });

  test('any value in any place is accepted or CONFIG_INVALID', () => {
    const places =
      'mesh store shards horizon actors actors.a actors.a.kind actors.a.size actors.a.backoff actors.a.input actors.a.children ' +
      'tools tools.f tools.f.stdio models.m models.m.kind models.m.apiKey limits limits.payload telemetry.otlp';
    const put = (place: string, value: unknown, kind: string): string => {
      const config: Record<string, unknown> = { mesh: 'a', actors: { a: { kind, module: './a.ts' } } };
      const path = place.split('.');
      let at = config;
      for (const key of path.slice(0, -1)) at = (at[key] ??= {}) as Record<string, unknown>;
      at[path.at(-1) as string] = value;
      return JSON.stringify(config);
    };
    const text = fc
      .tuple(fc.constantFrom(...places.split(' ')), fc.jsonValue(), fc.constantFrom('actor', 'keyed', 'pool', 'supervisor'))
      .map((at) => put(...at));
    expect(() =>
      fc.assert(
        fc.property(text, (t) => void outcome(t)),
        { numRuns: 400 },
      ),
    ).not.toThrow();
  });

  test('a file cut off anywhere, and with any one character replaced, is accepted or CONFIG_INVALID', () => {
    const file = [
      'mesh: desk',
      'store: sqlite:${HOME}/desk.db',
      'actors:',
      '  a: &a { module: ./a.ts, input: { n: 1 } }',
      '  desk:',
      '    kind: supervisor',
      '    children: { b: *a, c: { kind: pool, module: "./c.ts", size: 2 } }',
      'models:',
      '  m: { kind: openai-compatible, baseUrl: http://a, model: b, apiKey: { env: KEY } }',
    ].join('\n');
    for (let i = 0; i <= file.length; i++) outcome(file.slice(0, i));
    for (let i = 0; i < file.length; i++) for (const c of ['\t', '"', '*']) outcome(file.slice(0, i) + c + file.slice(i + 1));
    expect(outcome(file)).toBe('accepted');
  });
});

describe('what YAML allows and a mesh file does not', () => {
  test.each([
    ['tabs as indentation', 'mesh: a\nactors:\n\ta: { module: ./a.ts }', /^mesh\.yaml:3:1: tabs are not allowed/],
    ['two documents', 'mesh: a\nactors: {}\n---\nmesh: b', /^mesh\.yaml:3:1: a mesh file is one YAML document/],
    ['a tag', 'mesh: a\nactors: { a: { module: !!js/function "x" } }', /^mesh\.yaml:2:\d+: unresolved tag/],
    ['a map as a key', 'mesh: a\nactors: { ? { x: 1 } : 2 }', /a key must be plain text/],
    ['__proto__', 'mesh: a\nactors:\n  __proto__: { module: ./a.ts }', /^mesh\.yaml:3:3: "__proto__" is no name/],
    [
      'an alias within itself',
      'mesh: a\nactors:\n  a: &x { module: ./a.ts, input: [*x] }',
      /3:35: \*x stands within what it names/,
    ],
    ['an alias of nothing', 'mesh: a\nactors: { a: *nobody }', /^mesh\.yaml:2:14: \*nobody names nothing/],
    [
      'a placeholder in a flow map',
      'mesh: a\nactors: { a: { module: ${FILE} } }',
      /^mesh\.yaml:2:\d+: a placeholder within \{ \} or \[ \] must be quoted/,
    ],
    [
      'a number that JSON lacks',
      'mesh: a\nactors:\n  a: { module: ./a.ts, input: { n: .inf } }',
      /^mesh\.yaml:3:\d+ actors\.a\.input/,
    ],
    ['text where a map belongs', 'just text', /^mesh\.yaml:1:1: expected a map, got "just text"/],
    ['a list where a map belongs', '- mesh: a', /^mesh\.yaml:1:1: expected a map, got a list/],
    ['only a comment', '# nothing yet\n', /the file is empty/],
    [
      'a deep nest',
      `mesh: a\nactors: { a: { module: ./a.ts, input: ${'['.repeat(50_000)}${']'.repeat(50_000)} } }`,
      /^mesh\.yaml:2:\d+: maps and lists lie more than 100 deep here$/m,
    ],
    [
      'a nest just too deep',
      `mesh: a\nactors: { a: { module: ./a.ts, input: ${'{ x: '.repeat(98)}1${' }'.repeat(98)} } }`,
      /more than 100 deep/,
    ],
    ['too large a file', `mesh: a # ${'x'.repeat(5 * 1024 * 1024)}`, /at most 4194304 are read/],
  ])('%s is refused at its place', (_name, text, expected) => {
    expect(refusal(text)).toMatch(expected);
  });

  test('aliases that multiply are refused before they are followed', () => {
    const level = (i: number): string =>
      `x${i}: &x${i} [${Array.from({ length: 10 }, () => (i === 0 ? '1' : `*x${i - 1}`)).join(', ')}]`;
    const levels = Array.from({ length: 9 }, (_, i) => level(i));
    expect(refusal(['mesh: a', 'actors: {}', ...levels].join('\n'))).toContain('its aliases come to more than 100');
  });

  test('names of other alphabets are refused as names and kept as data', () => {
    expect(refusal('mesh: a\nactors:\n  Büro: { module: ./a.ts }')).toMatch(
      /^mesh\.yaml:3:3 actors\["Büro"\]: "Büro" is no name/,
    );
    const { config } = parseMesh('mesh: a\nactors:\n  a: { module: ./büro.ts, input: { käse: "🧀 ﷽" } }', 'mesh.yaml');
    expect(config.actors['a']).toEqual({ module: './büro.ts', input: { käse: '🧀 ﷽' } });
  });

  test('names that every object has are ordinary names', () => {
    const parsed = parseMesh('mesh: a\nactors:\n  constructor: { module: ./a.ts }\n  toString: { module: ./b.ts }', 'mesh.yaml');
    expect(planOf(parsed.config, undefined, parsed).logics).toEqual({
      constructor: { from: 'module', file: './a.ts', place: 'mesh.yaml:3:26 actors.constructor.module' },
      toString: { from: 'module', file: './b.ts', place: 'mesh.yaml:4:23 actors.toString.module' },
    });
  });

  test('a mesh of two thousand actors is read', () => {
    const actors = Array.from({ length: 2_000 }, (_, i) => `  a${i}: { module: ./a.ts }`);
    const parsed = parseMesh(['mesh: a', 'actors:', ...actors].join('\n'), 'mesh.yaml');
    expect(planOf(parsed.config, undefined, parsed).actors).toHaveLength(2_001);
  });
});
