/** NATs, and the search for a direct path, in words. */
import type { NatKind } from '../../transport/overlay/punch/candidates.ts';
import type { PunchState, PunchView } from '../../transport/overlay/punch/output.ts';
import { counted } from '../words.ts';

const NATS: Readonly<Record<NatKind, string>> = {
  none: 'others reach it where it listens, as far as no firewall is in between',
  eim: 'it gives one port for all destinations, so direct paths can be opened',
  sym: 'it gives another port for each destination (symmetric): to nodes behind a NAT of the same kind there is no direct path, and the relay goes on carrying',
  unknown:
    'it takes the answers of two relays to tell, or of one at two ports (`--listen` and `--endpoint` twice there). Direct paths are looked for all the same',
};

export const natText = (kind: NatKind): string => NATS[kind];

const STATES: Readonly<Record<PunchState, string>> = {
  relayed: 'not looked for at present',
  gather: 'own addresses are gathered',
  exchange: 'addresses are exchanged with the peer, by the relay',
  sync: 'both sides agree when to begin',
  fire: 'both sides send to all addresses of each other',
  fresh_port: 'the same again from a fresh port',
  birthday: 'ports of a symmetric NAT are guessed',
  direct: 'it was found, the last time that one was looked for',
};

/** `a direct path: not looked for at present; 2 tries failed`. */
export function punchingText({ state, tries }: PunchView): string {
  const failed =
    tries === 0 ? '' : `; ${counted(tries, 'attempt')} came to nothing, and it is tried again while there is traffic`;
  return `a direct path: ${STATES[state]}${failed}`;
}
