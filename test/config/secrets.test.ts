/** Secrets written as text: refused where servers and models get them, masked where a plan is shown, and not seen where there is none. */
import { describe, expect, test } from 'vitest';
import { parseMesh } from '../../core/config/load.ts';
import { planOf } from '../../core/config/plan.ts';
import { isSecretName, isSecretValue } from '../../core/config/secret-names.ts';
import { redacted } from '../../core/config/secrets.ts';
import { isMeshError } from '../../core/errors.ts';

const VALUE = 'wJalrXUtnFEMIK7MDENGbPxRfiCYzz';

/** A mesh file in JSON, with one tool server or one model. */
const withServer = (server: object): string => JSON.stringify({ mesh: 'a', actors: {}, tools: { s: server } });
const withModel = (model: object): string =>
  JSON.stringify({
    mesh: 'a',
    actors: {},
    models: { m: { kind: 'openai-compatible', baseUrl: 'http://a', model: 'b', ...model } },
  });
function problems(text: string, env: Record<string, string> = {}): string[] {
  try {
    parseMesh(text, 'mesh.yaml', env);
    return [];
  } catch (error) {
    if (isMeshError(error, 'CONFIG_INVALID')) return error.message.split('\n');
    throw error;
  }
}

describe('a name', () => {
  test.each([
    'AWS_SECRET_ACCESS_KEY',
    'STRIPE_KEY',
    'OPENAI_API_KEY',
    'OPENAI_API_KEY_2',
    'DB_PASS',
    'PGPASSWORD',
    'MYSQL_PWD',
    'SSH_PASSPHRASE',
    'GITHUB_TOKEN',
    'NPM_AUTH',
    'GOOGLE_APPLICATION_CREDENTIALS',
    'CLIENT_SECRET',
    'SESSION_COOKIE',
    'Authorization',
    'Proxy-Authorization',
    'Cookie',
    'X-Auth',
    'X-Auth-Token',
    'x-api-key',
    'Ocp-Apim-Subscription-Key',
    'apiKey',
    'APIKey',
    'dbPassword',
    'accesstoken',
    'key',
  ])('%s promises a secret', (name) => {
    expect(isSecretName(name)).toBe(true);
  });

  test.each([
    'PUBLIC_KEY',
    'publicKey',
    'SORT_KEY',
    'Idempotency-Key',
    'keyArgument',
    'KEYBOARD',
    'MONKEY',
    'API_KEY_FILE',
    'TLS_KEY_PATH',
    'AWS_ACCESS_KEY_ID',
    'TOKEN_URL',
    'MAX_TOKENS',
    'COMPASS',
    'PASSENGER',
    'PWD',
    'AUTHOR',
    'SSH_AUTH_SOCK',
    'X-Auth-User',
    'NO_AUTH',
    'skip-auth',
    'HOME',
    '',
  ])('%j does not', (name) => {
    expect(isSecretName(name)).toBe(false);
  });
});

test.each([
  ['', false],
  ['false', false],
  ['./server.key', false],
  ['~/.ssh/id_ed25519', false],
  ['/run/secrets/token', false],
  ['C:\\keys\\token', false],
  ['server.pem', false],
  ['$TOKEN', false],
  ['Bearer ${TOKEN}', false],
  ['1234', true],
  ['hunter2', true],
  ['wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY', true],
])('under a name of a secret %j is the secret itself: %s', (text, expected) => {
  expect(isSecretValue(text)).toBe(expected);
});

describe('as text it is refused, told what to write, and never repeated', () => {
  const stdio = (more: object): object => ({ stdio: { command: 'x', ...more } });
  const http = (more: object): object => ({ http: { url: 'http://a', ...more } });
  test.each([
    [
      'a key',
      withServer(stdio({ env: { AWS_SECRET_ACCESS_KEY: VALUE } })),
      /env\.AWS_SECRET_ACCESS_KEY: .*write \{ env: NAME \}/,
    ],
    ['another', withServer(stdio({ env: { STRIPE_KEY: VALUE } })), /"STRIPE_KEY" holds a secret as text/],
    ['a password', withServer(stdio({ env: { DB_PASS: VALUE } })), /"DB_PASS" holds a secret as text/],
    ['a password by a variable', withServer(stdio({ env: { X: '${DB_PASS}' } })), /write \{ env: DB_PASS \}/],
    [
      'one by a variable of another name',
      withServer(stdio({ env: { DB_PASS: '${INNOCENT}' } })),
      /"DB_PASS" holds a secret as text/,
    ],
    ['the key of a payment service', withServer(stdio({ env: { X: `rk_live_${VALUE}` } })), /this looks like a secret/],
    [
      'after a flag',
      withServer(stdio({ args: ['--password', VALUE] })),
      /args\[1\]: "--password" gives a secret as text: .*env: \{ NAME/,
    ],
    ['after a flag, by a variable', withServer(stdio({ args: ['--password', '${DB_PASS}'] })), /write \{ env: DB_PASS \}/],
    ['in a flag', withServer(stdio({ args: ['serve', `--api-key=${VALUE}`] })), /args\[1\]: "api-key" gives a secret as text/],
    [
      'in a variable of an argument',
      withServer(stdio({ args: ['run', '-e', `DB_PASS=${VALUE}`] })),
      /args\[2\]: "DB_PASS" gives/,
    ],
    [
      'in a header of an argument',
      withServer(stdio({ args: ['--header', `Authorization: Bearer ${VALUE}`] })),
      /"Authorization" gives/,
    ],
    ['in a header in a flag', withServer(stdio({ args: [`--header=X-Api-Key: ${VALUE}`] })), /"X-Api-Key" gives/],
    [
      'in an address among the arguments',
      withServer(stdio({ args: [`https://h/mcp?token=${VALUE}`] })),
      /"token" in this address/,
    ],
    ['a cookie', withServer(http({ headers: { Cookie: `session=${VALUE}` } })), /"Cookie" holds a secret as text/],
    ['a header of a proxy', withServer(http({ headers: { 'X-Auth': VALUE } })), /"X-Auth" holds a secret as text/],
    [
      'in an address',
      withServer({ http: { url: `https://h/mcp?api_key=${VALUE}` } }),
      /"api_key" in this address .*send it as a header/,
    ],
    [
      'a signed address',
      withServer({ http: { url: `https://h/mcp?v=1&X-Amz-Signature=${VALUE}` } }),
      /"X-Amz-Signature" in this address/,
    ],
    ['in the address of a model', withModel({ baseUrl: `https://h/v1?key=${VALUE}` }), /baseUrl: "key" in this address/],
    ['in a header of a model', withModel({ headers: { 'api-key': VALUE } }), /"api-key" holds a secret as text/],
    [
      'in the address of a collector',
      JSON.stringify({ mesh: 'a', actors: {}, telemetry: { otlp: `https://h/otlp?token=${VALUE}` } }),
      /telemetry\.otlp: "token" in this address .*OTEL_EXPORTER_OTLP_HEADERS/,
    ],
    [
      'in what is no address at all',
      withServer({ http: { url: `hxxp://h/?token=${VALUE}` } }),
      /url: a text is no http or https address/,
    ],
  ])('%s', (_what, text, expected) => {
    const found = problems(text, { DB_PASS: VALUE, INNOCENT: VALUE }).join('\n');
    expect(found).toMatch(expected);
    expect(found).not.toContain(VALUE);
  });
});

test('what is no secret is let through: paths, keys that open nothing, yes and no, what the server fills in', () => {
  const server = {
    stdio: {
      command: 'x',
      args: [
        '--no-auth',
        'serve',
        '--key',
        './tls.key',
        '--public-key',
        'abc',
        '--header',
        'Authorization:$${AUTH}',
        '--sort-key=id',
      ],
      env: {
        API_KEY_FILE: '/run/secrets/key',
        SSH_KEY: '~/.ssh/id',
        PUBLIC_KEY: 'abc',
        KEYBOARD: 'de',
        REQUIRE_AUTH: 'true',
        DB_PASS: '',
        AUTH: { env: 'AUTH' },
      },
    },
    tools: { read_key: { keyArgument: 'key', inDoubt: 'ask', query: { tool: 'find_key' } } },
  };
  const remote = { http: { url: 'https://h/mcp?tenant=desk&sort_key=id', headers: { 'X-Auth-User': 'desk' } } };
  const text = JSON.stringify({
    mesh: 'a',
    actors: { a: { module: './a.ts', input: { keyboard: 'de', feed: 'https://h/list?key=id' } } },
    tools: { s: server, remote },
  });
  expect(problems(text)).toEqual([]);
  const { tools } = planOf(parseMesh(text, 'mesh.yaml').config);
  expect(redacted(tools)).toEqual(tools);
});

test('a plan that is shown masks what has the name or the shape of a secret', () => {
  const shown = redacted({
    env: { STRIPE_KEY: VALUE, NAMED: { env: 'STRIPE_KEY' }, X: `rk_live_${VALUE}`, PLAIN: 'a' },
    args: ['--password', VALUE, `--token=${VALUE}`, '--verbose'],
    url: `https://h/?api_key=${VALUE}`,
    input: { apiKey: VALUE, keyArgument: 'key' },
  });
  expect(shown).toEqual({
    env: { STRIPE_KEY: '[masked]', NAMED: { env: 'STRIPE_KEY' }, X: '[masked]', PLAIN: 'a' },
    args: ['--password', '[masked]', '[masked]', '--verbose'],
    url: '[masked]',
    input: { apiKey: '[masked]', keyArgument: 'key' },
  });
});
