import { describe, expect, test } from 'vitest';
import { isMeshError } from '../../core/errors.ts';
import { parseMesh } from '../../core/config/load.ts';
import type { MeshConfig } from '../../core/config/schema.ts';

const mesh = (...lines: string[]): string => lines.join('\n');

/** The lines of CONFIG_INVALID that this text gives. */
function problems(text: string, env: Record<string, string> = {}): string[] {
  try {
    parseMesh(text, 'mesh.yaml', env);
  } catch (error) {
    if (isMeshError(error, 'CONFIG_INVALID')) return error.message.split('\n');
    throw error;
  }
  throw new Error('the text was accepted');
}

const parsed = (text: string, env: Record<string, string> = {}): MeshConfig => parseMesh(text, 'mesh.yaml', env).config;

describe('positions', () => {
  test('a misspelt key is named with line, column and the key that was meant', () => {
    expect(problems(mesh('mesh: a', 'actors:', '  planner:', '    modle: ./planner.ts'))).toEqual([
      'mesh.yaml:4:5 actors.planner.modle: unrecognized key "modle" (did you mean "module"?)',
    ]);
  });
  test.each([
    [
      'in braces',
      mesh('mesh: a', 'actors:', '  r: { kind: keyed, module:./r.ts }'),
      '3:21 actors.r["module:./r.ts"]: unrecognized key',
    ],
    [
      'as the only key',
      mesh('mesh: a', 'actors:', '  r:', '    module:./r.ts'),
      '4:5 actors.r: expected a map, got "module:./r.ts"',
    ],
    ['after another', mesh('mesh: a', 'actors:', '  r:', '    kind: keyed', '    module:./r.ts'), '5:5: '],
    ['before another', mesh('mesh: a', 'actors:', '  r:', '    module:./r.ts', '    kind: keyed'), '4:5: '],
  ])('a blank that is missing after a colon is said to be: %s', (_where, text, expected) => {
    const [problem, ...more] = problems(text);
    expect([problem, more]).toEqual([expect.stringContaining(`mesh.yaml:${expected}`), []]);
    expect(problem).toMatch(/; a blank is missing after "module:"$/);
  });
  test('a colon in a name that is no key lacks nothing', () => {
    expect(problems(mesh('mesh: a', 'actors:', '  r: { module: ./r.ts, "one:two": 1 }'))[0]).toContain(
      'unrecognized key "one:two" (known: ',
    );
  });
  test('all problems come at once, in the order of the file', () => {
    const found = problems(
      mesh(
        'mesh: a',
        'shards: 0',
        'store: mysql:./x',
        'actors:',
        '  a: { module: ./a.ts, shutdown: 5 seconds }',
        '  b: { kind: pool, module: ./b.ts, size: 2, router: randm }',
      ),
    );
    expect(found).toEqual([
      'mesh.yaml:2:9 shards: must be at least 1, is 0',
      'mesh.yaml:3:8 store: unknown store "mysql:" (known: memory, sqlite)',
      'mesh.yaml:5:34 actors.a.shutdown: expected a duration such as 200ms, 5s, 2m, 1h or 7d, or a number of milliseconds',
      'mesh.yaml:6:53 actors.b.router: "randm" is none of its values (known: hash, least_mailbox, round_robin)',
    ]);
  });
  test('what is missing is reported at the map that lacks it', () => {
    expect(
      problems(
        mesh('mesh: a', 'actors:', '  sup:', '    kind: supervisor', '    children:', '      w:', '        restart: transient'),
      ),
    ).toEqual(['mesh.yaml:7:9 actors.sup.children.w: needs "module" or "logic"']);
  });
  test('an alias is followed to what it names', () => {
    expect(problems(mesh('mesh: a', 'actors:', '  a: &it { module: ./a.ts, retart: permanent }', '  b: *it'))[0]).toContain(
      'mesh.yaml:3:28 actors.a.retart',
    );
  });
  test('JSON has positions too', () => {
    expect(problems('{ "mesh": "a",\n  "actors": { "a": { "modul": "./a.ts" } } }')[0]).toContain(
      'mesh.yaml:2:22 actors.a.modul: unrecognized key "modul" (did you mean "module"?)',
    );
  });
});

describe('what is refused', () => {
  test.each([
    ['a text that is no YAML', 'mesh: [', /mesh\.yaml:\d+:\d+/],
    ['an empty file', '', /mesh\.yaml:1:1: the file is empty/],
    [
      'a key twice',
      mesh('mesh: a', 'actors:', '  a: { module: ./a.ts }', '  a: { module: ./b.ts }'),
      /mesh\.yaml:4:3: this key stands twice/,
    ],
    [
      'an unknown kind',
      mesh('mesh: a', 'actors:', '  a: { kind: supervisr, children: {} }'),
      /actors\.a\.kind: unknown kind "supervisr" \(did you mean "supervisor"\?\)/,
    ],
    [
      'a name that is no segment',
      mesh('mesh: a', 'actors:', '  "a/b": { module: ./a.ts }'),
      /mesh\.yaml:3:3 actors\["a\/b"\]: "a\/b" is no name/,
    ],
    [
      'a reserved name',
      mesh('mesh: a', 'actors:', '  tools: { module: ./a.ts }'),
      /3:3 actors\.tools: "tools" is reserved for the gateways of MCP servers/,
    ],
    [
      'two sources of logic',
      mesh('mesh: a', 'actors:', '  a: { module: ./a.ts, logic: a }'),
      /3:24 actors\.a\.logic: excludes "module"/,
    ],
    [
      'a store of a later version',
      mesh('mesh: a', 'store: postgres://x', 'actors: {}'),
      /store: the store postgres: is not in this version; it has sqlite: and memory:/,
    ],
    [
      'a store without a kind',
      mesh('mesh: a', 'store: ./x.db', 'actors: {}'),
      /names no kind of store: write sqlite:PATH or memory:/,
    ],
    [
      'both transports of a server',
      mesh('mesh: a', 'actors: {}', 'tools:', '  f: { stdio: { command: x }, http: { url: http://a } }'),
      /tools\.f\.http: excludes "stdio"/,
    ],
    [
      'a policy that lacks its query',
      mesh('mesh: a', 'actors: {}', 'tools:', '  f: { stdio: { command: x }, tools: { pay: { inDoubt: ask } } }'),
      /tools\.f\.tools\.pay\.inDoubt: ask needs query/,
    ],
    [
      'a backoff that is upside down',
      mesh('mesh: a', 'actors:', '  a: { module: ./a.ts, backoff: { min: 5s, max: 1s } }'),
      /actors\.a\.backoff\.min: is longer than max/,
    ],
    [
      'reserved logic',
      mesh('mesh: a', 'actors:', '  a: { logic: reprise.pool }'),
      /names that begin with "reprise\." are reserved/,
    ],
    [
      'an unknown kind of model',
      mesh('mesh: a', 'actors: {}', 'models:', '  m: { kind: openai, model: x }'),
      /models\.m\.kind: unknown kind "openai" \(known: ai-sdk, module, openai-compatible, scripted\)/,
    ],
    [
      'hashOf without its router',
      mesh('mesh: a', 'actors:', '  a: { kind: pool, module: ./a.ts, size: 1, hashOf: x }'),
      /actors\.a\.hashOf: is only read by router: hash/,
    ],
  ])('%s', (_name, text, expected) => {
    expect(problems(text).join('\n')).toMatch(expected);
  });
});

describe('variables', () => {
  const file = (value: string): string =>
    mesh('mesh: a', 'actors:', '  a:', '    module: ./a.ts', '    input:', `      x: ${value}`);
  const inputOf = (value: string, env: Record<string, string> = {}): unknown =>
    (parsed(file(value), env).actors['a'] as { input: { x: unknown } }).input.x;

  test('a variable is filled in, with its default when it is not set', () => {
    expect(inputOf('"${DIR}/in"', { DIR: '/tmp' })).toBe('/tmp/in');
    expect(inputOf('"${DIR:-./inbox}/in"')).toBe('./inbox/in');
    expect(inputOf('"${DIR:-}"')).toBe('');
  });
  test('$${ stands for itself', () => {
    expect(inputOf('"$${DIR}"')).toBe('${DIR}');
  });
  test('an unquoted variable gives a number or a boolean where it looks like one', () => {
    expect(inputOf('${N}', { N: '4' })).toBe(4);
    expect(inputOf('${N:-true}')).toBe(true);
    expect(inputOf('"${N}"', { N: '4' })).toBe('4');
  });
  test('an unset variable is an error at its place, with the one that was meant', () => {
    expect(problems(file('"${INBOXX}"'), { INBOX: 'x' })).toEqual([
      'mesh.yaml:6:10: ${INBOXX} is not set (did you mean "INBOX"?); set it, or write ${INBOXX:-default}',
    ]);
  });
  test('a broken placeholder is an error', () => {
    expect(problems(file('"${A B}"'))[0]).toContain('is no placeholder');
  });
  test('variables in keys and comments are left alone', () => {
    expect(parsed(mesh('mesh: a # ${NOT_THERE}', 'actors: {}')).mesh).toBe('a');
  });
});

describe('secrets', () => {
  const key = `sk-${'a1'.repeat(16)}`;
  test.each([
    [
      'a key as text',
      mesh('mesh: a', 'actors:', `  a: { module: ./a.ts, input: { k: ${key} } }`),
      /3:36 actors\.a\.input\.k: this looks like a secret/,
    ],
    [
      'a token in the environment of a server',
      mesh('mesh: a', 'actors: {}', 'tools:', '  f: { stdio: { command: x, env: { GITHUB_TOKEN: abc } } }'),
      /tools\.f\.stdio\.env\.GITHUB_TOKEN: "GITHUB_TOKEN" holds a secret as text: write \{ env: NAME \}/,
    ],
    [
      'an authorization header',
      mesh('mesh: a', 'actors: {}', 'tools:', '  f: { http: { url: http://a, headers: { Authorization: Basic abc } } }'),
      /headers\.Authorization: "Authorization" holds a secret as text/,
    ],
    [
      'a reference outside tools and models',
      mesh('mesh: a', 'actors:', '  a: { module: ./a.ts, input: { k: { env: OPENAI_API_KEY } } }'),
      /actors\.a\.input\.k: a secret may be referenced only under tools and models/,
    ],
    [
      'a key copied by a variable',
      mesh(
        'mesh: a',
        'actors: {}',
        'models:',
        '  m: { kind: openai-compatible, baseUrl: http://a, model: b, headers: { x: "${OPENAI_API_KEY}" } }',
      ),
      /\$\{OPENAI_API_KEY\} would copy a secret into the config: write \{ env: OPENAI_API_KEY \}/,
    ],
    [
      'an API key as text',
      mesh('mesh: a', 'actors: {}', 'models:', '  m: { kind: openai-compatible, baseUrl: http://a, model: b, apiKey: abc }'),
      /models\.m\.apiKey: expected a reference to a secret/,
    ],
    [
      'a password in an address',
      mesh('mesh: a', 'actors: {}', 'tools:', `  f: { http: { url: "https://me:${key}@host/mcp" } }`),
      /tools\.f\.http\.url: this looks like a secret/,
    ],
    ['a key where a number belongs', mesh('mesh: a', `shards: ${key}`, 'actors: {}'), /shards: expected a number, got a text/],
  ])('%s is refused with the cure, and never repeated', (_name, text, expected) => {
    const found = problems(text, { OPENAI_API_KEY: key }).join('\n');
    expect(found).toMatch(expected);
    expect(found).not.toContain(key);
  });
  test('references are kept as references', () => {
    const { models, tools } = parsed(
      mesh(
        'mesh: a',
        'actors: {}',
        'models:',
        '  m: { kind: openai-compatible, baseUrl: http://a, model: b, apiKey: { env: OPENAI_API_KEY } }',
        'tools:',
        '  f: { http: { url: http://a, headers: { Authorization: { file: ./token, prefix: "Bearer " } } } }',
      ),
      { OPENAI_API_KEY: key },
    );
    expect(models?.['m']).toMatchObject({ apiKey: { env: 'OPENAI_API_KEY' } });
    expect(tools?.['f']?.http?.headers).toEqual({ Authorization: { file: './token', prefix: 'Bearer ' } });
  });
});
