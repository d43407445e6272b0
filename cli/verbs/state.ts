/** `reprise state` */
import type { ActorState } from '../../core/operator/inspection.ts';
import type { Call } from '../command.ts';
import type { Io } from '../io.ts';
import { Reach } from '../reach.ts';
import { stateText } from '../render/text.ts';

export async function run(call: Call): Promise<void> {
  const at = call.number('at', 1);
  await using reach = new Reach(call);
  const inspect = await reach.inspect(call.arg(0));
  const state = await inspect.state(await reach.actor(call.arg(0), inspect), at);
  await reach.tellRecords(call);
  if (call.isJson) return call.io.json(state);
  print(call.io, state);
}

function print(io: Io, { address, seq, status, value, tags, children, context, output, error }: ActorState): void {
  io.out(`${io.paint('bold', address)} after record ${seq}`);
  io.out(`state     ${io.paint('cyan', stateText(value) || status)}${status === 'active' ? '' : ` (${status})`}`);
  if (tags.length > 0) io.out(`tags      ${tags.join(', ')}`);
  if (children.length > 0) io.out(`children  ${children.join(', ')}`);
  if (output !== undefined) io.out(`output    ${JSON.stringify(output, undefined, 2)}`);
  if (error !== undefined) io.out(`error     ${JSON.stringify(error, undefined, 2)}`);
  io.out(`context   ${JSON.stringify(context, undefined, 2)}`);
}
