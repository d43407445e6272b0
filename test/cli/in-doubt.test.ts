/** A call that was under way when the process died, by a tool that may not be called twice: a person decides. */
import { symlinkSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Folder, type Up } from './processes.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const files = {
  // Says that it was called, and never answers the first call of a process.
  'server.ts': `
import { appendFileSync } from 'node:fs';
import { McpServer } from '@modelcontextprotocol/server';
import { serveStdio } from '@modelcontextprotocol/server/stdio';
import { z } from 'zod';
let calls = 0;
serveStdio(() => {
  const server = new McpServer({ name: 'bank', version: '1.0.0' });
  server.registerTool('pay', { description: 'Pays.', inputSchema: z.object({ sum: z.number() }) }, async ({ sum }) => {
    appendFileSync('calls.log', sum + '\\n');
    if (process.env.SLOW === 'yes' && calls++ === 0) await new Promise(() => undefined);
    return { content: [{ type: 'text', text: 'paid ' + sum }] };
  });
  return server;
});
`,
  'payer.ts': `
import { assign, setup } from 'xstate';
import { tool } from 'reprise';
export const payer = setup({
  types: { context: {} as { result: unknown; failed: unknown }, events: {} as { type: 'pay'; sum: number } },
  actors: { pay: tool<{ sum: number }, unknown>('bank.pay') },
}).createMachine({
  id: 'payer', version: '1', context: { result: null, failed: null }, initial: 'idle',
  states: {
    idle: { on: { pay: 'paying' } },
    paying: {
      invoke: {
        id: 'pay', src: 'pay', input: { sum: 5 },
        onDone: { target: 'paid', actions: assign({ result: ({ event }) => event.output }) },
        onError: { target: 'unpaid', actions: assign({ failed: ({ event }) => (event.error as any).code }) },
      },
    },
    paid: {},
    unpaid: {},
  },
});
`,
  'mesh.yaml': `mesh: bank
actors:
  payer: { module: ./payer.ts }
tools:
  bank:
    stdio: { command: '${process.execPath}', args: [server.ts], env: { SLOW: '\${SLOW:-no}' } }
`,
};

function bank(): Folder {
  const folder = new Folder(files);
  for (const name of ['@modelcontextprotocol', 'zod'])
    symlinkSync(join(ROOT, 'node_modules', name), join(folder.path, 'node_modules', name));
  return folder;
}
const calls = async (folder: Folder): Promise<string[]> => {
  const { readFile } = await import('node:fs/promises');
  return (await readFile(folder.file('calls.log'), 'utf8')).trim().split('\n');
};

/** A payment was under way when the mesh was killed, and the mesh runs again. Resolves with the effect in doubt. */
async function inDoubt(folder: Folder): Promise<{ up: Up; effect: string }> {
  folder.write('.env', 'SLOW=yes\n');
  const first = await folder.up('--env-file', '.env');
  expect((await folder.call('send', 'payer', 'pay')).code).toBe(0);
  for (let i = 0; i < 400; i++) {
    if (
      await calls(folder).then(
        () => true,
        () => false,
      )
    )
      break;
    await new Promise((done) => setTimeout(done, 20));
  }
  await first.kill('SIGKILL');
  const up = await folder.up();
  const { effect } = await up.until((line) => line['type'] === 'actor.in_doubt');
  return { up, effect: String(effect) };
}
async function settled(folder: Folder): Promise<unknown> {
  for (let i = 0; i < 200; i++) {
    const state = await folder.json<{ value: string; context: unknown }>('state', 'payer', '--json');
    if (state.value !== 'paying') return state;
    await new Promise((done) => setTimeout(done, 20));
  }
  throw new Error('the payment did not settle');
}

describe('a call in doubt', () => {
  test('is shown, and is not repeated; its output is what a person says', async () => {
    await using folder = bank();
    const { effect } = await inDoubt(folder);
    expect(effect).toMatch(/^tools\/bank!\d+\.\d+$/);
    const { actors } = await folder.json<{ actors: { address: string; inDoubt?: string[] }[] }>('ps', '--json');
    expect(actors.find((a) => a.address === 'tools/bank')?.inDoubt).toEqual([effect]);
    expect((await folder.call('resolve', 'payer!1.0', '--retry')).stderr).toContain('payer!1.0 is not in doubt');
    expect((await folder.call('resolve', effect, '--output', '"paid by hand"')).stdout).toBe(`${effect}: output\n`);
    expect(await settled(folder)).toMatchObject({ value: 'paid', context: { result: 'paid by hand' } });
    expect(await calls(folder)).toEqual(['5']);
  });
  test('is called again when a person says so', async () => {
    await using folder = bank();
    const { effect } = await inDoubt(folder);
    expect((await folder.call('resolve', effect, '--retry')).code).toBe(0);
    expect(await settled(folder)).toMatchObject({ value: 'paid', context: { result: 'paid 5' } });
    expect(await calls(folder)).toEqual(['5', '5']);
  });
  test('fails when a person says so', async () => {
    await using folder = bank();
    const { effect } = await inDoubt(folder);
    expect((await folder.call('resolve', effect, '--fail')).code).toBe(0);
    expect(await settled(folder)).toMatchObject({ value: 'unpaid', context: { failed: 'EFFECT_IN_DOUBT' } });
    expect(await calls(folder)).toEqual(['5']);
  });
});
