/** `reprise net send` */
import { buffer } from 'node:stream/consumers';
import type { Call } from '../../command.ts';
import { checkChannel, DEFAULT_CHANNEL } from '../../net/inbox.ts';
import { nodeOf } from '../../net/reach.ts';
import { bytesText } from '../../net/render.ts';

interface Sent {
  readonly to: { readonly name: string; readonly key: string; readonly address: string | undefined };
  readonly channel: string;
  readonly bytes: number;
}

export async function run(call: Call): Promise<void> {
  const channel = checkChannel(call.text('channel') ?? DEFAULT_CHANNEL);
  const node = await nodeOf(call);
  const typed = call.arg(1);
  const bytes = typed === '-' ? await buffer(call.io.stdin) : Buffer.from(typed, 'utf8');
  const sent = await node.call<Sent>('send', { peer: call.arg(0), channel, base64: bytes.toString('base64') });
  if (call.isJson) return call.io.json(sent);
  call.io.out(`${sent.to.name} has it (${bytesText(sent.bytes)} on ${sent.channel})`);
}
