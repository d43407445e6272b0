/** Keys of a terminal, and how they end. */
import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { Keyboard } from '../../cli/keyboard.ts';

/** A terminal on which nobody has typed yet, and whether it is raw. */
function terminal() {
  const modes: boolean[] = [];
  const stdin = Object.assign(new PassThrough(), { setRawMode: (raw: boolean) => void modes.push(raw) });
  return { stdin, modes, keyboard: new Keyboard(stdin as unknown as NodeJS.ReadStream) };
}
async function all(keys: AsyncIterable<string>): Promise<string[]> {
  const names: string[] = [];
  for await (const name of keys) names.push(name);
  return names;
}

test.each([
  ['Ctrl-D', (stdin: PassThrough) => void stdin.write('\u0004')],
  ['the end of the input', (stdin: PassThrough) => void stdin.end()],
  ['a terminal that goes away', (stdin: PassThrough) => void stdin.destroy(new Error('read EIO'))],
])('%s ends them, after those that were pressed before', async (_, end) => {
  const { stdin, keyboard } = terminal();
  stdin.write('n5');
  const seen: string[] = [];
  for await (const name of keyboard.keys()) {
    seen.push(name);
    if (seen.length === 2) end(stdin);
  }
  expect(seen).toEqual(['n', '5']);
});

test('Ctrl-C is told although nobody waits for a key', async () => {
  const { stdin, keyboard } = terminal();
  stdin.write('\u0003');
  await expect(keyboard.interrupted).resolves.toBeUndefined();
});

test('keys have names, and no two that mean different things have the same', async () => {
  const { stdin, keyboard } = terminal();
  stdin.write('d\u000e\u001b[C\r\n\u007f?\u0004');
  expect(await all(keyboard.keys())).toEqual(['d', 'ctrl-n', 'right', 'return', 'return', 'backspace', '?']);
});

test('a lone Esc is a key', async () => {
  const { stdin, keyboard } = terminal();
  stdin.write('\u001b');
  expect((await keyboard.keys().next()).value).toBe('escape');
});

test('the terminal is raw until it is let go of', () => {
  const { keyboard, modes } = terminal();
  expect(modes).toEqual([true]);
  keyboard[Symbol.dispose]();
  expect(modes).toEqual([true, false]);
});
