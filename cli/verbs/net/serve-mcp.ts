/** `reprise net serve-mcp NAME -- COMMAND …` */
import { MeshError } from '../../../core/errors.ts';
import type { Call } from '../../command.ts';
import { EXIT } from '../../exit.ts';
import { Serving, type ServingEvent } from '../../net/mcp/serving.ts';
import { nodeOf } from '../../net/reach.ts';
import { StopSignals } from '../../stop-signals.ts';

export async function run(call: Call): Promise<number> {
  const { io } = call;
  const [name = '', command, ...args] = call.args;
  if (command === undefined)
    throw new MeshError(
      'USAGE',
      `which command is the server? \`${call.reprise.command(`net serve-mcp ${name} -- COMMAND ARGUMENTS`)}\``,
    );
  const sessionsMax = call.number('sessions', 1);
  const client = await nodeOf(call);
  const signals = new StopSignals();
  const stop = new AbortController();
  void signals.asked.then(() => stop.abort());
  const onEvent = (event: ServingEvent): void => (call.isJson ? io.json(event) : io.out(eventText(event)));
  io.lasts({ dropped: (lines) => `(${lines} lines were not read)`, gone: 'nobody reads what serve-mcp prints; it goes on' });
  await new Serving(client, { name, command, args, allow: call.texts('allow'), sessionsMax, onEvent }).run(stop.signal);
  return EXIT.ok;
}

function eventText(event: ServingEvent): string {
  switch (event.type) {
    case 'serving':
      return `'${event.name}' is served; on another node an MCP client finds it by \`reprise net connect-mcp ${event.name}\``;
    case 'session':
      return `${event.from} has connected: process ${event.pid ?? 'none'}`;
    case 'session_ended':
      return `${event.from} has gone${event.why === undefined ? '' : `: ${event.why}`}`;
    case 'note':
      return event.text;
  }
}
