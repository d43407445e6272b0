/**
 * What the disk and SQLite give at best: the same ring with nothing in it. No framework, no statechart, one process; one commit a turn
 * of the event loop for all tokens in flight, WAL with synchronous=FULL, JSON.
 *
 *   hop: insert the event, insert the message that it sends, delete the message that it was (writes: 3), or the event alone (writes: 1)
 */
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { PAYLOAD } from '../charts/ring.ts';
import type { Measured } from '../lib/scenario.ts';
import { measureRate, type Span } from './meter.ts';

export interface LimitInput extends Span {
  readonly sample: 'limit';
  readonly agents: number;
  readonly tokens: number;
  readonly writes: 1 | 3;
}

interface Token {
  at: number;
  /** Row of the message that it is. */
  message: number;
}

const SCHEMA = `
PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;
CREATE TABLE events(id INTEGER PRIMARY KEY, stream INTEGER NOT NULL, seq INTEGER NOT NULL, data TEXT NOT NULL, UNIQUE(stream, seq));
CREATE TABLE mailbox(id INTEGER PRIMARY KEY, receiver INTEGER NOT NULL, data TEXT NOT NULL);
`;

export async function limit({ agents, tokens, writes, ...span }: LimitInput, folder: string): Promise<Measured> {
  const db = new DatabaseSync(join(folder, 'limit.db'));
  db.exec(SCHEMA);
  const begin = db.prepare('BEGIN IMMEDIATE');
  const commit = db.prepare('COMMIT');
  const event = db.prepare('INSERT INTO events(stream, seq, data) VALUES (?, ?, ?)');
  const message = db.prepare('INSERT INTO mailbox(id, receiver, data) VALUES (?, ?, ?)');
  const taken = db.prepare('DELETE FROM mailbox WHERE id = ?');
  const heads = new Uint32Array(agents);
  let hops = 0;
  let messages = 0;
  let stopped = false;
  let flight: Token[] = Array.from({ length: tokens }, (_, i) => ({ at: Math.floor((i * agents) / tokens), message: 0 }));

  const envelope = (from: number, to: number): string =>
    JSON.stringify({ id: `ring/${from}!${hops}.0`, from: `ring/${from}`, to: `ring/${to}`, ts: Date.now(), payload: PAYLOAD });
  const hop = (token: Token): void => {
    const { at } = token;
    const next = (at + 1) % agents;
    const seq = (heads[at] ?? 0) + 1;
    heads[at] = seq;
    event.run(at, seq, envelope(at, next));
    if (writes === 3) {
      message.run(++messages, next, envelope(at, next));
      taken.run(token.message);
    }
    token.at = next;
    token.message = messages;
  };
  const turn = (): void => {
    if (stopped) return;
    const committing = flight;
    flight = [];
    begin.run();
    for (const token of committing) hop(token);
    commit.run();
    hops += committing.length;
    flight = committing;
    setImmediate(turn);
  };
  setImmediate(turn);
  const measured = await measureRate(() => hops, span);
  stopped = true;
  db.close();
  return { ...measured };
}
