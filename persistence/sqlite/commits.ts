/**
 * Group commit. Everything that asks to be written before the running job and the promises that it settled are through is one
 * transaction and one flush of the disk; each write has its own verdict, and none is answered before the commit. A node steps all its
 * actors in one job of the event loop, so that all of them share a commit.
 *
 *   write -> queue -> (microtask, or the next turn) BEGIN, apply, apply, ..., COMMIT -> answers
 *
 * The commit runs on the main thread: nothing arrives while it is under way, so what arrives after it is the next one.
 */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { MeshError } from '../../core/errors.ts';
import { isOfOneWrite, isUnclear, storeError } from './failure.ts';

interface Write<T = unknown> {
  /** Inside the transaction. What it throws undoes the transaction. */
  apply(): T;
  resolve(value: T): void;
  reject(error: MeshError): void;
  /** What to resolve with where nobody knows whether it was written. */
  unclear: ((cause: MeshError) => T) | undefined;
  /** What `apply` returned. */
  value: T | undefined;
}
interface Failure {
  readonly cause: unknown;
  readonly unclear: boolean;
}
export interface CommitHooks {
  /** Throws where nothing may be written. */
  begins(): void;
  committed(): void;
  /** A transaction was undone: what was learnt inside it is wrong. */
  undone(): void;
}

export class Commits {
  private readonly path: string;
  private readonly hooks: CommitHooks;
  private readonly begin: StatementSync;
  private readonly end: StatementSync;
  private readonly db: DatabaseSync;
  private queue: Write[] = [];
  private armed = false;
  /** There was a commit in this turn of the event loop: the next one waits for the next turn. */
  private turnIsSpent = false;
  private closed = false;

  constructor(db: DatabaseSync, path: string, hooks: CommitHooks) {
    this.db = db;
    this.path = path;
    this.hooks = hooks;
    this.begin = db.prepare('BEGIN IMMEDIATE');
    this.end = db.prepare('COMMIT');
  }

  /**
   * Resolves with what `apply` returns once that is durable. Rejects when nothing was written for sure; where that is not sure,
   * resolves with `unclear` of the cause, or rejects without it.
   */
  write<T>(apply: () => T, unclear?: (cause: MeshError) => T): Promise<T> {
    if (this.closed) return Promise.reject(new MeshError('STORE_UNAVAILABLE', `${this.path} is closed`));
    this.arm();
    return new Promise((resolve, reject) => {
      const write: Write<T> = { apply, resolve, reject, unclear, value: undefined };
      this.queue.push(write);
    });
  }

  private arm(): void {
    if (this.armed) return;
    this.armed = true;
    if (this.turnIsSpent) setImmediate(() => this.flush());
    else queueMicrotask(() => this.flush());
  }

  /** A transaction of its own, at once. */
  now(apply: () => void): void {
    const failure = this.commit([{ apply, value: undefined }]);
    if (failure !== undefined) throw storeError(failure.cause, this.path, 'writing');
    this.hooks.committed();
  }

  flush(): void {
    if (!this.armed) return;
    this.armed = false;
    // Once a turn: who writes, awaits and writes again in a loop must not keep timers and sockets from their turn.
    if (!this.turnIsSpent) {
      this.turnIsSpent = true;
      setImmediate(() => {
        this.turnIsSpent = false;
      });
    }
    const writes = this.queue;
    this.queue = [];
    const failure = this.commit(writes);
    if (failure === undefined) for (const write of writes) write.resolve(write.value);
    else if (writes.length > 1 && isOfOneWrite(failure.cause)) for (const write of writes) this.alone(write);
    else this.fail(writes, failure);
    this.hooks.committed();
  }

  /** Writes what is waiting; nothing after that. */
  close(): void {
    this.flush();
    this.closed = true;
  }

  private alone(write: Write): void {
    const failure = this.commit([write]);
    if (failure === undefined) write.resolve(write.value);
    else this.fail([write], failure);
  }

  private fail(writes: readonly Write[], { cause, unclear }: Failure): void {
    const error = storeError(cause, this.path, 'writing');
    for (const write of writes) {
      if (unclear && write.unclear !== undefined) write.resolve(write.unclear(error));
      else write.reject(error);
    }
  }

  private commit(writes: readonly Pick<Write, 'apply' | 'value'>[]): Failure | undefined {
    try {
      this.hooks.begins();
      this.begin.run();
      for (const write of writes) write.value = write.apply();
    } catch (cause) {
      return this.undo(cause, false);
    }
    try {
      this.end.run();
      return undefined;
    } catch (cause) {
      return this.undo(cause, isUnclear(cause));
    }
  }

  private undo(cause: unknown, unclear: boolean): Failure {
    try {
      if (this.db.isTransaction) this.db.exec('ROLLBACK');
    } finally {
      this.hooks.undone();
    }
    return { cause, unclear };
  }
}
