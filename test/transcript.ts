/** Pages whose fences are run: their transcripts are typed, and what they print is compared (`…` stands for anything). */
import { type ChildProcess, spawn } from 'node:child_process';
import { stripVTControlCharacters } from 'node:util';

export interface Fence {
  readonly language: string;
  /** The word behind the language. */
  readonly file: string | undefined;
  readonly text: string;
}

/** A line that is typed, and what is printed then. */
export interface Typed {
  readonly command: string;
  readonly output: string;
}

export const fencesOf = (page: string): readonly Fence[] =>
  [...page.matchAll(/^```(\w*) ?(\S*)\n([\s\S]*?)^```$/gm)].map(([, language = '', file = '', text = '']) => ({
    language,
    file: file === '' ? undefined : file,
    text,
  }));

/** Of the fences `console`, in their order: a command stands behind `$ `. */
export const transcriptOf = (page: string): readonly Typed[] =>
  fencesOf(page)
    .filter(({ language }) => language === 'console')
    .flatMap(({ text }) => text.split(/^\$ /m).slice(1))
    .map((part) => {
      const [command = '', ...output] = part.split('\n');
      return { command, output: output.join('\n').trimEnd() };
    });

/** `…` stands for anything within a line, as a line of its own for the rest or for what lies between; the number of a process for any. */
export function patternOf(expected: string): RegExp {
  const lines = expected
    .replaceAll(/^pid \d+/gm, 'pid …')
    .split('\n')
    .map((line) =>
      line === '…'
        ? '[\\s\\S]*'
        : line
            .split('…')
            .map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'))
            .join('.*'),
    );
  return new RegExp(`^${lines.join('\\n')}$`);
}

/** As it is compared: columns of tables move with what is in them. */
export const shown = (text: string): string => text.replaceAll(/[ \t]+$/gm, '').trimEnd();

/** A command that goes on. It has a process group of its own. */
export interface Begun {
  readonly child: ChildProcess;
  /** Its first lines, up to those that are enough. Rejects where it ends before. */
  readonly said: Promise<string>;
}

/** As on a terminal: `script` gives it one. `enough`: how many of these lines are; undefined: more have to come. */
export function begun(
  command: string,
  { cwd, env }: { readonly cwd: string; readonly env: NodeJS.ProcessEnv },
  enough: (lines: readonly string[]) => number | undefined,
): Begun {
  const child = spawn('script', ['-qec', `stty cols 200; ${command}`, '/dev/null'], {
    cwd,
    env,
    stdio: ['pipe', 'pipe', 'inherit'],
    detached: true,
  });
  const said = new Promise<string>((resolve, reject) => {
    let text = '';
    child.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      const lines = stripVTControlCharacters(text).split(/\r?\n/).slice(0, -1);
      const count = enough(lines);
      if (count !== undefined) resolve(lines.slice(0, count).join('\n'));
    });
    child.once('exit', (code) => reject(new Error(`${command} ended with ${code}: ${text}`)));
  });
  return { child, said };
}

/** With all that it has started. */
export function killGroup({ pid }: ChildProcess): void {
  if (pid !== undefined) process.kill(-pid, 'SIGKILL');
}
