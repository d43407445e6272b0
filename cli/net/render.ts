/** Nodes, paths and events in words. */
import type { OverlayEvent } from '../../transport/overlay/node/ports.ts';
import { kindOfPath, type PathKind } from '../../transport/overlay/paths/endpoint.ts';
import type { Style } from '../io.ts';
import { spanText, timeText } from '../render/text.ts';
import type { GoneRow } from './met.ts';
import { revokedText } from './node-id.ts';
import { type MemberRow, type Names, type NetStatus, type PathRow, type PeerRow, type RelayRow, viaOf } from './status.ts';

/** What comes from others and could move the cursor of a terminal, or turn the text around. */
// oxlint-disable-next-line no-control-regex
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
const ESCAPES: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\t' };

/** A text of somebody else on one line. */
export const oneLine = (text: string): string =>
  text
    .replace(/\r?\n$/, '')
    .replaceAll(UNSAFE, (mark) => ESCAPES[mark] ?? `\\u${(mark.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`);

/** `0.42ms`, `12.3ms`, `1.2s`: round trips on a LAN are below one. */
export function rttText(ms: number | undefined): string {
  if (ms === undefined) return '';
  if (ms < 10) return `${ms.toFixed(2)}ms`;
  return ms < 1_000 ? `${ms.toFixed(1)}ms` : spanText(ms);
}

export const lossText = (loss: number | undefined): string =>
  loss === undefined ? '' : `${(100 * loss).toFixed(loss < 0.1 ? 1 : 0)}%`;

export function bytesText(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  const step = Math.min(units.length - 1, bytes < 1_000 ? 0 : Math.floor(Math.log10(bytes) / 3));
  return `${(bytes / 1_000 ** step).toFixed(step === 0 ? 0 : 1)} ${units[step] ?? ''}`;
}

const PATH_STYLES: Readonly<Record<PathKind, Style>> = { direct: 'green', relayed: 'yellow', tcp: 'yellow' };
/** Of a kind of path; of a peer that has none. */
export const pathStyle = (kind: PathKind | undefined): Style => (kind === undefined ? 'dim' : PATH_STYLES[kind]);

/** `direct 192.0.2.1:4000`, `relayed by hub`, `tcp`. */
export function pathText({ kind, via }: Pick<PeerRow, 'kind' | 'via'>): string {
  switch (kind) {
    case 'direct':
      return `direct ${via ?? ''}`;
    case 'relayed':
      return `relayed by ${via ?? ''}`;
    case 'tcp':
      return 'tcp';
    case undefined:
      return '';
  }
}

export const PEER_HEAD = ['NAME', 'ADDRESS', 'STATE', 'PATH', 'RTT', 'LOSS', 'SENT', 'RECEIVED', 'NOTE'];

export const peerCells = (peer: PeerRow): readonly string[] => [
  peer.name,
  peer.address ?? '',
  peer.state,
  pathText(peer),
  rttText(peer.rttMs),
  lossText(peer.loss),
  bytesText(peer.sentBytes),
  bytesText(peer.receivedBytes),
  oneLine(peer.whyRelayed ?? ''),
];

export const memberCells = ({ name, address }: MemberRow): readonly string[] => [oneLine(name), address ?? '', 'known'];

/** The note stands below its head. */
export const goneCells = ({ name, at, why, isRevoked }: GoneRow): readonly string[] => [
  oneLine(name),
  '',
  isRevoked ? 'revoked' : 'gone',
  ...Array<string>(PEER_HEAD.length - 4).fill(''),
  isRevoked ? '' : `gone since ${timeText(at).slice(0, 19)}: ${why}`,
];

export const PATH_HEAD = ['', 'PATH', 'STATE', 'RTT', 'LOSS', 'PACKET'];

export const pathCells = (path: PathRow): readonly string[] => [
  path.isActive ? '*' : '',
  pathText(path),
  path.state,
  rttText(path.rttMs),
  path.state === 'probing' ? '' : lossText(path.loss),
  path.state === 'valid' ? String(path.datagram) : '',
];

/**
 * How a relay is; empty: it serves. `registered` and `up` mean nothing where no path to it carries anything. One that has failed before is no news
 * each time that it is called again.
 */
export const relayStateText = ({ state, kind, why }: Pick<RelayRow, 'state' | 'kind' | 'why'>): string => {
  if (why === '' && (state === 'connecting' || state === 'idle')) return state;
  if (kind === undefined) return 'no answer';
  return state === 'registered' ? '' : 'does not serve this node';
};

/** `nat eim, seen at 192.0.2.1:4000; relays hub (home, 12ms)`; empty: nothing is known. Of one that was revoked that comes first. */
export function surroundings({ node, nat, relays, isRelay }: NetStatus): string {
  const seen = nat.reflexive.length === 0 ? '' : `, seen at ${nat.reflexive.join(', ')}`;
  const all = relays.map(({ name, isHome, state, kind, why, rttMs }) => {
    const how = relayStateText({ state, kind, why });
    const words = [isHome ? 'home' : '', kind === 'tcp' ? 'tcp' : '', how === '' ? rttText(rttMs) : how];
    const said = words.filter((word) => word !== '').join(', ');
    return said === '' ? name : `${name} (${said})`;
  });
  const role = isRelay ? 'this node relays' : undefined;
  const others = all.length === 0 ? undefined : `relays ${all.join(', ')}`;
  const seenBy = nat.kind === 'unknown' && relays.length === 0 ? undefined : `nat ${nat.kind}${seen}`;
  return [revokedText(node), seenBy, role, others].filter((part) => part !== undefined).join('; ');
}

/** Why a path was taken, by the word of the overlay. */
const PATH_REASONS: Readonly<Record<string, string>> = {
  better: 'a better way',
  faster: 'a faster way',
  lost: 'the way before carries nothing any more',
  silent: 'the way before has gone silent',
  timeouts: 'the way before does not answer',
};

/** With what a connection has ended. */
export const partingText = (reason: string): string => (reason === 'closed' ? GOODBYE : oneLine(reason));
export const GOODBYE = 'it said goodbye';

const because = (reason: string): string => PATH_REASONS[reason] ?? oneLine(reason);

/** Undefined: it is no news. */
export function eventText(event: OverlayEvent, names: Names): string | undefined {
  switch (event.type) {
    case 'peer_up':
      return `${names(event.peer)} is here, ${pathText({ kind: kindOfPath(event.path), via: viaOf(event.path, names) })}`;
    case 'peer_restarted':
      return `${names(event.peer)} has started again: what was under way to it may be lost`;
    case 'peer_down':
      return `${names(event.peer)} is gone: ${partingText(event.reason)}`;
    case 'path_changed':
      if (event.to === undefined) return `no path is left to ${names(event.peer)}`;
      // That it is here, and by which path, was said already.
      if (event.reason === 'begin') return undefined;
      return `${names(event.peer)} is ${pathText({ kind: event.kind, via: viaOf(event.to, names) })}: ${because(event.reason)}`;
    case 'home_relay':
      return `${names(event.relay)} is the home relay`;
    case 'deny_list':
      return event.closed.length === 0
        ? 'a new deny list is in force'
        : `a new deny list is in force: ${event.closed.map(names).join(', ')} shut out`;
  }
}
