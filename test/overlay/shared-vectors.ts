/** Vectors of others, which are not part of this repository: they lie beside it, in `shared/vectors`, or the tests of them are skipped. */
import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';

const FOLDER = resolve(import.meta.dirname, '../../../shared/vectors');
export const haveSharedVectors = existsSync(FOLDER);
/** For the name of a suite: a run without them says so. */
export const orSkipped = haveSharedVectors ? '' : ' (skipped: no shared/vectors beside the repository)';

export interface Case {
  readonly tcId: number;
  readonly comment: string;
  readonly flags: readonly string[];
  readonly result: 'valid' | 'acceptable' | 'invalid';
}
interface Wycheproof {
  readonly numberOfTests: number;
  readonly testGroups: readonly { readonly tests: readonly Case[] }[];
}

export const sharedVectors = (file: string): unknown => JSON.parse(readFileSync(resolve(FOLDER, file), 'utf8'));

/** Every case of a file of Wycheproof, with what its group says. */
export function wycheproof(file: string): readonly Case[] {
  const { numberOfTests, testGroups } = sharedVectors(file) as Wycheproof;
  const cases = testGroups.flatMap(({ tests, ...group }) => tests.map((test) => ({ ...group, ...test })));
  if (cases.length !== numberOfTests) throw new TypeError(`${file} says ${numberOfTests} cases and has ${cases.length}`);
  return cases;
}
