/** `reprise deadletters`, `reprise deadletters resend ACTOR SEQ` */
import { MeshError } from '../../core/errors.ts';
import { type Call, wholeNumber } from '../command.ts';
import { Reach } from '../reach.ts';
import { inline, table, timeText } from '../render/text.ts';

export async function run(call: Call): Promise<void> {
  const [action = 'list', ...args] = call.args;
  if (action === 'list') return list(call);
  if (action === 'resend') return resend(call, args);
  throw new MeshError('USAGE', `deadletters knows list and resend, not '${action}'`);
}

async function list(call: Call): Promise<void> {
  await using reach = new Reach(call);
  const inspect = await reach.inspect();
  const of = call.text('actor');
  const letters = await inspect.deadLetters(of === undefined ? undefined : await reach.actor(of, inspect));
  if (call.isJson) return call.io.json({ letters });
  if (letters.length === 0) return call.io.note('no dead letters');
  table(
    call.io,
    ['ACTOR', 'SEQ', 'WHEN', 'CAUSE', 'FROM', 'EVENT'],
    letters.map(({ actor, seq, at, cause, detail, from, event }) => [
      actor,
      String(seq),
      timeText(at),
      cause,
      from ?? '',
      `${inline(event)}${detail === undefined ? '' : `  (${detail})`}`,
    ]),
  );
}

async function resend(call: Call, [actor = '', seq = '']: readonly string[]): Promise<void> {
  if (actor === '' || seq === '') throw new MeshError('USAGE', 'deadletters resend needs ACTOR and SEQ');
  const at = wholeNumber(seq, 'SEQ', 1);
  await using reach = new Reach(call);
  const id = await (await reach.mesh()).call<string>('resend', { actor: await reach.actor(actor), seq: at });
  if (call.isJson) call.io.json({ actor, seq: at, id });
  else call.io.out(`sent again as ${id}`);
}
