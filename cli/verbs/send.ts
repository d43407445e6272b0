/** `reprise send` */
import type { EventObject } from '../../core/effect.ts';
import { MeshError } from '../../core/errors.ts';
import { type Call, typedJson } from '../command.ts';
import { Reach } from '../reach.ts';

export async function run(call: Call): Promise<void> {
  const event = typedEvent(call.arg(1));
  await using reach = new Reach(call);
  const actor = await reach.actor(call.arg(0));
  const id = call.text('id');
  const sent = await (
    await reach.mesh()
  ).call<{ id: string; seq: number }>('send', {
    actor,
    event,
    ...(id !== undefined && { id }),
  });
  if (call.isJson) call.io.json({ actor, ...sent });
  else call.io.out(`${actor} has it at seq ${sent.seq} (id ${sent.id})`);
}

/** An event as JSON, or only its type. Throws USAGE. */
export function typedEvent(text: string): EventObject {
  if (/^[A-Za-z_][\w.:-]*$/.test(text)) return { type: text };
  const event = typedJson(text, 'the event');
  if (typeof event === 'object' && event !== null && 'type' in event && typeof event.type === 'string')
    return event as EventObject;
  throw new MeshError('USAGE', 'an event is JSON with a type, such as {"type":"greet","name":"Ada"}, or only a type');
}
