/**
 * An MCP server on stdio that shows what it was given and misbehaves on command. Built with version 2 of the SDK.
 *
 *   PROBE_FILE    where `post` and `set` write a line for each time that they take effect
 *   PROBE_SECRET  a credential that leaks everywhere
 *   PROBE_NOISE   garbage on stdout before each answer
 *   PROBE_TIMER   a timer of its own, which the end of stdin does not stop
 */
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { McpServer, ProtocolError } from '@modelcontextprotocol/server';
import { serveStdio } from '@modelcontextprotocol/server/stdio';
import { z } from 'zod';

const { PROBE_FILE = '', PROBE_SECRET = '', PROBE_NOISE, PROBE_TIMER } = process.env;
const READ_ONLY = { readOnlyHint: true };
const text = (value: string) => ({ content: [{ type: 'text' as const, text: value }] });
const json = (value: Record<string, unknown>) => ({ ...text(JSON.stringify(value)), structuredContent: value });

const lines = (): string[] => (existsSync(PROBE_FILE) ? readFileSync(PROBE_FILE, 'utf8').split('\n').filter(Boolean) : []);
const takeEffect = (line: string): void => appendFileSync(PROBE_FILE, `${line}\n`);
/** As a crash of the machine would: nothing is said. */
const die = (): never => {
  process.kill(process.pid, 'SIGKILL');
  return process.exit(1);
};

/** How a tool with effects ends: at once, never, or with the death of the server, before or after it took effect; `once`: the first time only. */
const end = z.enum(['answer', 'hang', 'die-before', 'die-after', 'die-once']).default('answer');
async function effect(line: string, how: z.infer<typeof end>): Promise<void> {
  if (how === 'die-before') die();
  const before = lines().filter((l) => l === line).length;
  takeEffect(line);
  if (how === 'die-after' || (how === 'die-once' && before === 0)) die();
  if (how === 'hang') await new Promise<never>(() => undefined);
}

function probe(): McpServer {
  const server = new McpServer({ name: 'probe', version: `2.0.0${PROBE_SECRET}` });
  server.registerTool('given', { inputSchema: z.looseObject({}), annotations: READ_ONLY }, (args, ctx) =>
    json({ args, meta: ctx.mcpReq._meta ?? {} }),
  );
  server.registerTool('environment', { annotations: READ_ONLY }, () => json({ ...process.env }));
  server.registerTool(
    'wait',
    { inputSchema: z.object({ ms: z.number(), every: z.number().optional() }), annotations: READ_ONLY },
    async ({ ms, every }, { mcpReq }) => {
      const token = mcpReq._meta?.progressToken;
      mcpReq.signal.addEventListener('abort', () => process.stderr.write('wait was cancelled\n'));
      for (let passed = 0; passed < ms; passed += every ?? ms) {
        await sleep(every ?? ms);
        if (every === undefined || token === undefined) continue;
        await mcpReq.notify({
          method: 'notifications/progress',
          params: { progressToken: token, progress: passed + every, total: ms },
        });
      }
      return text(`waited ${ms} ms`);
    },
  );
  const posting = z.object({ line: z.string(), end, key: z.string().optional() });
  server.registerTool('post', { inputSchema: posting }, async (args) => {
    await effect(args.key === undefined ? args.line : `${args.line} ${args.key}`, args.end);
    return json({ posted: args.line });
  });
  server.registerTool('set', { inputSchema: posting, annotations: { idempotentHint: true } }, async (args) => {
    await effect(args.line, args.end);
    return json({ set: args.line });
  });
  server.registerTool('find', { inputSchema: z.object({ key: z.string() }), annotations: READ_ONLY }, ({ key }) => {
    const found = lines().find((line) => line.endsWith(` ${key}`));
    return json(found === undefined ? { found: false } : { found: true, result: { posted: found.split(' ')[0] } });
  });
  server.registerTool('vague', { inputSchema: z.object({ key: z.string() }) }, () => text('perhaps'));
  server.registerTool('big', { inputSchema: z.object({ bytes: z.number() }), annotations: READ_ONLY }, ({ bytes }) =>
    text('x'.repeat(bytes)),
  );
  server.registerTool('refuse', { annotations: READ_ONLY }, () => ({ ...text('no funds'), isError: true }));
  const leaking = z.object({ how: z.enum(['result', 'error', 'death', 'throw']), pad: z.number().optional() });
  server.registerTool('leak', { inputSchema: leaking }, ({ how, pad = 0 }) => {
    process.stderr.write(`the secret is ${PROBE_SECRET}\n`);
    if (how === 'death') process.exit(1);
    const name = `${'x'.repeat(pad)}${PROBE_SECRET}`;
    if (how === 'throw') throw new ProtocolError(-32_000, name);
    return { ...json({ [name]: `Basic ${Buffer.from(PROBE_SECRET).toString('base64')}` }), isError: how === 'error' };
  });
  server.registerTool('grow', {}, () => {
    server.registerTool('grown', { annotations: READ_ONLY }, () => text('new'));
    return text('grown');
  });
  return server;
}

if (PROBE_NOISE !== undefined) {
  const write = process.stdout.write.bind(process.stdout);
  process.stdout.write = (chunk: string | Uint8Array, ...rest: unknown[]): boolean => {
    write('Debugger listening {"half": \n{"no":"message"}\n\u0000\u0001\n');
    return (write as (...args: unknown[]) => boolean)(chunk, ...rest);
  };
}
if (PROBE_TIMER !== undefined) setInterval(() => undefined, 1_000);
process.stderr.write(`pid ${process.pid}\n`);
serveStdio(probe);
