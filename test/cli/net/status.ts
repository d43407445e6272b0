/** Statuses of nodes, to be shown and judged. */
import type { NetStatus, PeerRow, RelayRow } from '../../../cli/net/status.ts';

export const NOW = Date.UTC(2026, 0, 15, 12);
const HOUR = 3_600_000;

export const RELAY: RelayRow = {
  name: 'hub',
  key: 'aa'.repeat(32),
  endpoints: ['hub.example.org:7337', 'wss://hub.example.org:443'],
  state: 'registered',
  isHome: true,
  kind: 'direct',
  rttMs: 12,
  why: '',
  parted: undefined,
  dialFaults: [],
};

export const PEER: PeerRow = {
  name: 'bob',
  address: 'D10E.CFC7.A4BB',
  key: 'bb'.repeat(32),
  roles: ['node'],
  state: 'up',
  kind: 'direct',
  via: '192.0.2.2:4000',
  rttMs: 3.25,
  loss: 0,
  datagram: 1452,
  sentBytes: 12_345,
  receivedBytes: 999,
  queuedBytes: 0,
  punching: undefined,
  whyRelayed: undefined,
  paths: [],
  tried: [],
};

export const STATUS: NetStatus = {
  pid: 1234,
  startedAt: NOW - HOUR,
  node: {
    name: 'alice',
    address: '40F7.3150.16D8',
    key: 'cc'.repeat(32),
    fingerprint: 'AAAA',
    network: { name: 'home', id: 'dd'.repeat(32), kind: 'certified' },
    isAuthority: false,
    isRevoked: false,
    revokedBy: undefined,
    certificate: {
      name: 'alice',
      roles: ['node'],
      notBefore: NOW - 6 * HOUR,
      notAfter: NOW + 18 * HOUR,
      renewAt: NOW + 6 * HOUR,
      isValid: true,
    },
  },
  endpoints: ['0.0.0.0:4000'],
  elsewhere: [],
  webSocket: undefined,
  isRelay: false,
  serves: undefined,
  nat: { kind: 'eim', reflexive: ['198.51.100.7:4000'] },
  relays: [RELAY],
  peers: [{ ...PEER, name: 'hub', key: RELAY.key, via: '203.0.113.1:7337' }, PEER],
  gone: [],
  expelledBy: [],
  drops: { tag_wrong: 0 },
  renewalFailed: undefined,
};
