/**
 * Real servers for tests: each on a loopback port of its own with a folder of its own, ended by pid. One that is not installed is said
 * out loud; with CI=true it is a failure.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';

const BEGIN_MS = 15_000;

/** The path of an installed server, or undefined; throws in CI. `debian`: the package that brings it. */
export function installed(command: string, debian: string = command): string | undefined {
  const found = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin']
    .map((dir) => join(dir, command))
    .find((path) => existsSync(path));
  if (found !== undefined) return found;
  const message = `${command} is not installed (apt-get install ${debian})`;
  if (process.env['CI'] === 'true') throw new Error(`${message}: its tests must run in CI`);
  console.warn(`SKIPPED: ${message}; its tests do not run`);
  return undefined;
}

export async function eventually(
  what: string,
  check: () => boolean | Promise<boolean>,
  limitMs: number = BEGIN_MS,
): Promise<void> {
  for (const until = Date.now() + limitMs; !(await check());) {
    if (Date.now() > until) throw new Error(`${what} did not happen within ${limitMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

const ended = (child: ChildProcess): boolean => child.exitCode !== null || child.signalCode !== null;

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (ended(child)) return;
  const exit = new Promise((resolve) => child.once('exit', resolve));
  child.kill(signal);
  await exit;
}

export interface NatsServer extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  pid(): number;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** On the same port, with the same folder. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/** Needs `installed('nats-server')`. `args` as on its command line. */
export async function startNats(options: { readonly args?: readonly string[] } = {}): Promise<NatsServer> {
  const command = installed('nats-server');
  if (command === undefined) throw new Error('nats-server is not installed');
  const dir = mkdtempSync(join(tmpdir(), 'reprise-nats-'));
  let child!: ChildProcess;
  let port = -1;

  const begin = async (): Promise<void> => {
    let said = '';
    child = spawn(
      command,
      ['-a', '127.0.0.1', '-p', String(port), '-sd', join(dir, 'store'), '--ports_file_dir', dir, ...(options.args ?? [])],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );
    child.stderr?.on('data', (bytes: Buffer) => {
      said = (said + bytes.toString()).slice(-10_000);
    });
    const file = (): string | undefined => readdirSync(dir).find((name) => name.endsWith(`_${child.pid}.ports`));
    await eventually('a listening nats-server', () => {
      if (ended(child)) throw new Error(`nats-server ended at once: ${said}`);
      return file() !== undefined && said.includes('Server is ready');
    });
    const ports = JSON.parse(readFileSync(join(dir, file() as string), 'utf8')) as { nats: string[] };
    port = Number(new URL(ports.nats[0] as string).port);
  };

  const stop = async (): Promise<void> => {
    await end(child, 'SIGTERM');
    rmSync(dir, { recursive: true, force: true });
  };
  await begin();
  return {
    url: `nats://127.0.0.1:${port}`,
    port,
    pid: () => child.pid as number,
    kill: () => end(child, 'SIGKILL'),
    restart: async () => {
      await end(child, 'SIGKILL');
      await begin();
    },
    stop,
    [Symbol.asyncDispose]: stop,
  };
}
