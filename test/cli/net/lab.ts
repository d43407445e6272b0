/** Network folders in a temporary one, the CLI in this process and in others. */
import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { chmodSync, cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { main } from '../../../cli/dispatch.ts';
import { NetFolder } from '../../../cli/net/folder.ts';
import { captured, type Ended, Up } from '../processes.ts';

const MAIN = resolve(import.meta.dirname, '../../../cli/main.ts');

export interface NetError {
  readonly code: string;
  readonly message: string;
  readonly cure?: string;
  readonly data?: Readonly<Record<string, unknown>>;
}

/** A network folder that `init home --name hub` has made, once: keys take their time. */
let template: Promise<string> | undefined;
const templates = new Set<string>();
process.on('exit', () => {
  for (const path of templates) rmSync(path, { recursive: true, force: true });
});

async function makeTemplate(): Promise<string> {
  const lab = new NetLab();
  templates.add(lab.path);
  await lab.json('home', 'init', 'home', '--name', 'hub', '--listen', '127.0.0.1:0');
  return lab.dir('home');
}

async function freePort(): Promise<number> {
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const { port } = socket.address();
  socket.close();
  return port;
}

export class NetLab implements AsyncDisposable {
  readonly path = mkdtempSync(join(tmpdir(), 'reprise-net-'));
  private readonly running: Up[] = [];

  dir(name: string): string {
    return join(this.path, name);
  }

  /** The network `home` in this folder, whose node is `hub`: the same keys in all tests of a file, and a port that is free. */
  async home(name: string): Promise<void> {
    cpSync(await (template ??= makeTemplate()), this.dir(name), { recursive: true });
    chmodSync(this.dir(name), 0o700);
    const folder = new NetFolder(this.dir(name));
    await folder.saveConfig({ ...(await folder.config()), listen: [`127.0.0.1:${await freePort()}`] });
  }

  /** `reprise net …` in this process, for the node in this folder. */
  async net(name: string, ...args: readonly string[]): Promise<Ended> {
    const { io, text } = captured({});
    const code = await main(['net', ...args, '--dir', this.dir(name)], io);
    return { code, ...text };
  }
  /** The same with `--json`, which must succeed. */
  async json<T>(name: string, ...args: readonly string[]): Promise<T> {
    const { code, stdout, stderr } = await this.net(name, ...args, '--json');
    if (code !== 0) throw new Error(`reprise net ${args.join(' ')} ended with ${code}: ${stderr}`);
    return JSON.parse(stdout) as T;
  }
  /** The same, which must fail: its exit code and its error. */
  async fails(name: string, ...args: readonly string[]): Promise<NetError & { readonly exit: number | null }> {
    const { code, stdout, stderr } = await this.net(name, ...args, '--json');
    if (code === 0 || stdout !== '') throw new Error(`reprise net ${args.join(' ')} ended with ${code}: ${stdout}`);
    return { exit: code, ...(JSON.parse(stderr) as { readonly error: NetError }).error };
  }

  /** `reprise net up`, until it says that it is ready. */
  async up(name: string, ...args: readonly string[]): Promise<Up> {
    const up = this.follow(['up', ...args], name);
    await up.until(({ type }) => type === 'net.ready');
    return up;
  }
  /** A verb that goes on, whose lines are JSON. */
  follow([verb = '', ...args]: readonly string[], name: string): Up {
    const child = spawn(
      process.execPath,
      ['--conditions=reprise-source', MAIN, 'net', verb, '--dir', this.dir(name), '--json', ...args],
      { cwd: this.path, env: { ...process.env, NO_COLOR: '1' }, stdio: ['pipe', 'pipe', 'pipe'] },
    );
    const up = new Up(child);
    this.running.push(up);
    return up;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const up of this.running) await up.kill('SIGKILL');
    rmSync(this.path, { recursive: true, force: true });
  }
}
