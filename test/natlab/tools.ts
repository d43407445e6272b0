/**
 * What the NAT lab needs of the machine: namespaces (as root, or by a user namespace), and the commands of a few Debian packages.
 * What is missing is said out loud, and the tests of the lab are skipped; with CI=true it is a failure.
 */
import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { installed } from '../servers.ts';

const TUN = '/dev/net/tun';

export interface Tools {
  /** Paths of commands. */
  readonly ip: string;
  readonly nft: string;
  readonly conntrack: string;
  readonly python: string;
  /** Without root the namespaces lie within a user namespace. */
  readonly isRoot: boolean;
  /** Whether packets can be delayed: Node cannot open a TUN device, Python can. */
  readonly hasTun: boolean;
}

let found: Tools | undefined | 'not looked for' = 'not looked for';

/** Undefined: something is missing, and it was said. Throws in CI. */
export function labTools(): Tools | undefined {
  if (found === 'not looked for') found = find();
  return found;
}

function find(): Tools | undefined {
  const isRoot = can('unshare', '--net', 'true');
  if (!isRoot && !can('unshare', '--user', '--map-root-user', '--net', 'true')) {
    return missing('network namespaces cannot be made: neither as this user nor by a user namespace');
  }
  const ip = installed('ip', 'iproute2');
  const nft = installed('nft', 'nftables');
  const conntrack = installed('conntrack');
  const python = installed('python3', 'python3-minimal');
  if (ip === undefined || nft === undefined || conntrack === undefined || python === undefined) return undefined;
  const hasTun = isWritable(TUN);
  if (!hasTun) missing(`${TUN} cannot be opened, so no packet can be delayed`);
  return { ip, nft, conntrack, python, isRoot, hasTun };
}

const can = (command: string, ...args: string[]): boolean => spawnSync(command, args, { stdio: 'ignore' }).status === 0;

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

function missing(what: string): undefined {
  if (process.env['CI'] === 'true') throw new Error(`${what}: the tests of the NAT lab must run in CI`);
  console.warn(`SKIPPED: ${what}; the tests of the NAT lab that need it do not run`);
}
