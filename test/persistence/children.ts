/** Processes that use a store, and what they said before they were killed. */
import { type ChildProcess, spawn, spawnSync, type SpawnOptions } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { eventually } from '../servers.ts';

const SCRIPT = fileURLToPath(new URL('child.ts', import.meta.url));
const ARGS = ['--conditions=reprise-source', SCRIPT];

export interface Said {
  readonly owns?: number;
  readonly actor?: string;
  readonly head?: number;
  readonly saved?: number;
  readonly blob?: string;
  readonly backing?: true;
  readonly backed?: true;
  readonly grown?: number;
  readonly floor?: number;
  readonly imported?: number;
  readonly code?: string;
}
export interface Child {
  readonly pid: number;
  /** Whole lines so far. */
  said(): readonly Said[];
  until(what: string, check: (said: readonly Said[]) => boolean): Promise<void>;
  signal(signal: NodeJS.Signals): void;
  /** SIGKILL; resolves when it is gone and all that it said was read. */
  kill(): Promise<readonly Said[]>;
}

export function start(...args: string[]): Child {
  const child: ChildProcess = spawn(process.execPath, [...ARGS, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let out = '';
  let err = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (out += text));
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (err += text));
  const closed = once(child, 'close');
  const said = (): Said[] =>
    out
      .slice(0, out.lastIndexOf('\n') + 1)
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Said);
  return {
    pid: child.pid ?? 0,
    said,
    until: async (what, check) => {
      await eventually(what, () => {
        if (child.exitCode !== null) throw new RangeError(`the child ended before ${what}: ${err}`);
        return check(said());
      });
    },
    signal: (signal) => child.kill(signal),
    kill: async () => {
      child.kill('SIGKILL');
      await closed;
      return said();
    },
  };
}

/** Fills a store in a process whose files may have so many KiB, and tells how that ended. */
export function growUnder(kib: number, path: string): { readonly head: number; readonly code: string; readonly message: string } {
  const command = [process.execPath, ...ARGS, 'grow', path];
  const { stdout } = spawnSync('bash', ['-c', `ulimit -f ${kib}; exec "$0" "$@"`, ...command], { encoding: 'utf8' });
  return JSON.parse(stdout) as ReturnType<typeof growUnder>;
}

/** Opens a store in a process of another user, or of this one, and tells what came of it. */
export function tryOpen(
  path: string,
  readOnly: boolean,
  as: SpawnOptions = {},
): { code?: string; message?: string; heads?: object } {
  const { stdout, stderr } = spawnSync(process.execPath, [...ARGS, 'open', path, readOnly ? 'ro' : 'rw'], {
    encoding: 'utf8',
    ...as,
    stdio: 'pipe',
  });
  if (stderr.includes('SQLite is an experimental feature')) throw new RangeError(`people are bothered with: ${stderr}`);
  if (stdout === '') throw new RangeError(`the child said nothing: ${stderr}`);
  return JSON.parse(stdout) as { code?: string; message?: string; heads?: object };
}
