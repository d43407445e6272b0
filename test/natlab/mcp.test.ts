/** "The MCP bridge calls a real tool across them": two machines behind NATs that join by the CLI, a real server on one, a real client on the other. */
import { describe, expect, test, vi } from 'vitest';
import { CALLED, callAcross } from './machines.ts';
import { labTools, type Tools } from './tools.ts';

// Each pair is eleven processes.
vi.setConfig({ testTimeout: 120_000 });

const tools = labTools();

describe.skipIf(tools === undefined).concurrent('an MCP client behind a NAT, and its server behind another', () => {
  test.each([
    ['port', 'port', 'direct', 'direct'],
    ['sym', 'sym', 'relayed', 'direct'],
    ['proxy', 'port', 'relayed', 'tcp'],
  ] as const)('%s x %s: %s', async (a, b, kind, relayKind) => {
    expect(await callAcross(tools as Tools, a, b, kind)).toEqual({ answers: CALLED, kinds: [kind, relayKind] });
  });
});
