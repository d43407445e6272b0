/** `reprise unpark`, `reprise restart`, `reprise stop` */
import type { StopOutcome } from '../../core/operator/operations.ts';
import type { Call } from '../command.ts';
import { EXIT } from '../exit.ts';
import { Reach } from '../reach.ts';

export async function unpark(call: Call): Promise<void> {
  const { actor } = await ordered(call, 'unpark');
  call.io.out(`${actor} goes on`);
}

export async function restart(call: Call): Promise<void> {
  const { actor, result } = await ordered(call, 'restart');
  call.io.out(`${actor} was ${String(result)}`);
}

const STOPS: Readonly<Record<StopOutcome, string>> = {
  stopped: 'is stopped',
  idle: 'did not run: there was nothing to stop',
  stopping: 'has been told to stop, and has not done so in its time: `reprise ps` and `tree` say what it does',
};

export async function stop(call: Call): Promise<number> {
  const { actor, result } = await ordered(call, 'stop');
  const outcome = result as StopOutcome;
  call.io.out(`${actor} ${STOPS[outcome]}`);
  return outcome === 'stopping' ? EXIT.failure : EXIT.ok;
}

async function ordered(call: Call, op: string): Promise<{ readonly actor: string; readonly result: unknown }> {
  await using reach = new Reach(call);
  const actor = await reach.actor(call.arg(0));
  return { actor, result: await (await reach.mesh()).call(op, { actor }) };
}
