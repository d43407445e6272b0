/** The W3C's and SCION's SCXML tests, by a live XState actor and by our kernel, with and without recovery before each event. */
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { compare } from '../compare.ts';
import { runMesh } from '../mesh.ts';
import type { Act } from '../outcome.ts';
import { stateId, toMachine, Unsupported } from './convert.ts';
import { included, leftOut, type TestName } from './suite.ts';

interface Expected {
  readonly initialConfiguration: readonly string[];
  readonly events: readonly {
    /** ms to wait before. */
    readonly after?: number;
    readonly event: { readonly name: string; readonly data?: unknown };
    readonly nextConfiguration: readonly string[];
  }[];
}

const folder = join(dirname(createRequire(import.meta.url).resolve('@scion-scxml/test-framework/package.json')), 'test');
const read = ([group, name]: TestName, extension: string): string =>
  readFileSync(join(folder, group, `${name}.${extension}`), 'utf8');

/** The W3C's decide themselves within seconds whether they pass. */
const WAIT = Array.from({ length: 10 }, () => ({ advance: 1_000 }));

/** What to do, and the states that are expected: [acts done, atomic states]. */
function scriptOf(name: TestName): { script: Act[]; wanted: [number, readonly string[]][] } {
  const { initialConfiguration, events } = JSON.parse(read(name, 'json')) as Expected;
  const script: Act[] = [];
  const wanted: [number, readonly string[]][] = [[0, initialConfiguration]];
  for (const { after, event, nextConfiguration } of events) {
    if (after !== undefined) script.push({ advance: after });
    script.push({ type: event.name, ...(event.data !== undefined && { data: event.data }) });
    wanted.push([script.length, nextConfiguration]);
  }
  return name[0] === 'w3c-ecma'
    ? { script: [...script, ...WAIT], wanted: [[script.length + WAIT.length, ['pass']]] }
    : { script, wanted };
}

const atoms = (value: unknown, key = ''): string[] => {
  if (typeof value === 'string') return [value];
  const inner = Object.entries(value as object);
  return inner.length === 0 ? [key] : inner.flatMap(([k, v]) => atoms(v, k));
};

beforeEach(() => {
  vi.spyOn(console, 'warn').mockReturnValue();
});
afterEach(() => {
  vi.restoreAllMocks();
});

describe('SCXML', () => {
  test('every test of the framework is run, or left out with a reason', () => {
    const all = readdirSync(folder).flatMap((group) =>
      readdirSync(join(folder, group))
        .filter((file) => file.endsWith('.scxml'))
        .map((file) => `${group}/${file.slice(0, -'.scxml'.length)}`),
    );
    expect([...included, ...leftOut].map((name) => name.join('/')).toSorted()).toEqual(
      all.filter((name) => hasVerdict(name)).toSorted(),
    );
  });

  test.each(included)('%s/%s', async (...name) => {
    const xml = read(name, 'scxml');
    const { script, wanted } = scriptOf(name);
    const { live } = await compare(() => toMachine(xml), script);
    for (const [at, configuration] of wanted)
      expect(atoms((live.states[at] as { value: unknown }).value).toSorted()).toEqual(configuration.map(stateId).toSorted());
  });

  test('a reason is one: what is left out cannot be converted, or does not pass', async () => {
    const passed: string[] = [];
    for (const name of leftOut) {
      try {
        const xml = read(name, 'scxml');
        const { script, wanted } = scriptOf(name);
        const { states } = await runMesh(() => toMachine(xml), script);
        const ok = wanted.every(([at, configuration]) => {
          const { value } = states[at] as { value?: unknown };
          return value !== undefined && atoms(value).toSorted().join() === configuration.map(stateId).toSorted().join();
        });
        if (ok) passed.push(name.join('/'));
      } catch (error) {
        if (!(error instanceof Unsupported)) throw error;
      }
    }
    expect(passed).toEqual([]);
  });

  test('a context with a function, which the W3C has and XState takes, is refused with a code', async () => {
    const { root } = await runMesh(() => toMachine(read(['w3c-ecma', 'test453.txml'], 'scxml')), []);
    expect(root.folded.tables.error).toMatchObject({
      code: 'CONTEXT_NOT_PLAIN',
      message: expect.stringContaining('context.var1 is a function'),
    });
  });
});

/** Files without a verdict are what others invoke. */
const hasVerdict = (name: string): boolean => {
  const [group, file] = name.split('/') as [string, string];
  return readdirSync(join(folder, group)).includes(`${file}.json`);
};
