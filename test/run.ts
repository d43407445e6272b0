/**
 * `npm test`: static checks, then the tests, then one plain line `N passed, N failed, N skipped`.
 * Installs the servers and network tools that the tests need from Debian's packages when they are missing and it may; else the suites say
 * what is missing.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { type Count, verdictOf } from './verdict.ts';

const total: Count = { passed: 0, failed: 0, skipped: 0 };
const failures: string[] = [];

function run(command: string, args: readonly string[]): number {
  return spawnSync(command, args, { stdio: 'inherit' }).status ?? 1;
}

function onPath(command: string): boolean {
  return [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin'].some((dir) =>
    existsSync(join(dir, command)),
  );
}

/** Debian package by the command that it brings. */
const SERVERS: Readonly<Record<string, string>> = {
  'nats-server': 'nats-server',
  // The NAT lab.
  ip: 'iproute2',
  nft: 'nftables',
  conntrack: 'conntrack',
  python3: 'python3-minimal',
};

function installServers(): void {
  const missing = Object.entries(SERVERS)
    .filter(([command]) => !onPath(command))
    .map(([, debian]) => debian);
  if (missing.length === 0) return;
  const root = process.getuid?.() === 0;
  const apt = onPath('apt-get') && (root || spawnSync('sudo', ['-n', 'true']).status === 0);
  if (!apt) {
    console.log(`missing: ${missing.join(', ')} (their tests are ${process.env['CI'] === 'true' ? 'failures' : 'skipped'})`);
    return;
  }
  const sudo = root ? [] : ['sudo', '-n'];
  console.log(`installing ${missing.join(', ')} from Debian's packages`);
  for (const args of [
    ['apt-get', 'update', '-qq'],
    ['apt-get', 'install', '-y', '-qq', '--no-install-recommends', ...missing],
  ]) {
    const [command, ...rest] = [...sudo, ...args] as [string, ...string[]];
    spawnSync(command, rest, {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    });
  }
}

/** A static check counts as one test. */
function check(name: string, command: string, ...args: string[]): void {
  console.log(`\n# ${name}`);
  if (run(command, args) === 0) total.passed++;
  else {
    total.failed++;
    failures.push(name);
  }
}

function vitest(): void {
  const dir = mkdtempSync(join(tmpdir(), 'reprise-test-'));
  const file = join(dir, 'result.json');
  console.log('\n# tests');
  const status = run('vitest', ['run', '--reporter=default', '--reporter=json', `--outputFile.json=${file}`]);
  const { failures: failed, ...count } = verdictOf(file, status);
  total.passed += count.passed;
  total.failed += count.failed;
  total.skipped += count.skipped;
  failures.push(...failed);
  rmSync(dir, { recursive: true, force: true });
}

installServers();
check('types', 'tsc', '--noEmit', '-p', '.');
check('lint', 'oxlint', '--type-aware', '--deny-warnings');
check('format', 'oxfmt', '--check');
check('unused code', 'node', 'scripts/knip.ts');
vitest();

for (const name of failures) console.log(`failed: ${name}`);
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exitCode = total.failed === 0 ? 0 : 1;
