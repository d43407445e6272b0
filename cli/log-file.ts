/** Logs in a file: `core/operator/archive.ts` says what is in it. */
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Address } from '../core/address.ts';
import { archiveLines, importArchive, type ImportedLog } from '../core/operator/archive.ts';
import { MeshError } from '../core/errors.ts';
import type { Inspection } from '../core/operator/inspection.ts';
import type { MeshStore } from '../core/mesh.ts';
import type { LogRecord } from '../core/record.ts';
import { verified } from './signature.ts';

/** The lines of these actors' logs. Throws ACTOR_NOT_FOUND, STORE_CORRUPT. */
export async function* exportLines(inspect: Inspection, mesh: string, actors: readonly Address[]): AsyncGenerator<string> {
  const source = {
    store: inspect.store,
    stream: (of: Address) => inspect.stream(of),
    inflate: (record: LogRecord) => inspect.source.inflate(record),
  };
  for (const actor of actors) yield* archiveLines(source, mesh, actor);
}

/**
 * Brings a file of logs into the store, under a name of its own. `signer`: they have to be signed by this key. Throws USAGE when it cannot
 * be read, SIGNATURE_INVALID, and as `importArchive`.
 */
export function importLogs(store: MeshStore, path: string, name: string, signer?: string): Promise<ImportedLog[]> {
  return importArchive(store, name, { name: path, lines: verified(linesOf(path), path, signer) });
}

async function* linesOf(path: string): AsyncGenerator<string> {
  try {
    yield* createInterface({ input: createReadStream(path), crlfDelay: Infinity });
  } catch (cause) {
    throw new MeshError('USAGE', `${path} cannot be read`, { cause });
  }
}
