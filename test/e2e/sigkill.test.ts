/**
 * Real processes on a real file: a shop is killed with SIGKILL a hundred times, at random moments of its life, boot included. At the
 * end every order went its way once.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { LogRecord } from '../../core/record.ts';
import { seededRandom } from '../../core/testing/virtual.ts';
import { sqlite } from '../../persistence/sqlite.ts';

const KILLS = 100;
const ORDERS = 400;

/** Runs the shop; killed so many ms after `ready`, or after its start. Resolves with what it said. */
function live(folder: string, kill?: { readonly afterMs: number; readonly of: 'ready' | 'start' }): Promise<string> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, ['--conditions=reprise-source', 'test/e2e/shop-process.ts', folder, String(ORDERS)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let said = '';
    let armed = false;
    const arm = (): void => {
      if (kill === undefined || armed) return;
      armed = true;
      setTimeout(() => child.kill('SIGKILL'), kill.afterMs);
    };
    if (kill?.of === 'start') arm();
    child.stdout.on('data', (bytes: Buffer) => {
      said += bytes.toString();
      if (said.includes('ready')) arm();
    });
    child.on('exit', () => resolve(said));
  });
}

test(
  `a shop of ${ORDERS} orders is killed ${KILLS} times: nothing is lost, nothing is done twice`,
  { timeout: 600_000 },
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'reprise-kill-'));
    const random = seededRandom(7);
    const began = performance.now();
    await live(folder, { afterMs: 0, of: 'ready' });
    const startMs = performance.now() - began;
    let finished = 0;
    for (let kill = 1; kill < KILLS; kill++) {
      const said = await live(
        folder,
        kill % 5 === 0 ? { afterMs: random() % startMs, of: 'start' } : { afterMs: random() % 100, of: 'ready' },
      );
      if (said.includes('done')) finished++;
    }
    // Else most of the kills would have met a shop that had nothing left to do.
    expect(finished).toBeLessThan(KILLS / 4);
    expect(await live(folder)).toContain('done');

    const store = await sqlite({ path: join(folder, 'shop.db'), readOnly: true });
    const logs = new Map<string, LogRecord[]>();
    for (const shard of await store.shards())
      for await (const { actor } of store.streams(shard)) {
        const records: LogRecord[] = [];
        for await (const record of store.read({ shard, actor }, 1)) records.push(record);
        logs.set(actor, records);
      }
    await store.close();

    const lines = (logs.get('shop/book') ?? []).flatMap((r) =>
      r.kind === 'event' && r.event.type === 'line' ? [String(r.event['text'])] : [],
    );
    for (let i = 0; i < ORDERS; i++) expect(lines.filter((l) => l.startsWith(`o${i} `))).toEqual([`o${i} came`, `o${i} paid`]);
    for (const [actor, records] of logs) {
      expect(
        records.map((r) => r.seq),
        actor,
      ).toEqual(records.map((_, i) => i + 1));
      const taken = records.flatMap((r) => (r.kind === 'event' && r.meta.id !== undefined ? [r.meta.id] : []));
      expect(new Set(taken).size, actor).toBe(taken.length);
      expect(
        records.filter((r) => r.kind === 'dead' || r.kind === 'failed'),
        actor,
      ).toEqual([]);
    }
    const calls = readFileSync(join(folder, 'calls.log'), 'utf8').split('\n');
    expect(calls.filter((line) => line.startsWith('AGAIN'))).toEqual([]);
    expect(new Set(calls.filter((line) => line.startsWith('end')).map((line) => line.slice(4))).size).toBe(ORDERS);
    rmSync(folder, { recursive: true, force: true });
  },
);
