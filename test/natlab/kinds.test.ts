/** By a relay with two ports a node knows its NAT, as docs/overlay.md says: by the real CLI. All kinds: the long tests. */
import { describe, expect, test } from 'vitest';
import { SEEN, surroundings } from './machines.ts';
import { labTools, type Tools } from './tools.ts';

const tools = labTools();

describe.skipIf(tools === undefined).concurrent('`net up` with a relay of two ports', () => {
  test.each(['port', 'sym', 'block'] as const)('says what it is behind: %s', async (kind) => {
    expect(await surroundings(tools as Tools, kind, 'ports')).toEqual(SEEN[kind]);
  });
});
