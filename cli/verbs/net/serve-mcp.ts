/** `reprise net serve-mcp NAME -- COMMAND …` */
import { isMeshError, MeshError } from '../../../core/errors.ts';
import type { Call } from '../../command.ts';
import type { ControlClient } from '../../control/client.ts';
import { EXIT } from '../../exit.ts';
import type { Invocation } from '../../invocation.ts';
import { isRunnable } from '../../net/mcp/command.ts';
import { Serving, type ServingEvent } from '../../net/mcp/serving.ts';
import { folderOf, nodeAgain, nodeOf } from '../../net/reach.ts';
import type { PeersAnswer } from '../../net/status.ts';
import { timeText } from '../../render/text.ts';
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
  const allow = call.texts('allow');
  const client = await nodeOf(call);
  if (!isRunnable(command, io.env['PATH'])) throw new MeshError('USAGE', `'${command}' is no command that can be run here`);
  const signals = new StopSignals();
  const stop = new AbortController();
  void signals.asked.then(() => stop.abort());
  const onEvent = (event: ServingEvent): void =>
    call.isJson ? io.json({ ts: Date.now(), ...event }) : io.out(`${timeText(Date.now())} ${eventText(event, call.reprise)}`);
  io.lasts({ dropped: (lines) => `(${lines} lines were not read)`, gone: 'nobody reads what serve-mcp prints; it goes on' });
  const options = { name, command, args, allow, sessionsMax, onEvent };
  if (allow.length > 0) void noteUnknown(client, allow, (text) => io.note(text));
  for (let node: ControlClient | undefined = client; node !== undefined;) {
    try {
      await new Serving(node, options).run(stop.signal);
      break;
    } catch (error) {
      // Started anew, by a service or by a person: the name is served again then, and clients come again.
      if (!isMeshError(error, 'NET_NOT_RUNNING')) throw error;
      io.note('the node has stopped, and its sessions with it: this waits for `reprise net up`; Ctrl-C ends it');
      node = await nodeAgain(folderOf(call), stop.signal);
    }
  }
  return EXIT.ok;
}

/** A name that was mistyped lets nobody in, and nobody hears of it. */
async function noteUnknown(client: ControlClient, allow: readonly string[], note: (text: string) => void): Promise<void> {
  try {
    const { node, peers, members, gone } = await client.call<PeersAnswer>('peers');
    const known = new Set([node, ...peers, ...members, ...gone].flatMap(({ name, key }) => [name, key]));
    for (const who of allow)
      if (!known.has(who)) note(`--allow ${who}: no node that is known here is called so; it is let in when it comes`);
  } catch (error) {
    // The node has gone: that is told by whoever serves.
    if (!isMeshError(error)) throw error;
  }
}

export function eventText(event: ServingEvent, reprise: Invocation): string {
  switch (event.type) {
    case 'serving':
      return `'${event.name}' is served; on another node an MCP client finds it by \`${reprise.elsewhere(`net connect-mcp ${event.name}`)}\``;
    case 'session':
      return event.pid === undefined
        ? `${event.from} has connected, and its process could not be started`
        : `${event.from} has connected: process ${event.pid}`;
    case 'session_ended':
      return `${event.from} has gone${event.why === undefined ? '' : `: ${event.why}`}`;
    case 'note':
      return event.text;
  }
}
