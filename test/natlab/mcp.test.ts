/** "The MCP bridge calls a real tool across them": two machines behind NATs that join by the CLI, a real server on one, a real client on the other. */
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { Machines } from './machines.ts';
import { labTools, type Tools } from './tools.ts';

const tools = labTools();
const SETTLE_MS = 15_000;
const EVERYTHING = [
  process.execPath,
  fileURLToPath(new URL('../../node_modules/@modelcontextprotocol/server-everything/dist/index.js', import.meta.url)),
];

describe.skipIf(tools === undefined).concurrent('an MCP client behind a NAT, and its server behind another', () => {
  test.each([
    ['port', 'port', 'direct', 'direct'],
    ['sym', 'sym', 'relayed', 'direct'],
    ['block', 'port', 'relayed', 'tcp'],
  ] as const)('%s x %s: %s', async (a, b, kind, relayKind) => {
    await using machines = await Machines.open(tools as Tools, { a, b });
    await machines.serve('a', 'everything', EVERYTHING);
    const client = await machines.client('b', 'everything');
    const echo = async (message: string): Promise<unknown> =>
      (await client.callTool({ name: 'echo', arguments: { message } })).content;
    expect(await echo('at once')).toEqual([{ type: 'text', text: 'Echo: at once' }]);
    expect(await machines.settle('b', 'a', kind, SETTLE_MS)).toMatchObject({ kind });
    expect(await machines.peer('a', 'relay1')).toMatchObject({ kind: relayKind });
    const megabyte = 'x'.repeat(1_000_000);
    expect(await echo(megabyte)).toEqual([{ type: 'text', text: `Echo: ${megabyte}` }]);
    const sum = await client.callTool({ name: 'get-sum', arguments: { a: 19, b: 23 } });
    expect(sum.content).toEqual([{ type: 'text', text: 'The sum of 19 and 23 is 42.' }]);
  });
});
