/** `reprise unpark`, `reprise restart`, `reprise stop` */
import type { Call } from '../command.ts';
import { Reach } from '../reach.ts';

export const unpark = (call: Call): Promise<void> => order(call, 'unpark', () => 'goes on');
export const restart = (call: Call): Promise<void> => order(call, 'restart', (how) => `was ${String(how)}`);
export const stop = (call: Call): Promise<void> => order(call, 'stop', () => 'is stopped');

async function order(call: Call, op: string, said: (result: unknown) => string): Promise<void> {
  await using reach = new Reach(call);
  const actor = await reach.actor(call.arg(0));
  const result = await (await reach.mesh()).call(op, { actor });
  call.io.out(`${actor} ${said(result)}`);
}
