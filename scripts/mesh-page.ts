/** Writes docs/mesh-file.md: every key of a mesh file, from the schema that checks it. A test holds both together. */
import { writeFileSync } from 'node:fs';
import { z } from 'zod';
import { meshSchema } from '../core/config/schema.ts';

interface JsonSchema {
  readonly $ref?: string;
  readonly description?: string;
  readonly type?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
  readonly allOf?: readonly JsonSchema[];
  readonly items?: JsonSchema;
  readonly additionalProperties?: JsonSchema | boolean;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly definitions?: Readonly<Record<string, JsonSchema>>;
}

const INTRODUCTION = `# The mesh file

\`reprise up\` reads \`mesh.yaml\` in the current folder, or the file that \`-f\` names. \`reprise config validate\` checks it without running
anything: each mistake is named as \`file:line:column\`, with what was probably meant. Written from \`core/config/schema.ts\` by
\`node scripts/mesh-page.ts\`.

\`\`\`yaml
# yaml-language-server: $schema=./node_modules/reprise/mesh.schema.json
mesh: desk
store: sqlite:\${DESK_HOME:-.}/desk.db
actors:
  desk:
    kind: supervisor
    strategy: one_for_one
    intensity: 5
    period: 10s
    children:
      triage: { kind: pool, module: ./triage.ts, size: 4, router: least_mailbox }
      case: { kind: keyed, module: ./case.ts#deskCase, retention: 90d }
tools:
  ledger:
    stdio:
      command: node
      args: [ledger-server.ts]
      env: { LEDGER_KEY: { env: LEDGER_KEY } }
    tools:
      post_refund: { keyArgument: idempotency_key, inDoubt: ask, query: { tool: find_refund, keyArgument: idempotency_key } }
models:
  main: { kind: openai-compatible, baseUrl: https://api.openai.com/v1, model: gpt-5-mini, apiKey: { env: OPENAI_API_KEY } }
\`\`\`

- **Addresses** follow from names: \`desk\`, \`desk/triage\`, \`desk/case/KEY\`, \`tools/ledger\`, \`models/main\`.
- **\`\${NAME}\`** is taken from the environment, \`\${NAME:-text}\` where that has nothing. **Secrets** are references, \`{ env: NAME }\` or
  \`{ file: PATH }\`, and are read by the gateway that uses them alone: agents, logs and \`reprise config print\` never see a value. One
  that is written as text, or comes from a variable with the name of a secret, is refused (docs/tools-and-models.md, Credentials).
- **Durations** are \`200ms\`, \`5s\`, \`2m\`, \`1h\`, \`7d\` or a number of milliseconds; **sizes** \`64KiB\`, \`16MiB\` or a number of bytes.
- An edited tree reaches running supervisors as an event; what a new file no longer names is stopped and kept.
`;

const KINDS = {
  actor: 'An actor (`kind: actor`, or no kind)',
  keyed: 'An actor for each key (`kind: keyed`)',
  pool: 'A pool (`kind: pool`)',
  supervisor: 'A supervisor (`kind: supervisor`)',
} as const;

/** Markdown. */
export function meshPage(): string {
  const root = z.toJSONSchema(meshSchema, { target: 'draft-7', io: 'input' }) as JsonSchema;
  const definitions = root.definitions ?? {};
  const actors = definitions['Actor']?.oneOf ?? definitions['Actor']?.anyOf ?? [];
  const ofKind = (kind: string): JsonSchema =>
    actors.find((a) => resolved(a, definitions).properties?.['kind']?.const === kind) ?? {};
  const [actor, pool, supervisor] = ['actor', 'pool', 'supervisor'].map((kind) => resolved(ofKind(kind), definitions));
  const models = definitions['Model']?.oneOf ?? definitions['Model']?.anyOf ?? [];
  const tools = inner(root.properties?.['tools'], definitions);
  const poolOnly = without(pool, Object.keys(actor?.properties ?? {}));
  const sections = [
    section('Top level', root, definitions),
    section(KINDS.actor, actor, definitions),
    `## ${KINDS.keyed}\n\nAs an actor. It is created by its first message, with \`{ key, event }\` and the members of \`input\` as its input, and stands at\n\`NAME/KEY\`.\n`,
    section(KINDS.pool, poolOnly, definitions, 'As an actor, and besides:'),
    section(KINDS.supervisor, supervisor, definitions),
    section('A tool server (`tools.NAME`)', tools, definitions, 'Either `stdio` or `http`.'),
    section('Policy of a tool (`tools.NAME.tools.TOOL`)', inner(tools?.properties?.['tools'], definitions), definitions),
    ...models.map((m) => {
      const model = resolved(m, definitions);
      return section(`A model (\`kind: ${String(model.properties?.['kind']?.const)}\`)`, model, definitions);
    }),
    section('`limits`', resolved(root.properties?.['limits'] ?? {}, definitions), definitions),
    section('`telemetry`', resolved(root.properties?.['telemetry'] ?? {}, definitions), definitions),
    section('Waits (`backoff`)', definitions['Backoff'], definitions),
  ];
  return `${INTRODUCTION}\n${sections.join('\n')}`;
}

const resolved = (schema: JsonSchema, definitions: Readonly<Record<string, JsonSchema>>): JsonSchema => {
  const ref = schema.$ref ?? schema.allOf?.[0]?.$ref;
  return ref === undefined
    ? schema
    : {
        ...definitions[ref.slice(ref.lastIndexOf('/') + 1)],
        ...(schema.description !== undefined && { description: schema.description }),
      };
};

/** What a record holds. */
function inner(schema: JsonSchema | undefined, definitions: Readonly<Record<string, JsonSchema>>): JsonSchema | undefined {
  const held = schema?.additionalProperties;
  return typeof held === 'object' ? resolved(held, definitions) : undefined;
}

const without = (schema: JsonSchema | undefined, keys: readonly string[]): JsonSchema => ({
  ...schema,
  properties: Object.fromEntries(Object.entries(schema?.properties ?? {}).filter(([key]) => !keys.includes(key))),
});

function section(
  title: string,
  schema: JsonSchema | undefined,
  definitions: Readonly<Record<string, JsonSchema>>,
  before = '',
): string {
  const rows = Object.entries(schema?.properties ?? {})
    .filter(([key]) => key !== 'kind' && key !== '$schema')
    .map(([key, value]) => {
      const needed = schema?.required?.includes(key) === true ? ' (needed)' : '';
      return `| \`${key}\`${needed} | ${typeOf(value, definitions)} | ${(value.description ?? resolved(value, definitions).description ?? '').replaceAll('|', '\\|')} |`;
    });
  return `## ${title}\n\n${before === '' ? '' : `${before}\n\n`}| Key | Value | |\n|---|---|---|\n${rows.join('\n')}\n`;
}

const NAMED: Readonly<Record<string, string>> = {
  Duration: 'duration',
  Size: 'size',
  Json: 'JSON',
  SecretRef: 'secret',
  Backoff: 'waits',
  Actor: 'actor',
  Model: 'model',
};

function typeOf(schema: JsonSchema, definitions: Readonly<Record<string, JsonSchema>>): string {
  const ref = schema.$ref ?? schema.allOf?.[0]?.$ref;
  if (ref !== undefined) return NAMED[ref.slice(ref.lastIndexOf('/') + 1)] ?? 'value';
  if (schema.const !== undefined) return `\`${String(schema.const)}\``;
  if (schema.enum !== undefined) return schema.enum.map((v) => `\`${String(v)}\``).join(', ');
  const options = schema.anyOf ?? schema.oneOf;
  if (options !== undefined)
    return [...new Set(options.map((o) => typeOf(o, definitions)))]
      .join(' or ')
      .replace('`forever` or number or text', 'duration or `forever`');
  if (schema.type === 'string') return 'text';
  if (schema.type === 'integer' || schema.type === 'number') return 'number';
  if (schema.type === 'boolean') return '`true`, `false`';
  if (schema.type === 'array') return `list of ${typeOf(schema.items ?? {}, definitions)}`;
  if (schema.properties !== undefined) return `{ ${Object.keys(schema.properties).join(', ')} }`;
  if (typeof schema.additionalProperties === 'object') return `by name: ${typeOf(schema.additionalProperties, definitions)}`;
  return 'value';
}

if (process.argv[1] === import.meta.filename) writeFileSync('docs/mesh-file.md', meshPage());
