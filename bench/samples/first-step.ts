/** W6: the shortest program that makes one step durable. Who started it looks at the clock when it says so. */
import { setup } from 'xstate';
import { startMesh } from 'reprise';
import type { Measured } from '../lib/scenario.ts';
import { rssMb } from './meter.ts';

export interface FirstStepInput {
  readonly sample: 'first-step';
  /** With Node's cache of compiled code, as the CLI has it; the first sample fills it. */
  readonly cached?: true;
}

const hello = setup({}).createMachine({
  id: 'hello',
  version: '1',
  initial: 'silent',
  states: { silent: { on: { greet: 'greeted' } }, greeted: {} },
});

export async function firstStep(folder: string): Promise<Measured> {
  const mesh = await startMesh(
    { mesh: 'first', store: 'sqlite:first.db', actors: { hello: { logic: 'hello' } } },
    { hello },
    { folder },
  );
  await mesh.send('hello', { type: 'greet' });
  process.stdout.write('durable\n');
  const measured = { rssMb: rssMb() };
  await mesh.stop();
  return measured;
}
