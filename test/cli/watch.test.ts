/** `reprise up --watch`: code and mesh file change while the mesh runs. */
import { expect, test } from 'vitest';
import { Folder, type Up } from './processes.ts';

const agent = (word: string): string => `
import { assign, setup } from 'xstate';
import { loud } from './lib/loud.ts';
export const agent = setup({ types: { context: {} as { said: string[] }, events: {} as { type: 'say' } } }).createMachine({
  id: 'agent', version: '1', context: { said: [] },
  on: { say: { actions: assign({ said: ({ context }) => [...context.said, loud('${word}')] }) } },
});
`;
const loud = (mark: string): string => `export const loud = (text: string): string => text + '${mark}';\n`;
const STILL = `
import { setup } from 'xstate';
export const still = setup({}).createMachine({ id: 'still', version: '1', on: { say: {} } });
`;
const MESH = 'mesh: watched\nactors:\n  agent: { module: ./agent.ts }\n  still: { module: ./still.ts }\n';
const files = { 'agent.ts': agent('hello'), 'lib/loud.ts': loud('!'), 'still.ts': STILL, 'mesh.yaml': MESH };

/** The next note that says this. */
const noted = (up: Up, text: RegExp) => {
  const from = up.lines.length;
  return up.until((line) => line['type'] === 'mesh.note' && text.test(String(line['text'])), from);
};
/** Says something, and resolves with the last thing said: a mesh that runs answers from the code that it has. */
async function say(folder: Folder): Promise<string | undefined> {
  expect((await folder.call('send', 'agent', 'say')).code).toBe(0);
  const { events } = await folder.json<{ events: { seq: number }[] }>('events', 'agent', '--last', '1', '--json');
  const { stdout } = await folder.run('state', 'agent', '--at', String(events[0]?.seq), '--json');
  return (JSON.parse(stdout) as { context: { said: string[] } }).context.said.at(-1);
}

test('a changed module, or one that it imports, is taken up by its actors from their logs, and by no others', async () => {
  await using folder = new Folder(files);
  const up = await folder.up('--watch');
  expect(await say(folder)).toBe('hello!');

  const parked = up.until((line) => line['type'] === 'actor.misfit', up.lines.length);
  let note = noted(up, /new code of agent: 1 actor parked$/);
  folder.write('agent.ts', agent('good day'));
  await note;
  // What was said before would be said otherwise.
  expect(await parked).toMatchObject({ actor: 'agent', divergence: { seq: 2 } });

  note = noted(up, /new code of agent: 1 actor taken up from the log$/);
  folder.write('agent.ts', `${agent('hello')}// undone\n`);
  await note;
  expect(await say(folder)).toBe('hello!');

  note = noted(up, /new code of agent/);
  folder.write('lib/loud.ts', `${loud('!')}export const unused = 1;\n`);
  await note;
  expect(await say(folder)).toBe('hello!');

  const notes = up.lines.filter((line) => line['type'] === 'mesh.note').map((line) => String(line['text']));
  expect(notes.filter((text) => text.includes('still'))).toEqual([]);
});

test('what does not load is said, and the actor goes on in the code that it had', async () => {
  await using folder = new Folder(files);
  const up = await folder.up('--watch');
  const note = noted(up, /agent\.ts:1:23 cannot be loaded[\s\S]*agent goes on in the code that it had/);
  folder.write('agent.ts', 'export const agent = {;\n');
  await note;
  expect((await folder.call('send', 'agent', 'say')).code).toBe(0);
  expect(await up.kill('SIGTERM')).toBe(0);
});

test('a changed mesh file starts the mesh again; a wrong one does not', async () => {
  await using folder = new Folder(files);
  const up = await folder.up('--watch');
  await folder.call('send', 'agent', 'say');
  const note = noted(up, /mesh\.yaml:5:10 actors\.third.*needs "module"[\s\S]*goes on as it was/);
  folder.write('mesh.yaml', `${MESH}  third: {}\n`);
  await note;
  const gone = noted(up, /actors\.third\.module: there is no file \.\/gone\.ts[\s\S]*goes on as it was/);
  folder.write('mesh.yaml', `${MESH}  third: { module: ./gone.ts }\n`);
  await gone;
  const unclosed = noted(up, /mesh\.yaml:6:1[\s\S]*goes on as it was/);
  folder.write('mesh.yaml', `${MESH}  third: { module: ./still.ts\n`);
  await unclosed;
  // Right as it stands, and wrong all the same.
  const noStore = noted(up, /still\.ts[\s\S]*goes on as it was/);
  const again = up.lines.length;
  folder.write('mesh.yaml', `store: sqlite:./still.ts\n${MESH}`);
  await noStore;
  expect(await up.until((line) => line['type'] === 'mesh.ready', again)).toMatchObject({ actors: 2 });
  const from = up.lines.length;
  folder.write('mesh.yaml', `${MESH}  third: { module: ./still.ts }\n`);
  expect(await up.until((line) => line['type'] === 'mesh.ready', from)).toMatchObject({ actors: 3 });
  expect((await folder.call('send', 'third', 'say')).code).toBe(0);
  const { stdout } = await folder.run('state', 'agent', '--json');
  expect(JSON.parse(stdout)).toMatchObject({ context: { said: ['hello!'] } });
  expect(await up.kill('SIGTERM')).toBe(0);
});

test('one by key that an edit parked goes on when the edit is undone', async () => {
  await using folder = new Folder({
    ...files,
    'mesh.yaml': MESH.replace('{ module: ./agent.ts }', '{ kind: keyed, module: ./agent.ts }'),
  });
  const up = await folder.up('--watch');
  expect((await folder.call('send', 'agent/a', 'say')).code).toBe(0);
  let note = noted(up, /new code of agent: 1 actor parked$/);
  folder.write('agent.ts', agent('good day'));
  await note;
  note = noted(up, /new code of agent: 1 actor taken up from the log$/);
  folder.write('agent.ts', agent('hello'));
  await note;
  expect((await folder.call('send', 'agent/a', 'say')).code).toBe(0);
});
