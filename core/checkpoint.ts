/** A checkpoint's bytes: snapshot and derived tables as JSON with zstd. Opaque to the store. */
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { MeshError } from './errors.ts';
import type { Logic } from './logic.ts';
import { decodeTables, encodeTables, type Tables } from './tables.ts';

const VERSION = 1;

export interface Saved {
  readonly snapshot: unknown;
  readonly digest: string;
  readonly tables: Tables;
  /** Length of its JSON. */
  readonly jsonBytes: number;
}

/** `logic` undefined: nobody lives there (any more). */
export function encodeCheckpoint(
  logic: Logic | undefined,
  snapshot: unknown,
  tables: Tables,
): { readonly bytes: Uint8Array; readonly jsonBytes: number } {
  const json = JSON.stringify({
    v: VERSION,
    snapshot: logic === undefined ? null : logic.persist(snapshot),
    digest: logic === undefined ? '' : logic.digest(snapshot),
    tables: encodeTables(tables),
  });
  const text = Buffer.from(json);
  return { bytes: zstdCompressSync(text), jsonBytes: text.length };
}

/** Throws STORE_CORRUPT, or STORE_NEWER when a later version wrote it. */
export function decodeCheckpoint(bytes: Uint8Array, what: string): Saved {
  let saved: { v: number; snapshot: unknown; digest: string; tables: unknown };
  let text: Buffer;
  try {
    text = zstdDecompressSync(bytes);
    saved = JSON.parse(text.toString()) as typeof saved;
  } catch (cause) {
    throw new MeshError('STORE_CORRUPT', `the checkpoint of ${what} cannot be read`, { cause });
  }
  if (saved.v !== VERSION)
    throw new MeshError('STORE_NEWER', `the checkpoint of ${what} has version ${saved.v}; this is version ${VERSION}`);
  return { snapshot: saved.snapshot, digest: saved.digest, tables: decodeTables(saved.tables), jsonBytes: text.length };
}
