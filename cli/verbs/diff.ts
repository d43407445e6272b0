/** `reprise diff` */
import { type Call, wholeNumber } from '../command.ts';
import { Reach } from '../reach.ts';
import { changesOf, changeText } from '../render/changes.ts';

export async function run(call: Call): Promise<void> {
  const [from, to] = [wholeNumber(call.arg(1), 'A', 1), wholeNumber(call.arg(2), 'B', 1)];
  await using reach = new Reach(call);
  const inspect = await reach.inspect(call.arg(0));
  const actor = await reach.actor(call.arg(0), inspect);
  const changes = changesOf(await inspect.state(actor, from), await inspect.state(actor, to));
  await reach.tellRecords(call);
  if (call.isJson) return call.io.json({ actor, from, to, changes });
  for (const change of changes) call.io.out(changeText(change, call.io.columns));
  if (changes.length === 0) call.io.note(`nothing in the state of ${actor} differs between ${from} and ${to}`);
}
