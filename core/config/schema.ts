/**
 * The shape of a mesh file, as users write it: one zod schema, from which `MeshConfig`, `mesh.schema.json` and every message follow.
 * Checks shape only; what needs more than one place at a time (names, budgets, secrets) is `check.ts`. Changes no value.
 */
import { z } from 'zod';
import { DURATION_PATTERN, SIZE_PATTERN } from './units.ts';

const DURATION_ERROR = 'expected a duration such as 200ms, 5s, 2m, 1h or 7d, or a number of milliseconds';
const SIZE_ERROR = 'expected a size such as 64KiB or 16MiB, or a number of bytes';

const duration = z
  .union(
    [
      z.number({ error: DURATION_ERROR }).min(0, DURATION_ERROR),
      z.string({ error: DURATION_ERROR }).regex(DURATION_PATTERN, DURATION_ERROR),
    ],
    { error: DURATION_ERROR },
  )
  .meta({ id: 'Duration', description: 'A duration such as 200ms, 5s, 2m, 1h or 7d; a number is milliseconds.' });
const size = z
  .union(
    [
      z.number({ error: SIZE_ERROR }).int(SIZE_ERROR).min(1, SIZE_ERROR),
      z.string({ error: SIZE_ERROR }).regex(SIZE_PATTERN, SIZE_ERROR),
    ],
    { error: SIZE_ERROR },
  )
  .meta({ id: 'Size', description: 'A size such as 64KiB or 16MiB; a number is bytes.' });
const RETENTION_ERROR = `${DURATION_ERROR}, or forever`;
const retention = z.union(
  [
    z.literal('forever', { error: RETENTION_ERROR }),
    z.number({ error: RETENTION_ERROR }).min(0, RETENTION_ERROR),
    z.string({ error: RETENTION_ERROR }).regex(DURATION_PATTERN, RETENTION_ERROR),
  ],
  { error: RETENTION_ERROR },
);
const count = z.number().int().min(1);
const json = z.json().meta({ id: 'Json', description: 'Plain JSON.' });

/** No `/`, `@`, `!` and `%`: names become segments of addresses. */
export const NAME_PATTERN = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}$/;
const NAME_ERROR = 'a name has 1 to 64 letters, digits and ._- and begins with a letter, a digit or _';
const name = z.string().regex(NAME_PATTERN, NAME_ERROR);

export const secretRef = z
  .union(
    [
      z.strictObject({ env: z.string().min(1), prefix: z.string().optional() }),
      z.strictObject({ file: z.string().min(1), prefix: z.string().optional() }),
    ],
    {
      error: 'expected a reference to a secret: { env: NAME } or { file: PATH }, never the value itself',
    },
  )
  .meta({
    id: 'SecretRef',
    description: 'Where a secret lies: { env: NAME } or { file: PATH }. `prefix` is put before the value, such as "Bearer ".',
  });
const plainOrSecret = z.union([z.string(), secretRef], { error: 'expected text, { env: NAME } or { file: PATH }' });

const backoff = z
  .strictObject({
    min: duration.optional().describe('First wait; 0s: none. Default 100ms.'),
    max: duration.optional().describe('Longest wait. Default 15s.'),
    factor: z.number().min(1).optional().describe('Each wait is this much longer. Default 2.'),
    jitter: z.number().min(0).max(1).optional().describe('Share of a wait that chance may take off. Default 0.2.'),
  })
  .meta({ id: 'Backoff', description: 'Waits between restarts.' });

const restart = z
  .enum(['permanent', 'transient', 'temporary'])
  .describe(
    'When it is started again. permanent: always; transient: after a failure; temporary: never. Default permanent (keyed: transient).',
  );

const logic = {
  module: z
    .string()
    .min(1)
    .optional()
    .describe('File that exports the machine, relative to the mesh file: ./agent.ts, or ./agent.ts#name for a named export.'),
  logic: z.string().min(1).optional().describe('Name of a logic that was given to startMesh() in code, instead of `module`.'),
};
const common = {
  ...logic,
  input: json.optional().describe('Input of the machine: plain JSON.'),
  restart: restart.optional(),
  shutdown: duration.optional().describe('How long it may take to stop. Default 5s.'),
  history: z.enum(['with', 'fresh']).optional().describe('In a group restart: go on where it was, or begin anew. Default fresh.'),
  backoff: backoff.optional().describe('Replaces that of its supervisor, member by member.'),
  group: name.optional().describe('Nodes that may run it. Default: that of its supervisor, else "default".'),
  actions: z
    .record(z.string(), z.enum(['at_least_once', 'at_most_once']))
    .optional()
    .describe('Custom actions by name. at_most_once is marked as done before it runs. Default at_least_once.'),
  children: z
    .strictObject({
      onFailure: z
        .enum(['end', 'retry'])
        .optional()
        .describe('end: the parent gets the error, as in XState; retry: three tries first. Default end.'),
    })
    .optional()
    .describe('Policy for the actors that its chart spawns.'),
  mailbox: z
    .strictObject({ size: count.optional().describe('Messages that a lane of its mailbox holds. Default: limits.mailbox.') })
    .optional(),
  retention: retention.optional().describe('How long its log is kept after it has finished. Default: the retention of the mesh.'),
  passivateAfter: duration
    .optional()
    .describe('Idle for this long, it is put away until the next message or timer. Default 30s (keyed: 5s).'),
};

const flags = {
  strategy: z
    .enum(['one_for_one', 'one_for_all', 'rest_for_one'])
    .optional()
    .describe('Who is restarted with a failed child. Default one_for_one.'),
  intensity: z.number().int().min(0).optional().describe('Restarts allowed within `period`. Default 1.'),
  period: duration.optional().describe('Default 5s.'),
  whenSpent: z
    .enum(['park', 'escalate'])
    .optional()
    .describe(
      'When the budget is spent. park: the failing child waits for a person; escalate: the supervisor fails upward. Default park.',
    ),
  backoff: backoff.optional(),
  startTimeout: duration.optional().describe('How long an ordered start waits for one child. Default 30s.'),
};

const actor = z.strictObject({ kind: z.literal('actor').optional(), ...common });
const keyed = z.strictObject({ kind: z.literal('keyed'), ...common });
const pool = z.strictObject({
  kind: z.literal('pool'),
  ...common,
  size: count.max(1_000).describe('Members.'),
  intensity: flags.intensity,
  period: flags.period,
  whenSpent: flags.whenSpent,
  router: z.enum(['round_robin', 'least_mailbox', 'hash']).optional().describe('Who gets the next message. Default round_robin.'),
  hashOf: z
    .string()
    .min(1)
    .optional()
    .describe('For router hash: the field of the event that decides, such as order.id. Default: the whole event.'),
});
const supervisorFlags = z.strictObject({ kind: z.literal('supervisor'), ...flags, group: name.optional() });

export interface SupervisorEntry extends z.input<typeof supervisorFlags> {
  children: Record<string, ActorConfig>;
}
export type WorkerEntry = z.input<typeof actor> | z.input<typeof keyed> | z.input<typeof pool>;
/** One entry under `actors`, or under `children` of a supervisor. */
export type ActorConfig = WorkerEntry | SupervisorEntry;

const supervisor = z.strictObject({
  ...supervisorFlags.shape,
  get children(): z.ZodType<Record<string, ActorConfig>, Record<string, ActorConfig>> {
    return z.record(name, entry).describe('Started in this order, stopped in reverse.');
  },
});
const entry: z.ZodType<ActorConfig, ActorConfig> = z.discriminatedUnion('kind', [actor, keyed, pool, supervisor]).meta({
  id: 'Actor',
  description:
    'actor (default): one by name. keyed: one for each key, made by its first message. pool: several of one logic behind a router. supervisor: restarts its children.',
});

const toolPolicy = z.strictObject({
  inDoubt: z
    .enum(['retry', 'ask', 'park', 'fail'])
    .optional()
    .describe(
      'After a crash in the middle of a call. retry: again under the same key; ask: see `query`; park: a person decides; fail: the chart gets an error. Default: retry when the tool says that it is read-only or idempotent, else park.',
    ),
  keyArgument: z.string().min(1).optional().describe('Argument in which the tool takes an idempotency key.'),
  query: z
    .strictObject({
      tool: z.string().min(1).describe('Tool of the same server that tells whether a call took effect.'),
      keyArgument: z.string().min(1).optional().describe('Its argument for the key. Default "key".'),
    })
    .optional()
    .describe('For inDoubt ask.'),
  timeout: duration.optional(),
});
const toolServer = z.strictObject({
  stdio: z
    .strictObject({
      command: z.string().min(1),
      args: z.array(z.string()).optional(),
      env: z
        .record(z.string(), plainOrSecret)
        .optional()
        .describe('All that the server sees of the environment, besides HOME, PATH and the like.'),
      cwd: z.string().min(1).optional().describe('Relative to the mesh file.'),
    })
    .optional(),
  http: z
    .strictObject({ url: z.url({ protocol: /^https?$/ }), headers: z.record(z.string(), plainOrSecret).optional() })
    .optional()
    .describe('Streamable HTTP.'),
  tools: z.record(z.string(), toolPolicy).optional().describe('Policies that override the annotations of the server.'),
  timeout: duration.optional().describe('Deadline of a call. Default 60s.'),
  backoff: backoff.optional().describe('Waits before a server that died is started again.'),
  concurrency: count.optional().describe('Calls at once. Default 16.'),
  group: name.optional().describe('Nodes that hold its credentials. Default "default".'),
});

const modelCommon = {
  timeout: duration.optional().describe('Deadline of one call. Default 120s.'),
  concurrency: count.optional().describe('Calls at once. Default 16.'),
  group: name.optional(),
};
const model = z
  .discriminatedUnion('kind', [
    z.strictObject({
      kind: z.literal('scripted'),
      ...modelCommon,
      replies: z.array(json).optional().describe('Answers, one after the other.'),
      file: z.string().min(1).optional().describe('JSON file with the answers.'),
      repeat: z.boolean().optional().describe('Begin again after the last. Default false.'),
    }),
    z.strictObject({
      kind: z.literal('openai-compatible'),
      ...modelCommon,
      baseUrl: z
        .url({ protocol: /^https?$/ })
        .describe('Such as http://127.0.0.1:11434/v1 (Ollama) or https://api.openai.com/v1.'),
      model: z.string().min(1),
      apiKey: secretRef.optional(),
      headers: z.record(z.string(), plainOrSecret).optional(),
      settings: z.record(z.string(), json).optional().describe('Further members of the request body, such as temperature.'),
      retries: z.number().int().min(0).max(10).optional().describe('Tries again after a transient error. Default 2.'),
    }),
    z.strictObject({
      kind: z.literal('ai-sdk'),
      ...modelCommon,
      module: z.string().min(1).describe('File that exports an AI SDK model, or a function from { apiKey } to one.'),
      apiKey: secretRef.optional(),
    }),
    z.strictObject({
      kind: z.literal('module'),
      ...modelCommon,
      module: z.string().min(1).describe('File that exports a ModelPort, or a function from { apiKey } to one.'),
      apiKey: secretRef.optional(),
    }),
  ])
  .meta({ id: 'Model' });

const limits = z.strictObject({
  mailbox: count.optional().describe('Messages that a lane of a mailbox holds. Default 10000.'),
  payload: size.optional().describe('JSON of one event from outside. Default 16MiB.'),
  recoveries: count.optional().describe('Actors that a node takes up at once, after a takeover or when they wake. Default 16.'),
  opening: count.optional().describe('Messages that wait while an actor is opened. Default 1000.'),
  orders: duration.optional().describe('How long a failing actor waits for its supervisor before it acts alone. Default 30s.'),
});

const telemetry = z.strictObject({
  otlp: z
    .url({ protocol: /^https?$/ })
    .describe('Where traces go, such as http://127.0.0.1:4318. Headers come from OTEL_EXPORTER_OTLP_HEADERS.'),
  links: z.enum(['link', 'parent']).optional().describe('How a consumer span stands to its producer. Default link.'),
  service: z.string().min(1).optional().describe('service.name. Default: the name of the mesh.'),
});

export const meshSchema = z
  .strictObject({
    $schema: z.string().optional().describe('For editors; ignored.'),
    mesh: name.describe('Name of the mesh.'),
    store: z
      .string()
      .min(1)
      .optional()
      .describe('sqlite:PATH (relative to the mesh file) or memory:. Default sqlite:./<mesh>.db.'),
    shards: z
      .number()
      .int()
      .min(1)
      .max(4096)
      .optional()
      .describe('Units of placement. Fixed when the store is made. Default 16.'),
    horizon: duration.optional().describe('How long a message may be on its way. Fixed when the store is made. Default 7d.'),
    retention: retention.optional().describe('How long logs of finished actors are kept. Default 30d.'),
    actors: z.record(name, entry),
    tools: z.record(name, toolServer).optional().describe('MCP servers.'),
    models: z.record(name, model).optional(),
    limits: limits.optional(),
    telemetry: telemetry.optional(),
  })
  .meta({ title: 'Reprise mesh file', description: 'See docs/mesh-file.md.' });

/** A mesh file as users write it, and the first argument of `startMesh`. */
export type MeshConfig = z.input<typeof meshSchema>;
export type ToolServerConfig = NonNullable<MeshConfig['tools']>[string];
export type ModelConfig = NonNullable<MeshConfig['models']>[string];
/** Where a secret lies. Its value is read by the gateway that uses it, and by nothing else. */
export type SecretRef = z.input<typeof secretRef>;

/** JSON Schema (draft 7) of a mesh file, for editors: the text of `mesh.schema.json`. */
export const meshSchemaFile = (): string =>
  `${JSON.stringify(z.toJSONSchema(meshSchema, { target: 'draft-7', io: 'input' }), undefined, 2)}\n`;
