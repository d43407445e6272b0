import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { GROUPS, VERBS } from '../../cli/verbs.ts';
import { CODES, errorData, errorFrom, isMeshError, MeshError } from '../../core/errors.ts';

const FOLDERS = ['core', 'actors', 'transport', 'persistence', 'telemetry', 'cli'];
const sources = FOLDERS.flatMap((folder) =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => ({ name: join(folder, name), text: readFileSync(join(folder, name), 'utf8') })),
);
const page = readFileSync('docs/errors.md', 'utf8');
const documented = [...page.matchAll(/^## ([A-Z_]+)$/gm)].map((m) => m[1]);

describe('the table of errors', () => {
  test('is what docs/errors.md documents, code by code, with its meaning and cure', () => {
    expect(documented).toEqual(Object.keys(CODES).toSorted());
    for (const [code, row] of Object.entries(CODES)) {
      const section = page.split(`## ${code}\n`)[1]?.split('\n## ')[0] ?? '';
      expect(section, code).toContain(row.meaning);
      expect(section, code).toContain(row.cure);
    }
  });

  test('names only verbs and options in its cures that the command line has', () => {
    const typed = Object.values(CODES).flatMap(({ cure }) =>
      [...cure.matchAll(/`reprise ([a-z][^`]*)`/g)].map(([text, words = '']) => ({ text, words: words.split(' ') })),
    );
    expect(typed.length).toBeGreaterThan(20);
    for (const { text, words } of typed.filter((t) => t.words[0] !== 'help')) {
      const group = GROUPS.find(({ name }) => name === words[0]);
      const [verb, ...rest] = group === undefined ? words : words.slice(1);
      const found = (group?.verbs ?? VERBS).find(({ name }) => name === verb);
      expect(found, text).toBeDefined();
      const flags = (found?.options ?? []).map((option) => option.flags).join(' ');
      for (const flag of rest.filter((word) => word.startsWith('--'))) expect(flags, text).toContain(flag);
    }
  });

  test('holds no code that nothing uses', () => {
    const unused = Object.keys(CODES).filter(
      (code) => !sources.some((s) => s.name !== join('core', 'errors.ts') && s.text.includes(`'${code}'`)),
    );
    expect(unused).toEqual([]);
  });

  test('is the only place that errors come from', () => {
    const plain = sources
      .filter((s) => s.name !== join('core', 'errors.ts') && /\bnew (?:Type|Range)?Error\(/.test(s.text))
      .map((s) => s.name);
    expect(plain).toEqual([]);
  });
});

describe('an error', () => {
  test('goes through JSON and back with code, message and data, and without a stack', () => {
    const cause = new MeshError('STORE_FULL', 'no room');
    const json = JSON.parse(
      JSON.stringify(errorData(new MeshError('STORE_UNAVAILABLE', 'no answer', { data: { path: 'x.db' }, cause }))),
    ) as ReturnType<typeof errorData>;
    expect(json).toEqual({
      name: 'MeshError',
      message: 'no answer',
      code: 'STORE_UNAVAILABLE',
      data: { path: 'x.db' },
      cause: { name: 'MeshError', message: 'no room', code: 'STORE_FULL' },
    });
    const back = errorFrom(json);
    expect(isMeshError(back, 'STORE_UNAVAILABLE') && back.retryable).toBe(true);
  });

  test('is told from others by its brand, not by its class', () => {
    expect(isMeshError({ code: 'STORE_FULL' })).toBe(false);
    expect(isMeshError(new MeshError('STORE_FULL', 'x'), 'STORE_CORRUPT')).toBe(false);
  });
});
