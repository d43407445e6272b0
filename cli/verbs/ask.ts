/** `reprise ask` */
import type { EventObject } from '../../core/effect.ts';
import type { Call } from '../command.ts';
import { Reach } from '../reach.ts';
import { bornText, idOf, typedEvent } from './send.ts';

const TIMEOUT_MS = 30_000;
/** So that the error of the mesh comes before the one of the socket. */
const GRACE_MS = 5_000;

export async function run(call: Call): Promise<void> {
  const event = typedEvent(call.arg(1));
  const timeoutMs = call.number('timeout', 1) ?? TIMEOUT_MS;
  await using reach = new Reach(call);
  const actor = await reach.actor(call.arg(0));
  const mesh = await reach.mesh();
  const inspect = await reach.inspect();
  const hasLog = async (): Promise<boolean> => (await inspect.store.head(inspect.stream(actor))).epoch > 0;
  const wasThere = await hasLog();
  const params = { actor, event, timeoutMs, ...idOf(call) };
  try {
    call.io.json(await mesh.call<EventObject>('ask', params, timeoutMs + GRACE_MS));
  } finally {
    if (!call.isJson && !wasThere && (await hasLog())) call.io.note(bornText(actor, 'question'));
  }
}
