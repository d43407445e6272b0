/** `reprise net listen` */
import type { Call } from '../../command.ts';
import { checkChannel, DEFAULT_CHANNEL, type InboxGap, type InboxMessage } from '../../net/inbox.ts';
import { nodeOf } from '../../net/reach.ts';
import { bytesText, oneLine } from '../../net/render.ts';
import { counted } from '../../words.ts';

export async function run(call: Call): Promise<void> {
  const { io } = call;
  const channel = checkChannel(call.text('channel') ?? DEFAULT_CHANNEL);
  const node = await nodeOf(call);
  if (io.isTerminal && !call.isJson) io.note(`waiting for messages on '${channel}'; Ctrl-C ends this`);
  // Ctrl-C ends the process: there is nothing to be put in order.
  const forever = new AbortController().signal;
  for await (const message of node.follow<InboxMessage | InboxGap>('listen', { channel }, forever)) {
    if (call.isJson) io.json(message);
    else if ('skipped' in message) io.note(`${counted(message.skipped, 'message')} had no room, and went`);
    else
      io.out(
        `${io.paint('cyan', senderOf(message))}: ${oneLine(message.text ?? `(${bytesText(message.bytes)} that are no text; --json has them)`)}`,
      );
    await io.caughtUp();
  }
}

const senderOf = ({ from }: InboxMessage): string => (from.name === '' ? (from.address ?? from.key) : from.name);
