/** `reprise net send` */
import { buffer } from 'node:stream/consumers';
import type { Call } from '../../command.ts';
import { checkChannel, DEFAULT_CHANNEL } from '../../net/inbox.ts';
import { nodeOf } from '../../net/reach.ts';
import { bytesText } from '../../net/render.ts';

/** Above what the running node waits for. */
const ANSWER_MS = 90_000;
/** ms after which a person is told what is waited for. */
const NOTE_MS = 3_000;

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
  const patience = call.isJson
    ? undefined
    : setTimeout(
        () =>
          call.io.note(
            'its node has not said yet that it has it: this waits up to 15 s for a way to it, and then a minute for its answer',
          ),
        NOTE_MS,
      );
  const params = { peer: call.arg(0), channel, base64: bytes.toString('base64') };
  const sent = await node.call<Sent>('send', params, ANSWER_MS).finally(() => clearTimeout(patience));
  if (call.isJson) return call.io.json(sent);
  call.io.out(`${sent.to.name} has it (${bytesText(sent.bytes)} on ${sent.channel})`);
}
