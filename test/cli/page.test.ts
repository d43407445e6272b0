/** The worked example of docs/cli.md, "When an agent was edited", is performed on the agent of the README. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { Invocation } from '../../cli/invocation.ts';
import type { Misfit } from '../../cli/misfit.ts';
import { misfitLines } from '../../cli/render/misfit.ts';
import { captured, Folder } from './processes.ts';

const PAGE = readFileSync('docs/cli.md', 'utf8');
const README = readFileSync('README.md', 'utf8');

/** The text of the first fence that begins so. */
function fence(page: string, begin: string): string {
  const from = page.indexOf(`\`\`\`${begin}`);
  if (from < 0) throw new Error(`no fence begins with ${begin}`);
  return page.slice(page.indexOf('\n', from) + 1, page.indexOf('\n```', from) + 1);
}
const reminder = fence(README, 'ts reminder.ts');

test('an edited delay says nothing; a renamed state is parked, and goes on after what the page types', async () => {
  await using folder = new Folder({ 'mesh.yaml': fence(README, 'yaml mesh.yaml'), 'reminder.ts': reminder });
  const first = await folder.up();
  await folder.json('send', 'reminder/tea', '{"type":"remind","text":"The tea is ready"}', '--json');
  await first.kill('SIGKILL');

  expect(reminder).toContain('soon: 10_000');
  const later = reminder.replace('soon: 10_000', 'soon: 600_000');
  folder.write('reminder.ts', later);
  const second = await folder.up();
  expect(await folder.json('ask', 'reminder/tea', 'status')).toEqual({ type: 'status', text: 'The tea is ready' });
  expect(second.lines.map((line) => line['type'])).not.toContain('actor.parked');
  await second.kill('SIGKILL');

  folder.write('reminder.ts', later.replaceAll('waiting', 'pending'));
  folder.write('reminder.old.ts', reminder);
  folder.write('rename.ts', fence(PAGE, 'ts\n// rename.ts'));
  const third = await folder.up();
  const misfit = (await third.until((line) => line['type'] === 'actor.misfit')) as unknown as Misfit;
  const lines = misfitLines([misfit], captured({ NO_COLOR: '1' }).io, new Invocation({ npm_command: 'exec' }), undefined);
  expect(`$ npx reprise up\n${lines.join('\n')}\n`.replace(/hash [0-9a-f]+/, 'hash …')).toBe(fence(PAGE, '\n$ npx reprise up\n'));

  const commands = fence(PAGE, '\n$ git show');
  const [, typed = ''] = /\$ npx reprise (migrate .*)/.exec(commands) ?? [];
  const migrated = await folder.run(...typed.split(' '));
  expect([migrated.code, commands]).toEqual([0, expect.stringContaining(`${typed}\n${migrated.stdout}$`)]);
  expect((await folder.run('state', 'reminder/tea')).stdout).toMatch(
    /^reminder\/tea after record \d+\nstate {5}(?:pending|due)\n/,
  );
});
