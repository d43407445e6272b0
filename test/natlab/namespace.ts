/**
 * Network namespaces without names. Each is held by a process that waits at the end of a pipe of ours, so it is gone when this process is
 * gone, in whatever way: nothing is left to be cleaned up, and labs run side by side. The namespace in which the tests run is never
 * touched: links are made inside of namespaces.
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { LabProcess, type Line } from './lab-process.ts';
import type { Tools } from './tools.ts';

type Holder = ChildProcessByStdio<Writable, Readable, Readable>;

/** Brings up loopback, says so, and holds the namespace until its input ends. */
const hold = (ip: string): readonly string[] => ['sh', '-c', `${ip} link set lo up && echo held && exec cat`];

export class Namespace implements AsyncDisposable {
  /** For people: 'a', 'core'. */
  readonly name: string;
  readonly tools: Tools;
  private readonly holder: Holder;

  private constructor(name: string, tools: Tools, holder: Holder) {
    this.name = name;
    this.tools = tools;
    this.holder = holder;
  }

  /** `beside`: a namespace whose user namespace the new one shares; without root links go between such only. */
  static async open(name: string, tools: Tools, beside?: Namespace): Promise<Namespace> {
    const held = ['--net', '--', ...hold(tools.ip)];
    const [command, ...args] =
      tools.isRoot || beside === undefined
        ? ['unshare', ...(tools.isRoot ? [] : ['--user', '--map-root-user']), ...held]
        : ['nsenter', `--target=${beside.pid}`, '--user', '--preserve-credentials', '--', 'unshare', ...held];
    const holder = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    let said = '';
    holder.stderr.on('data', (bytes: Buffer) => (said += bytes.toString()));
    const [first] = (await Promise.race([once(holder.stdout, 'data'), once(holder, 'exit')])) as [unknown];
    if (!(first instanceof Buffer)) throw new Error(`the namespace ${name} could not be made: ${said}`);
    return new Namespace(name, tools, holder);
  }

  /** Names the namespace in `ip link … netns PID`. */
  get pid(): number {
    return this.holder.pid as number;
  }

  /** Runs a command to its end and gives what it wrote to stdout. Throws with its stderr when it fails. */
  async exec(command: string, args: readonly string[], input = ''): Promise<string> {
    const child = spawn(...this.inside(command, args), { stdio: ['pipe', 'pipe', 'pipe'] });
    let [out, error] = ['', ''];
    child.stdout.on('data', (bytes: Buffer) => (out += bytes.toString()));
    child.stderr.on('data', (bytes: Buffer) => (error += bytes.toString()));
    child.stdin.on('error', () => undefined); // ended without reading its input: its exit code says the rest
    child.stdin.end(input);
    const [code] = (await once(child, 'close')) as [number | null];
    if (code === 0) return out;
    throw new Error(`${this.name}: ${command} ${args.join(' ')} ended with ${code}: ${error}\n${input}`);
  }

  /** `ip`, a command a line. */
  async ip(...commands: readonly string[]): Promise<void> {
    await this.exec(this.tools.ip, ['-batch', '-'], commands.join('\n'));
  }

  /** Rules of nft: all of them or none. */
  async nft(rules: string): Promise<void> {
    await this.exec(this.tools.nft, ['-f', '-'], rules);
  }

  async sysctl(values: Readonly<Record<string, number>>): Promise<void> {
    const lines = Object.entries(values).map(([name, value]) => `echo ${value} > /proc/sys/${name.replaceAll('.', '/')}`);
    await this.exec('sh', ['-e'], lines.join('\n'));
  }

  /** A process that speaks lines of JSON. It is killed when this process ends. */
  run<L extends Line>(command: string, args: readonly string[]): LabProcess<L> {
    return new LabProcess<L>(`${this.name}: ${command} ${args.join(' ')}`, ...this.inside(command, args));
  }

  /** What runs a command here, for those who start their processes themselves. It is killed when this process ends. */
  inside(command: string, args: readonly string[]): [command: string, args: string[]] {
    const user = this.tools.isRoot ? [] : ['--user', '--preserve-credentials'];
    // After nsenter, which may change its credentials: that would undo it.
    const mortal = ['setpriv', '--pdeathsig=KILL', '--', command, ...args];
    return ['nsenter', [`--target=${this.pid}`, ...user, '--net', '--', ...mortal]];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.holder.exitCode !== null || this.holder.signalCode !== null) return;
    const exit = once(this.holder, 'exit');
    this.holder.stdin.end();
    await exit;
  }
}
