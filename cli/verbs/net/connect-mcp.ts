/** `reprise net connect-mcp NAME`: what an MCP client starts as its server. */
import { realpathSync } from 'node:fs';
import type { Call } from '../../command.ts';
import { bridge } from '../../net/mcp/bridge.ts';
import { folderOf, nodeOf } from '../../net/reach.ts';

export async function run(call: Call): Promise<void> {
  const { io } = call;
  if (call.flag('print-config')) return printConfig(call);
  const out = (line: string): Promise<unknown> => {
    io.out(line);
    return io.caughtUp();
  };
  await bridge(await nodeOf(call), call.arg(0), { stdin: io.stdin, out, note: (text) => io.note(text) });
}

/** Whole paths alone: clients start their servers in folders of their own, and with a PATH of their own. */
function printConfig(call: Call): void {
  const name = call.arg(0);
  const program = realpathSync(process.argv[1] ?? '');
  const args = [...process.execArgv, program, 'net', 'connect-mcp', name, '--dir', folderOf(call).path];
  const server = { command: process.execPath, args };
  call.io.out(JSON.stringify({ mcpServers: { [name.slice(name.lastIndexOf('/') + 1)]: server } }, undefined, 2));
}
