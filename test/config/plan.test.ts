import { describe, expect, test } from 'vitest';
import { isMeshError } from '../../core/errors.ts';
import { parseMesh } from '../../core/config/load.ts';
import { type MeshPlan, planOf } from '../../core/config/plan.ts';
import type { MeshConfig } from '../../core/config/schema.ts';
import { nodePlan } from '../../core/node/plan.ts';

const actors = (config: MeshConfig['actors'], more: Partial<MeshConfig> = {}): MeshPlan =>
  planOf({ mesh: 'desk', actors: config, ...more });
const at = (plan: MeshPlan, address: string): MeshPlan['actors'][number] | undefined =>
  plan.actors.find((a) => a.address === address);

describe('defaults', () => {
  test('a mesh with one actor', () => {
    const plan = actors({ greeter: { module: './greeter.ts' } });
    expect(plan).toMatchObject({
      mesh: 'desk',
      shards: 16,
      horizonMs: 7 * 86_400_000,
      retentionMs: 30 * 86_400_000,
      store: { kind: 'sqlite', path: './desk.db' },
      tools: [],
      models: [],
      warnings: [],
    });
    expect(plan.root.children).toEqual([
      {
        id: 'greeter',
        address: 'greeter',
        logic: 'greeter',
        kind: 'worker',
        input: null,
        restart: 'permanent',
        shutdownMs: 5_000,
        history: 'fresh',
      },
    ]);
    expect(plan.actors.map((a) => a.address)).toEqual(['@root', 'greeter']);
  });
  test('keyed actors are transient and are put away sooner', () => {
    const plan = actors({ case: { kind: 'keyed', module: './case.ts' } });
    expect(plan.root.children[0]).toMatchObject({ kind: 'keyed', restart: 'transient' });
    expect(at(plan, 'case')?.passivateAfterMs).toBe(5_000);
    expect(at(actors({ a: { module: './a.ts' } }), 'a')?.passivateAfterMs).toBe(30_000);
  });
});

describe('the tree', () => {
  const plan = actors(
    {
      desk: {
        kind: 'supervisor',
        strategy: 'rest_for_one',
        intensity: 3,
        period: '10s',
        group: 'cloud',
        children: {
          intake: { module: './intake.ts#intake', restart: 'transient', shutdown: '1m' },
          triage: { kind: 'pool', module: './triage.ts', size: 4, router: 'hash', hashOf: 'mail.from', intensity: 5 },
          inner: { kind: 'supervisor', children: { leaf: { module: './leaf.ts', group: 'near' } } },
        },
      },
    },
    { tools: { files: { stdio: { command: 'files' }, group: 'near' } }, models: { main: { kind: 'scripted', replies: [] } } },
  );
  test('gateways come first, each area under a supervisor of its own', () => {
    expect(plan.root.children.map((c) => c.address)).toEqual(['tools', 'models', 'desk']);
    expect(at(plan, 'tools/files')).toMatchObject({ group: 'near', kind: 'worker' });
    expect(plan.logics['tools/files']).toEqual({ from: 'reprise' });
  });
  test('addresses are paths; a group is inherited', () => {
    expect(plan.actors.map((a) => [a.address, a.group])).toEqual([
      ['@root', 'default'],
      ['tools', 'default'],
      ['tools/files', 'near'],
      ['models', 'default'],
      ['models/main', 'default'],
      ['desk', 'cloud'],
      ['desk/intake', 'cloud'],
      ['desk/triage', 'cloud'],
      ['desk/inner', 'cloud'],
      ['desk/inner/leaf', 'near'],
    ]);
  });
  test('a supervisor is told its flags and children', () => {
    const desk = plan.root.children[2]?.input as { flags: object; children: { id: string; input: unknown }[] };
    expect(desk.flags).toMatchObject({ strategy: 'rest_for_one', intensity: 3, periodMs: 10_000, whenSpent: 'park' });
    expect(desk.children.map((c) => c.id)).toEqual(['intake', 'triage', 'inner']);
    expect(desk.children[0]).toMatchObject({ restart: 'transient', shutdownMs: 60_000, logic: 'desk/intake' });
  });
  test('a pool is an actor whose members have the spec', () => {
    const desk = plan.root.children[2]?.input as { children: { input: unknown; logic: string }[] };
    expect(desk.children[1]).toMatchObject({
      logic: 'reprise.pool',
      kind: 'pool',
      input: {
        size: 4,
        router: 'hash',
        field: 'mail.from',
        member: { logic: 'desk/triage', kind: 'worker' },
        flags: { intensity: 5 },
      },
    });
  });
  test('a module is named by its file and export, and goes by the address', () => {
    expect(plan.logics['desk/intake']).toEqual({
      from: 'module',
      file: './intake.ts',
      name: 'intake',
      place: 'mesh config actors.desk.children.intake.module',
    });
  });
  test('the hash of the tree changes with the tree, and with nothing else', () => {
    const hash = (config: MeshConfig['actors'], more: Partial<MeshConfig> = {}): string => actors(config, more).specHash;
    const one = hash({ a: { module: './a.ts', input: { x: 1, y: 2 } } });
    expect(hash({ a: { input: { y: 2, x: 1 }, module: './a.ts' } }, { limits: { mailbox: 5 } })).toBe(one);
    expect(hash({ a: { module: './a.ts', input: { x: 2, y: 2 } } })).not.toBe(one);
  });
});

describe('logic that is given in code', () => {
  const problem = (config: MeshConfig['actors'], logics: string[]): string => {
    try {
      planOf({ mesh: 'a', actors: config }, logics);
    } catch (error) {
      if (isMeshError(error, 'CONFIG_INVALID')) return error.message;
      throw error;
    }
    throw new Error('it was accepted');
  };
  test('an actor of the same name runs it without being told', () => {
    const plan = planOf({ mesh: 'a', actors: { greeter: {}, other: { logic: 'greeter' } } }, ['greeter']);
    expect(plan.logics).toEqual({ greeter: { from: 'code' } });
    expect(plan.root.children.map((c) => c.logic)).toEqual(['greeter', 'greeter']);
  });
  test('an unknown name lists the known ones', () => {
    expect(problem({ a: { logic: 'greter' } }, ['greeter'])).toBe(
      'mesh config actors.a.logic: unknown logic "greter" (did you mean "greeter"?)',
    );
    expect(problem({ a: { logic: 'zzz' } }, ['greeter', 'other'])).toContain('(known: greeter, other)');
    expect(problem({ a: { logic: 'zzz' } }, [])).toContain('name a file with module: instead');
  });
  test('an actor without a source is refused', () => {
    expect(problem({ a: {} }, ['b'])).toBe('mesh config actors.a: needs "module" or "logic"');
  });
  test('a name that stands for two things is refused', () => {
    expect(problem({ a: { module: './a.ts' } }, ['a'])).toContain('"a" names both a logic given in code and the module');
  });
});

describe('policies', () => {
  test('what an entry says goes before what the mesh says', () => {
    const plan = actors(
      {
        a: {
          module: './a.ts',
          retention: '1h',
          mailbox: { size: 7 },
          children: { onFailure: 'retry' },
          actions: { mail: 'at_most_once', log: 'at_least_once' },
        },
        b: { module: './b.ts' },
      },
      { retention: 'forever', limits: { mailbox: 99, payload: '1MiB', orders: '5s', recoveries: 2, opening: 3 } },
    );
    expect(at(plan, 'a')).toMatchObject({ retentionMs: 3_600_000, mailbox: 7, childrenRetry: true, atMostOnce: ['mail'] });
    expect(at(plan, 'b')).toMatchObject({ retentionMs: undefined, mailbox: 99, childrenRetry: false, atMostOnce: [] });
    expect(plan.limits).toEqual({ mailbox: 99, payloadBytes: 1_048_576, ordersMs: 5_000, recoveries: 2, opening: 3 });
  });
  test('policies of tools are resolved', () => {
    const [server] = actors(
      {},
      {
        tools: {
          pay: {
            http: { url: 'http://127.0.0.1:1', headers: { Authorization: { env: 'PAY', prefix: 'Bearer ' } } },
            timeout: '5s',
            tools: { post: { inDoubt: 'ask', keyArgument: 'k', query: { tool: 'find' }, timeout: '1s' } },
          },
        },
      },
    ).tools;
    expect(server).toMatchObject({
      address: 'tools/pay',
      transport: { kind: 'http', headers: { Authorization: { env: 'PAY', prefix: 'Bearer ' } } },
      timeoutMs: 5_000,
      concurrency: 16,
      tools: { post: { inDoubt: 'ask', keyArgument: 'k', query: { tool: 'find', keyArgument: 'key' }, timeoutMs: 1_000 } },
    });
  });
  test('a budget that backoff makes unspendable is warned of at its line', () => {
    const parsed = parseMesh(
      'mesh: a\nactors:\n  s:\n    kind: supervisor\n    intensity: 3\n    period: 1s\n    backoff: { min: 10s }\n    children: { a: { module: ./a.ts } }',
      'mesh.yaml',
    );
    expect(planOf(parsed.config, undefined, parsed).warnings).toMatchObject([
      { file: 'mesh.yaml', line: 3, column: 3, path: 'actors.s' },
    ]);
  });
});

describe('a log whose logic the plan does not have', () => {
  const looked = (config: MeshConfig['actors'], address: string, name: string) => () =>
    nodePlan(actors(config), new Map()).logicOf(name, address);

  test('is said with what the plan has, though a reader has registered none of it', () => {
    expect(looked({ b: { module: './b.ts' }, c: { module: './c.ts' } }, 'a', 'a')).toThrow(
      /^a runs 'a', which is not registered; registered are b, c$/,
    );
  });
  test('is said with what to do when the actor is declared as something else', () => {
    expect(looked({ k: { kind: 'supervisor', children: {} } }, 'k', 'k')).toThrow(
      "k runs 'k', which is not registered; nor is any other. It is declared as 'reprise.supervisor' now: declare it as it was, or begin anew with `reprise reset k`",
    );
  });
});
