/** Why a node is connected as it is, in words, with what to do. Looks at what is known, and changes nothing. */
import type { Finding } from '../doctor.ts';
import { dialFaultText } from './dial-fault.ts';
import { elsewhereText } from './endpoints.ts';
import { spanText, timeText } from '../render/text.ts';
import type { GoneRow } from './met.ts';
import { type NodeId, REVOKED_CURE, revokedText } from './node-id.ts';
import { GOODBYE, oneLine, pathText, rttText } from './render.ts';
import type { NetStatus, PeerRow, RelayRow } from './status.ts';
import { natText, punchingText } from './traversal-words.ts';

const ok = (name: string, message: string): Finding => ({ name, status: 'ok', message });
const warning = (name: string, message: string): Finding => ({ name, status: 'warning', message });
const failed = (name: string, message: string): Finding => ({ name, status: 'failed', message });
const skipped = (name: string, message: string): Finding => ({ name, status: 'skipped', message });

/** Nothing else counts for who is shut out: it stands before all others. None: as far as is known here this node is a member. */
export function memberFindings(node: NodeId): readonly Finding[] {
  const text = revokedText(node);
  return text === undefined ? [] : [failed('member', `NET_KEY_REVOKED: ${text}. ${REVOKED_CURE}`)];
}

/** Of the files alone. `renewalFailed`: of the last try of a node that runs. */
export function certificateFinding(
  { network, certificate, isAuthority }: NodeId,
  wallClockMs: number,
  renewalFailed?: string,
): Finding {
  const name = 'certificate';
  if (network.kind === 'pinned') return skipped(name, 'the members of this network are pinned by their keys');
  if (certificate === undefined)
    return failed(name, 'there is none, or it cannot be read: ask for an invite, and join again in this folder');
  const { notBefore, notAfter, renewAt } = certificate;
  const now = timeText(wallClockMs);
  if (wallClockMs < notBefore)
    return failed(
      name,
      `it is valid from ${timeText(notBefore)} on, and this machine believes that it is ${now}: set the clock of this machine`,
    );
  const why = renewalFailed === undefined ? '' : `; the last try failed: ${renewalFailed}`;
  if (wallClockMs >= notAfter) {
    const cure = isAuthority
      ? '`reprise net up` makes a new one'
      : 'the node asks an authority for a new one by itself, for 30 days after this: the node that made the network has to run, and be reached';
    return failed(
      name,
      `it expired ${spanText(wallClockMs - notAfter)} ago, or the clock of this machine (${now}) is wrong; ${cure}${why}`,
    );
  }
  const left = `valid for ${spanText(notAfter - wallClockMs)}`;
  if (renewalFailed !== undefined || wallClockMs > renewAt + (notAfter - renewAt) / 2)
    return warning(
      name,
      `${left}, and should have been renewed ${spanText(wallClockMs - renewAt)} ago: see that the node that made the network runs, and is reached${why}`,
    );
  return ok(name, `${left}, renewed by itself in ${spanText(Math.max(0, renewAt - wallClockMs))}`);
}

/** Of a node that runs, but for `memberFindings`. */
export function diagnose(status: NetStatus, wallClockMs: number): readonly Finding[] {
  const { node, renewalFailed, relays, peers, gone, expelledBy } = status;
  const isNoRelay = ({ key }: { readonly key: string }): boolean => !relays.some((relay) => relay.key === key);
  const runs = ok(
    'process',
    `${status.pid} runs ${node.name ?? 'it'} (${node.address}) of ${node.network.name}, for ${spanText(wallClockMs - status.startedAt)}`,
  );
  // All are silent to it, and nothing else is the matter.
  if (node.isRevoked) return [runs];
  return [
    runs,
    certificateFinding(node, wallClockMs, renewalFailed),
    udpFinding(status),
    natFinding(status),
    relayRoleFinding(status),
    ...endpointFindings(status),
    ...relays.map(relayFinding),
    ...expelledBy.filter(isNoRelay).map(expelledFinding),
    ...peers.filter(isNoRelay).map((peer) => peerFinding(peer, status)),
    ...gone.map(goneFinding),
  ];
}

function udpFinding({ relays, peers, endpoints, isRelay }: NetStatus): Finding {
  const name = 'udp';
  const at = endpoints.join(', ');
  const silent = new Set(relays.filter(({ kind }) => kind === undefined).map(({ key }) => key));
  const direct = [...relays, ...peers].find(({ key, kind }) => kind === 'direct' && !silent.has(key));
  if (direct !== undefined) return ok(name, `it gets out and back: ${direct.name} answers; this node takes it at ${at}`);
  const tcp = relays.find(({ kind }) => kind === 'tcp');
  if (tcp !== undefined)
    return warning(
      name,
      `it does not get out of this network: ${tcp.name} answers by TCP alone, and so everything goes. Slower, but whole. Whoever runs the firewall can let UDP out to ${portsOf(tcp)}`,
    );
  if (relays.length === 0)
    return isRelay ? ok(name, `nobody has come yet; this node takes it at ${at}`) : warning(name, NO_RELAY);
  return failed(
    name,
    `nobody answers, neither by UDP nor by TCP. Either this machine is not on the network, or no relay runs, or ${NOT_LET_IN}`,
  );
}

/** Whoever is not let in is told nothing: the silence is the same. */
const NOT_LET_IN =
  'they do not let this node in: its key was revoked (ask where the network was made), its certificate has expired or is not valid yet by their clocks, or it is of another network that was made anew there';

const NO_RELAY =
  'no relay is known here, so only nodes are reached whose endpoints stand in config.json: `reprise net add KEY --relay --endpoint HOST:PORT` makes one known';

const portsOf = ({ endpoints }: RelayRow): string => endpoints.filter((endpoint) => !endpoint.includes('//')).join(', ');

function natFinding({ nat, relays, isRelay }: NetStatus): Finding {
  const seen = nat.reflexive.length === 0 ? '' : ` (seen from outside as ${nat.reflexive.join(', ')})`;
  if (nat.kind === 'unknown' && (isRelay || relays.length === 0))
    return skipped('nat', 'nobody outside was asked how this node looks from there');
  if (nat.kind === 'unknown') return skipped('nat', `${nat.kind}: ${natText(nat.kind)}${seen}`);
  const text = `${nat.kind}: ${natText(nat.kind)}${seen}`;
  return nat.kind === 'sym' ? warning('nat', text) : ok('nat', text);
}

function relayRoleFinding({ node, isRelay, serves, endpoints, webSocket }: NetStatus): Finding {
  const name = 'relay role';
  if (isRelay) {
    const count =
      serves === undefined ? '' : `, ${serves.registered} nodes are registered, ${serves.packets} packets were passed on`;
    const only =
      webSocket === undefined ? '; for nodes that have no UDP, `reprise net relay --ws HOST:PORT` takes WebSockets, too' : '';
    return ok(
      name,
      `this node relays at ${[...endpoints, ...(webSocket === undefined ? [] : [webSocket])].join(', ')}${count}${only}`,
    );
  }
  if (node.certificate?.roles.includes('relay') === true)
    return warning(
      name,
      'this node has the role, and no port that others could know: `reprise net relay --listen 0.0.0.0:7337` gives it one',
    );
  return skipped(name, 'this node is no relay');
}

/** Who has come to this node directly has found it. */
function endpointFindings({ elsewhere, endpoints, peers }: NetStatus): readonly Finding[] {
  if (elsewhere.length === 0 || peers.some(({ kind }) => kind === 'direct')) return [];
  return [warning('endpoint', elsewhereText(elsewhere, endpoints))];
}

function relayFinding(relay: RelayRow): Finding {
  const name = `relay ${relay.name}`;
  const { kind, state } = relay;
  const parted = relay.parted === undefined || QUIET.has(relay.parted) ? '' : `. The last connection ended with: ${relay.parted}`;
  const why = relay.why === '' ? '' : `: ${oneLine(relay.why)}`;
  if (state === 'idle' && why === '' && parted === '') return skipped(name, 'not asked, since others serve this node');
  if (kind === undefined) {
    const at = relay.endpoints.length === 0 ? '' : ` at ${relay.endpoints.join(', ')}`;
    const dials = relay.dialFaults.map((fault) => `. ${dialFaultText(fault)}`).join('');
    return failed(
      name,
      `no answer${at}${why}${parted}${dials}. See that it runs (\`net peers\` there) and that this is where it is. If it does, ${NOT_LET_IN}`,
    );
  }
  const how = kind === 'tcp' ? 'by TCP' : kind === 'relayed' ? 'by another relay' : 'by UDP';
  if (state === 'registered')
    return ok(
      name,
      `${relay.isHome ? 'the home relay' : 'spare'}, answers ${how}${relay.rttMs === undefined ? '' : ` in ${rttText(relay.rttMs)}`}`,
    );
  return warning(
    name,
    `answers ${how}, and does not serve this node${why}${parted}. If this goes on, ${NOT_LET_IN}; or it is no relay any more`,
  );
}

/** Ends that say no more than that nothing was heard. */
const QUIET: ReadonlySet<string> = new Set(['idle', 'it does not answer']);

const expelledFinding = ({ name }: NetStatus['expelledBy'][number]): Finding =>
  warning(
    `peer ${name}`,
    'it says that this node is no member any more, and does not let it in: its key was taken from the list there, or revoked, or its certificate had expired. Ask there',
  );

function goneFinding({ name: who, at, why, isRevoked }: GoneRow): Finding {
  const name = `peer ${who}`;
  if (isRevoked) return skipped(name, 'it was revoked, for good');
  const text = `it is gone since ${timeText(at).slice(0, SECONDS)}: ${why}`;
  if (why === GOODBYE) return skipped(name, text);
  return warning(name, `${text}. See that it runs there`);
}

/** Of a time, without its milliseconds. */
const SECONDS = 19;

function peerFinding(peer: PeerRow, { nat, relays }: NetStatus): Finding {
  const name = `peer ${peer.name}`;
  if (peer.state === 'resting') return ok(name, 'nothing is said at present; the next message connects again');
  if (peer.state === 'connecting') return warning(name, 'it does not answer yet: it may not run, or not let this node in');
  if (peer.state === 'ending') return skipped(name, 'the connection has ended');
  if (peer.kind === undefined)
    return warning(
      name,
      `it has gone silent: no path to it carries anything at present. See that it runs; \`reprise net trace ${peer.name}\` shows what is tried`,
    );
  const way = `${pathText(peer)}${peer.rttMs === undefined ? '' : `, ${rttText(peer.rttMs)}`}`;
  if (peer.kind === 'direct') return ok(name, way);
  const isTcp = relays.length > 0 && relays.every(({ kind }) => kind !== 'direct');
  const why = isTcp
    ? 'UDP does not get out of this network (see udp)'
    : peer.whyRelayed !== undefined
      ? oneLine(peer.whyRelayed)
      : peer.punching === undefined
        ? 'no direct path was looked for yet: that begins with traffic'
        : punchingText(peer.punching);
  const cure = isTcp ? '' : cureOf(nat.kind);
  return warning(name, `${way}. Not direct: ${why}${cure}`);
}

const cureOf = (kind: NetStatus['nat']['kind']): string =>
  kind === 'sym'
    ? '. A port forwarded in the router to a --listen port of this node would make it direct'
    : '. The relay carries it meanwhile: end to end encrypted, at the cost of time';
