/** `reprise send` */
import type { Address } from '../../core/address.ts';
import type { EventObject } from '../../core/effect.ts';
import { MeshError } from '../../core/errors.ts';
import { type Call, typedJson } from '../command.ts';
import type { Notice } from '../notice.ts';
import { Reach } from '../reach.ts';
import { unhandledText } from '../render/notice.ts';
import { systemEntropy } from '../system.ts';

export async function run(call: Call): Promise<void> {
  const event = typedEvent(call.arg(1));
  await using reach = new Reach(call);
  const actor = await reach.actor(call.arg(0));
  const mesh = await reach.mesh();
  const sent = await mesh.call<Sent>('send', { actor, event, ...idOf(call) });
  const { seq, handled } = sent;
  if (call.isJson) return call.io.json({ actor, id: sent.id, seq, ...(handled !== undefined && { handled }) });
  call.io.out(`${actor} has it at seq ${seq} (id ${sent.id})`);
  if (handled === false) call.io.note(`note: ${unhandledText({ state: undefined, ...sent }, event.type)}`);
  if (sent.began) call.io.note(bornText(actor, 'event'));
}

interface Sent extends Partial<Notice> {
  readonly id: string;
  readonly seq: number;
  /** The actor had no log before. */
  readonly began: boolean;
}

/** Whoever misspelt a key has made another actor. */
export const bornText = (actor: Address, what: 'event' | 'question'): string =>
  `note: ${actor} had no log yet: this ${what} began it. If its key is misspelt, \`reprise delete ${actor}\` removes it`;

/** One is made where none was given: so that the error of a message whose fate is not known can name it. */
export function idOf(call: Call): { readonly id: string; readonly made: boolean } {
  const id = call.text('id');
  return { id: id ?? systemEntropy().id(), made: id === undefined };
}

/** With the quotes that a shell would take. */
const LIKE = `write '{"type":"greet","name":"Ada"}', with all its quotes, or only a type, greet`;

/** An event as JSON, or only its type. Throws USAGE. */
export function typedEvent(text: string): EventObject {
  if (/^[A-Za-z_][\w.:-]*$/.test(text)) return { type: text };
  const event = typedJson(text, 'the event', LIKE);
  if (typeof event === 'object' && event !== null && 'type' in event && typeof event.type === 'string')
    return event as EventObject;
  throw new MeshError('USAGE', `an event has a type: ${LIKE}`);
}
