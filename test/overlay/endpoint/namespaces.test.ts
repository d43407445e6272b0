/** What only a network can show: how far a TTL goes, and what a system says without a route or with a firewall. Namespaces of its own. */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, test, type TestContext } from 'vitest';

const CHILD = fileURLToPath(new URL('child.ts', import.meta.url));
const NAMES = ['a', 'r', 'b'].map((end) => `rpe${process.pid}${end}`) as [string, string, string];
const [A, R, B] = NAMES;

const run = (command: string, ...args: string[]): string => execFileSync(command, args, { encoding: 'utf8', stdio: 'pipe' });
const ip = (line: string): string => run('ip', ...line.split(' '));
const inside = (name: string, line: string): string => ip(`netns exec ${name} ${line}`);

/** Skips, with the reason, where this machine does not let us make them. */
function makeNamespaces(skip: TestContext['skip'], names: readonly string[]): void {
  try {
    for (const name of names) {
      ip(`netns add ${name}`);
      inside(name, 'ip link set lo up');
    }
  } catch (error) {
    skip(`no network namespaces here: ${(error as Error).message}`);
  }
}

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  for (const name of NAMES) {
    try {
      ip(`netns delete ${name}`);
    } catch {
      // It was not made.
    }
  }
});

function startChild(name: string, ...args: string[]): ChildProcess {
  const command = ['netns', 'exec', name, process.execPath, '--conditions=reprise-source', CHILD, ...args];
  const child = spawn('ip', command, { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  child.stdout.setEncoding('utf8');
  return child;
}

/** The next line that it writes. */
const lineOf = async (child: ChildProcess): Promise<unknown> => JSON.parse(((await once(child.stdout!, 'data')) as [string])[0]);

/** a -- r -- b: a packet from a to b needs a TTL of 2. */
function joinByRouter(): void {
  for (const [end, net] of [
    [A, 1],
    [B, 2],
  ] as const) {
    ip(`link add wan netns ${end} type veth peer name down${net} netns ${R}`);
    for (const [at, link, host] of [
      [end, 'wan', 2],
      [R, `down${net}`, 1],
    ] as const) {
      inside(at, `ip addr add 10.66.${net}.${host}/24 dev ${link}`);
      inside(at, `ip addr add fd66:${net}::${host}/64 dev ${link} nodad`);
      inside(at, `ip link set ${link} up`);
    }
    inside(end, `ip route add default via 10.66.${net}.1`);
    inside(end, `ip -6 route add default via fd66:${net}::1`);
  }
  inside(R, 'sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1');
}

test('a TTL is that of one datagram, within one tick: behind a router its neighbours arrive', async ({ skip }) => {
  makeNamespaces(skip, NAMES);
  joinByRouter();
  const receiver = startChild(B, 'receive', '4300');
  expect(await lineOf(receiver)).toBe('ready');
  startChild(A, 'send', '4300', '10.66.2.2', 'fd66:2::2');
  const { texts } = (await lineOf(receiver)) as { texts: string[] };
  for (const family of ['4', '6'])
    expect(texts.filter((text) => text.endsWith(family))).toEqual([`usual ${family}`, `two ${family}`, `end ${family}`]);
});

test('A24: no route and a firewall end nothing', async ({ skip }) => {
  makeNamespaces(skip, [A]);
  const hosts = ['203.0.113.9'];
  const expected = [['udp:0/203.0.113.9:4000', 'unreachable', 'ENETUNREACH']];
  try {
    inside(A, 'nft add table ip t');
    inside(A, 'nft add chain ip t out { type filter hook output priority 0; }');
    inside(A, 'nft add rule ip t out ip daddr 127.9.9.9 drop');
    hosts.push('127.9.9.9');
    expected.push(['udp:0/127.9.9.9:4000', 'unreachable', 'EPERM']);
  } catch (error) {
    console.warn(`without the firewall, as nft does not work here: ${(error as Error).message}`);
  }
  const told = await lineOf(startChild(A, 'faults', ...hosts));
  expect(told).toEqual({ faults: expected, texts: ['still here'] });
});
