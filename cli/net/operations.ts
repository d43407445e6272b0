/** What the CLI may ask of a node that runs. Parameters are checked here: whoever connects is this user, but not always this version. */
import { nearest } from '../../core/config/problems.ts';
import { isMeshError, MeshError } from '../../core/errors.ts';
import { ROLES, type Role } from '../../transport/overlay/trust/roles.ts';
import type { Operation } from '../control/server.ts';
import { checkChannel } from './inbox.ts';
import { revokedText } from './node-id.ts';
import { isName, viaOf } from './status.ts';
import { otherMembers } from './others.ts';
import { examined } from './examination.ts';
import { oneLine } from './render.ts';
import { trace } from './tracing.ts';
import type { RunningNode } from './running-node.ts';

/** ms in which the node of a peer has to say that it has a message, connecting included. */
const SEND_MS = 60_000;

type Params = Readonly<Record<string, unknown>>;

/** What a node that was revoked sees of all others, and all others of it. */
const SILENT: ReadonlySet<string> = new Set(['NET_PEER_UNREACHABLE', 'NET_PEER_REFUSED', 'NET_NAME_UNKNOWN']);

/** Errors of the overlay name keys; people know them by their names. Nor is silence what is to be told where it is known why. */
const named =
  (node: RunningNode, operation: Operation): Operation =>
  async (params, answering) => {
    try {
      return await operation(params, answering);
    } catch (error) {
      if (!isMeshError(error)) throw error;
      const peer = peerOf(params);
      const revoked = revokedText(node.status().node) ?? (peer === undefined ? undefined : node.revokedText(peer));
      if (revoked !== undefined && SILENT.has(error.code)) throw new MeshError('NET_KEY_REVOKED', revoked);
      const names = node.names();
      const said = error.message.replaceAll(/\b[0-9a-f]{64}\b/g, (key) => (isName(names(key)) ? names(key) : key));
      const near = error.code === 'NET_NAME_UNKNOWN' && peer !== undefined ? await nearestName(node, peer) : undefined;
      const message = near === undefined || said.includes('did you mean') ? said : `${said} (did you mean "${near}"?)`;
      const data = peer !== undefined ? { ...Object(error.data), peer } : error.data;
      throw new MeshError(error.code, message, { data, cause: error.cause });
    }
  };

/** Of those who are here, or whom a relay knows. Undefined: none is like it. */
async function nearestName(node: RunningNode, typed: string): Promise<string | undefined> {
  const { peers, relays } = node.status();
  const names = [...peers, ...relays, ...(await otherMembers(node.overlay))].map(({ name }) => name).filter(isName);
  const near = nearest(typed, [...new Set(names)]);
  return near === undefined ? undefined : oneLine(near);
}

/** Whom a request means, as it was typed: that of a session names it as NODE/NAME. */
function peerOf({ peer, target }: Params): string | undefined {
  if (typeof peer === 'string') return peer;
  const at = typeof target === 'string' ? target.lastIndexOf('/') : -1;
  return at < 0 ? undefined : String(target).slice(0, at);
}

/** `more`: those of other parts of the node. */
export function netOperations(node: RunningNode, more: Readonly<Record<string, Operation>>): Readonly<Record<string, Operation>> {
  const operations = { ...operationsOf(node), ...more };
  return Object.fromEntries(Object.entries(operations).map(([name, operation]) => [name, named(node, operation)]));
}

const operationsOf = (node: RunningNode): Readonly<Record<string, Operation>> => ({
  hello: () => ({ pid: process.pid }),
  status: () => node.status(),
  peers: async () => ({ ...node.status(), members: await otherMembers(node.overlay) }),
  ping: async (p) => {
    const { path, ...pong } = await node.overlay.ping(node.other(text(p, 'peer')));
    return { ...pong, via: viaOf(path, node.names()) };
  },
  trace: (p) => trace(node, node.other(text(p, 'peer'))),
  doctor: () => examined(node),
  send: async (p) => {
    const channel = checkChannel(text(p, 'channel'));
    const bytes = Buffer.from(String(p['base64'] ?? ''), 'base64');
    const { publicKey: key, address } = await node.overlay.connect(node.other(text(p, 'peer')));
    const name = node.names()(key);
    await inTime(node.overlay.send(key, channel, bytes), name);
    return { to: { name, key, address }, channel, bytes: bytes.length };
  },
  listen: async (p, { item, signal }) => {
    for await (const message of node.inbox.listen(text(p, 'channel'), signal)) await item(message);
  },
  invite: (p) => node.invite({ roles: roles(p), endpoints: texts(p, 'endpoints') }),
  cancel: () => node.cancelInvites(),
  add: (p) => node.add(p['peer'], p['isRelay'] === true),
  revoke: (p) => node.revoke(text(p, 'peer')),
});

async function inTime(sent: Promise<unknown>, name: string): Promise<void> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const text = `the node of ${name} has not said within ${SEND_MS / 1_000} s that it has the message: it may still come`;
  const timer = setTimeout(() => reject(new MeshError('NET_PEER_UNREACHABLE', text)), SEND_MS);
  try {
    await Promise.race([sent, late]);
  } finally {
    clearTimeout(timer);
  }
}

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
