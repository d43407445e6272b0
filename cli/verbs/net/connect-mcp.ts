/** `reprise net connect-mcp NAME`: what an MCP client starts as its server. */
import type { Call } from '../../command.ts';
import { bridge } from '../../net/mcp/bridge.ts';
import { nodeOf } from '../../net/reach.ts';

export async function run(call: Call): Promise<void> {
  const { io } = call;
  const out = (line: string): Promise<unknown> => {
    io.out(line);
    return io.caughtUp();
  };
  await bridge(await nodeOf(call), call.arg(0), { stdin: io.stdin, out, note: (text) => io.note(text) });
}
