import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { afterEach, describe, expect, test } from 'vitest';
import { openLedger } from '../../../examples/support-desk/ledger.ts';

const DESK = path.resolve(import.meta.dirname, '../../../examples/support-desk');
const SERVER = path.join(DESK, 'ledger-server.ts');
const ORDERS = JSON.parse(fs.readFileSync(path.join(DESK, 'orders.json'), 'utf8')) as {
  id: string;
  total: { minor: number; currency: string };
}[];
const [FIRST, SECOND] = [ORDERS[0]!, ORDERS[1]!];
const KEY = 'a key that no agent has';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

function newLedgerFile(): string {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'ledger-'));
  cleanups.push(() => fs.rmSync(folder, { recursive: true, force: true }));
  return path.join(folder, 'ledger.db');
}

async function connect(file: string, key = KEY): Promise<{ client: Client; pid: number; call: typeof call }> {
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [SERVER],
    env: { LEDGER_FILE: file, LEDGER_KEY: key, LEDGER_ORDERS: path.join(DESK, 'orders.json') },
    stderr: 'ignore',
  });
  const client = new Client({ name: 'test', version: '1.0.0' });
  await client.connect(transport);
  cleanups.push(() => client.close());
  const call = async (name: string, args: Record<string, unknown>) => client.callTool({ name, arguments: args });
  return { client, pid: transport.pid!, call };
}

const refund = (order = FIRST, key?: string) => ({
  order: order.id,
  amount_minor: 1000,
  currency: order.total.currency,
  reason: 'test',
  ...(key !== undefined && { idempotency_key: key }),
});
const posted = (file: string) => {
  using ledger = openLedger(file, KEY);
  return ledger.refunds();
};

describe('the ledger over a real MCP client', () => {
  test('announces what may be repeated and what may not', async () => {
    const { client } = await connect(newLedgerFile());
    const { tools } = await client.listTools();
    expect(Object.fromEntries(tools.map((t) => [t.name, [t.annotations?.readOnlyHint, t.annotations?.idempotentHint]]))).toEqual({
      lookup_order: [true, undefined],
      post_refund: [false, false],
      find_refund_by_key: [true, undefined],
    });
  });

  test('finds orders, with what was refunded for them', async () => {
    const { call } = await connect(newLedgerFile());
    expect((await call('lookup_order', { order: 'A-99999' })).structuredContent).toEqual({ refundedMinor: 0 });
    expect((await call('lookup_order', { order: FIRST.id })).structuredContent).toEqual({ refundedMinor: 0, order: FIRST });
    await call('post_refund', refund());
    expect((await call('lookup_order', { order: FIRST.id })).structuredContent).toMatchObject({ refundedMinor: 1000 });
  });

  test('posts once for each call without a key', async () => {
    const file = newLedgerFile();
    const { call } = await connect(file);
    const answers = [await call('post_refund', refund()), await call('post_refund', refund())];
    expect(answers.map((a) => (a.structuredContent as { refund: number }).refund)).toEqual([1, 2]);
    expect(posted(file)).toHaveLength(2);
  });

  test('posts once for a key and answers the same again, over a restart of the server too', async () => {
    const file = newLedgerFile();
    const one = await connect(file);
    const first = await one.call('post_refund', refund(FIRST, 'desk/case/1!7.0'));
    await one.call('post_refund', refund(SECOND, 'desk/case/2!7.0'));
    expect((await one.call('post_refund', refund(FIRST, 'desk/case/1!7.0'))).structuredContent).toEqual(first.structuredContent);
    await one.client.close();
    const two = await connect(file);
    expect((await two.call('post_refund', { ...refund(SECOND, 'desk/case/1!7.0'), amount_minor: 1 })).structuredContent).toEqual(
      first.structuredContent,
    );
    expect(posted(file)).toHaveLength(2);
  });

  test('tells whether a key was seen', async () => {
    const { call } = await connect(newLedgerFile());
    expect((await call('find_refund_by_key', { idempotency_key: 'k' })).structuredContent).toEqual({ found: false });
    await call('post_refund', refund(FIRST, 'k'));
    expect((await call('find_refund_by_key', { idempotency_key: 'k' })).structuredContent).toMatchObject({
      found: true,
      result: { order: FIRST.id, amount_minor: 1000 },
    });
  });

  test('refuses orders that it does not have and sums that are none, as errors of the tool', async () => {
    const file = newLedgerFile();
    const { call } = await connect(file);
    expect(await call('post_refund', refund({ ...FIRST, id: 'A-99999' }))).toMatchObject({ isError: true });
    expect(await call('post_refund', { ...refund(), amount_minor: -5 })).toMatchObject({ isError: true });
    expect(posted(file)).toEqual([]);
  });

  test('opens to its own key only', async () => {
    const file = newLedgerFile();
    await (await connect(file)).client.close();
    await expect(connect(file, 'another key')).rejects.toThrow(/closed/i);
    expect(() => openLedger(file, 'another key')).toThrow('not the key');
  });

  test('says which setting is missing', async () => {
    const child = spawn(process.execPath, [SERVER], {
      env: { LEDGER_FILE: newLedgerFile() },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
    const code = await new Promise((resolve) => child.on('close', resolve));
    expect([code, said]).toEqual([2, 'ledger: LEDGER_KEY is not set\n']);
  });

  test('loses nothing that it has answered when it is killed, and posts nothing twice when asked again', async () => {
    const file = newLedgerFile();
    const keys = Array.from({ length: 60 }, (_, i) => `case/${i}`);
    const answered = new Set<string>();
    for (const killAfter of [7, 23]) {
      const { pid, call } = await connect(file);
      let answers = 0;
      await Promise.all(
        keys.map(async (key) => {
          const done = await call('post_refund', refund(FIRST, key)).catch(() => undefined);
          if (done === undefined) return;
          answered.add(key);
          if (++answers === killAfter) process.kill(pid, 'SIGKILL');
        }),
      );
      const kept = new Set(posted(file).map((r) => r.key));
      expect([...answered].filter((key) => !kept.has(key))).toEqual([]);
    }
    const { call } = await connect(file);
    for (const key of keys) await call('post_refund', refund(FIRST, key));
    expect(posted(file)).toHaveLength(keys.length);
    expect(new Set(posted(file).map((r) => r.key))).toEqual(new Set(keys));
  });
});
