/**
 * Whether the names of the store still lead to the files that its owner has open. Who removes, moves or replaces one of them under a
 * process that runs takes nothing from that process, and SQLite does not notice: it would go on acknowledging into files that are gone
 * when it ends.
 */
import { statSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import { MeshError } from '../../core/errors.ts';

/** A look costs microseconds, a commit to memory not many more: a busy store looks this seldom, any other before each commit. */
const LOOK_MS = 10;

export class Names {
  private readonly db: DatabaseSync;
  private readonly path: string;
  /** File and what it was when it was opened. */
  private readonly files: readonly (readonly [name: string, identity: string])[];
  private lookedAt = performance.now();
  private error: MeshError | undefined;

  /** `db` has all of its files open, as it has after its first read. */
  constructor(db: DatabaseSync, path: string) {
    this.db = db;
    this.path = path;
    // Without the lock file nothing keeps another process from owning the same store.
    this.files = [path, `${path}-wal`, `${path}-shm`, `${path}.lock`].map((name) => [name, identityOf(name)]);
  }

  /** Where the owner leaves a copy at its end when the file itself has no name any more. */
  get rescue(): string {
    return `${this.path}.rescued-${process.pid}`;
  }

  /** Throws STORE_DETACHED. May be `LOOK_MS` late. */
  check(): void {
    if (this.error === undefined && performance.now() - this.lookedAt < LOOK_MS) return;
    this.look();
  }

  /** Throws STORE_DETACHED until all of them are back. */
  look(): void {
    this.lookedAt = performance.now();
    const { lost } = this;
    if (lost === undefined) this.error = undefined;
    else if (this.error === undefined || (this.error.data as { lost: string }).lost !== lost) this.error = this.errorOf(lost);
    if (this.error !== undefined) throw this.error;
  }

  /** The first of the files that has no name any more. */
  get lost(): string | undefined {
    return this.files.find(([name, identity]) => identityOf(name) !== identity)?.[0];
  }

  private errorOf(lost: string): MeshError {
    const { path, rescue } = this;
    const what = `${lost} ${identityOf(lost) === '' ? 'is gone' : 'is another file now'}, while process ${process.pid} has it open`;
    const data = { path, lost, pid: process.pid };
    if (lost === path)
      return new MeshError(
        'STORE_DETACHED',
        `${what}: nothing more is stored. Move it back; or if it is gone, save what was stored with \`reprise backup FILE\`, and put that in its place, without the -wal and -shm. Then end the process with SIGTERM and start it again. It leaves a copy at its end, ${rescue}; after \`kill -9\` what was not saved is lost`,
        { data },
      );
    const rest = this.isSaved()
      ? `What was stored is in ${path}: end the process, and start it again`
      : `End the process with SIGTERM, which saves what was stored, not with \`kill -9\`; then start it again`;
    return new MeshError('STORE_DETACHED', `${what}: nothing more is stored. ${rest}`, { data });
  }

  /** Brings all that was committed to the file that still has a name. False: not all of it. */
  private isSaved(): boolean {
    try {
      const { log, checkpointed } = this.db.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get() as Record<string, number>;
      return log === checkpointed;
    } catch {
      return false;
    }
  }
}

/** '': there is none. */
function identityOf(file: string): string {
  const stat = statSync(file, { throwIfNoEntry: false, bigint: true });
  return stat === undefined ? '' : `${stat.dev} ${stat.ino}`;
}
