/** An actor whose machine cannot begin, at the very first `up`: who runs the mesh is told, and mends it without a loss. */
import { expect, test } from 'vitest';
import { Folder, HELLO } from './processes.ts';

const shy = (context: string): string => `
import { setup } from 'xstate';
export const shy = setup({}).createMachine({ id: 'shy', version: '1', context: ${context}, initial: 'idle', states: { idle: {} } });
`;
const files = {
  ...HELLO,
  'shy.ts': shy(`() => { throw new Error('no key in the drawer'); }`),
  'mesh.yaml': `${HELLO['mesh.yaml']}  shy: { module: ./shy.ts }\n  crew: { kind: pool, size: 1, module: ./shy.ts }\n`,
};
interface Listed {
  readonly actors: readonly { readonly address: string; readonly phase: string; readonly reason?: string }[];
}

test('it is named, the others run, and mended code lets it begin: with --watch at once', async () => {
  await using folder = new Folder(files);
  const phases = async (): Promise<unknown[]> =>
    (await folder.json<Listed>('ps', '--json')).actors.map(({ address, phase, reason }) => [address, phase, reason]);
  const up = await folder.up('--watch', '--quiet');
  await up.until((line) => line['actor'] === 'crew/1');
  expect(up.lines.filter((line) => line['type'] === 'actor.unstarted')).toMatchObject([
    { actor: 'shy', error: 'no key in the drawer' },
    { actor: 'crew/1', error: 'no key in the drawer' },
  ]);
  expect(await phases()).toEqual([
    ['@root', 'running', undefined],
    ['crew', 'running', undefined],
    ['crew/1', 'failed', 'no key in the drawer'],
    ['greeter', 'running', undefined],
    ['shy', 'failed', 'no key in the drawer'],
  ]);
  expect(await folder.call('restart', 'shy')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('STEP_FAILED: shy does not begin: no key in the drawer') as string,
  });
  folder.write('shy.ts', shy('{}'));
  await expect.poll(phases, { timeout: 20_000 }).toEqual([
    ['@root', 'running', undefined],
    ['crew', 'running', undefined],
    ['crew/1', 'running', undefined],
    ['greeter', 'running', undefined],
    ['shy', 'running', undefined],
  ]);
  expect(await up.kill('SIGTERM')).toBe(0);
  // Without a mesh the log of its supervisor says who is held to be up.
  expect(await folder.call('delete', 'crew/1')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('crew/1 cannot be removed: crew holds it to be running') as string,
  });
});
