/** `reprise ask` */
import type { EventObject } from '../../core/effect.ts';
import type { Call } from '../command.ts';
import { Reach } from '../reach.ts';
import { typedEvent } from './send.ts';

const TIMEOUT_MS = 30_000;
/** So that the error of the mesh comes before the one of the socket. */
const GRACE_MS = 5_000;

export async function run(call: Call): Promise<void> {
  const event = typedEvent(call.arg(1));
  const timeoutMs = call.number('timeout', 1) ?? TIMEOUT_MS;
  await using reach = new Reach(call);
  const actor = await reach.actor(call.arg(0));
  const id = call.text('id');
  const mesh = await reach.mesh();
  const reply = await mesh.call<EventObject>(
    'ask',
    { actor, event, timeoutMs, ...(id !== undefined && { id }) },
    timeoutMs + GRACE_MS,
  );
  call.io.json(reply);
}
