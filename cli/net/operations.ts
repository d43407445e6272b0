/** What the CLI may ask of a node that runs. Parameters are checked here: whoever connects is this user, but not always this version. */
import { MeshError } from '../../core/errors.ts';
import { ROLES, type Role } from '../../transport/overlay/trust/roles.ts';
import type { Operation } from '../control/server.ts';
import { checkChannel } from './inbox.ts';
import { peerRow, viaOf } from './status.ts';
import type { RunningNode } from './running-node.ts';

type Params = Readonly<Record<string, unknown>>;

export const netOperations = (node: RunningNode): Readonly<Record<string, Operation>> => ({
  hello: () => ({ pid: process.pid }),
  status: () => node.status(),
  ping: async (p) => {
    const { path, ...pong } = await node.overlay.ping(text(p, 'peer'));
    return { ...pong, via: viaOf(path, node.names()) };
  },
  trace: async (p) => {
    const peer = await node.overlay.connect(text(p, 'peer'));
    const current = node.overlay.status().peers.find(({ publicKey }) => publicKey === peer.publicKey) ?? peer;
    return peerRow(current, node.names());
  },
  send: async (p) => {
    const channel = checkChannel(text(p, 'channel'));
    const peer = await node.overlay.connect(text(p, 'peer'));
    const bytes = Buffer.from(String(p['base64'] ?? ''), 'base64');
    await node.overlay.send(peer.publicKey, channel, bytes);
    return {
      to: { name: node.names()(peer.publicKey), key: peer.publicKey, address: peer.address },
      channel,
      bytes: bytes.length,
    };
  },
  listen: async (p, { item, signal }) => {
    for await (const message of node.inbox.listen(text(p, 'channel'), signal)) await item(message);
  },
  invite: (p) => node.invite({ roles: roles(p), endpoints: texts(p, 'endpoints') }),
  add: (p) => node.add(p['peer'], p['isRelay'] === true),
  revoke: (p) => node.revoke(text(p, 'peer')),
});

// ---- parameters --------------------------------------------------------------------------------------------------------

function text(params: Params, name: string): string {
  const value = params[name];
  if (typeof value === 'string' && value !== '') return value;
  throw new MeshError('USAGE', `the request needs '${name}'`);
}
function texts(params: Params, name: string): readonly string[] {
  const value = params[name] ?? [];
  if (Array.isArray(value) && value.every((each) => typeof each === 'string')) return value;
  throw new MeshError('USAGE', `'${name}' of the request is no list of texts`);
}
function roles(params: Params): readonly Role[] {
  const given = texts(params, 'roles');
  return ROLES.filter((role) => given.includes(role));
}
