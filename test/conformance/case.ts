/**
 * A conformance kit is an array of cases: each a promise of a port, checked with `node:assert` only, so that any runner, `doctor` and
 * authors of other adapters can run it.
 *
 *   for (const c of linkCases) test(c.name, () => c.run(make))
 */
export interface Case<Subject> {
  readonly name: string;
  /** Capabilities without which the case does not apply. */
  readonly needs?: readonly string[];
  /** `make` gives a fresh subject; the case closes what it made. */
  run(make: () => Promise<Subject>): Promise<void>;
}

/** Where time has to go by: virtual adapters advance their clock, real ones wait a few ms. */
export interface Passing {
  passes(): Promise<void>;
  close(): Promise<void>;
}

const ROUNDS = 2_000;

/** Lets time go by until `check` holds; `again` before each round, because what is unreliable is sent again. */
export async function until(
  subject: Passing,
  what: string,
  check: () => boolean,
  again: () => void = () => undefined,
): Promise<void> {
  for (let round = 0; round < ROUNDS; round++) {
    if (check()) return;
    if (round % 50 === 0) again();
    await subject.passes();
  }
  throw new Error(`${what}: it did not come to that`);
}

/** Makes cases that close their subject whatever happens. */
export const caseOf = <S extends { close(): Promise<void> }>(name: string, body: (subject: S) => Promise<void>): Case<S> => ({
  name,
  run: async (make) => {
    const subject = await make();
    try {
      await body(subject);
    } finally {
      await subject.close();
    }
  },
});
