/** Words that the verbs of `net` print, and what they mean. docs/cli.md has the same. */
import type { Words } from '../command.ts';

export const NET_WORDS: Words = [
  ['direct', 'UDP from node to node.'],
  ['relayed', 'UDP by a relay, which sees sizes and times and nothing else; a direct path is tried again and again.'],
  ['tcp', 'A WebSocket to a relay: UDP does not get out of this network.'],
  ['connecting', 'STATE: it is called, and has not answered yet.'],
  ['up', 'STATE: there are keys, and a way to it.'],
  ['searching', 'STATE: there are keys, and no way at present: it has gone silent, or this machine has lost its network.'],
  ['resting', 'STATE: nothing was said for a while; the next message connects again.'],
  ['ending', 'STATE: one side has said goodbye.'],
  ['known', 'STATE: a relay knows it, and this node is not connected to it.'],
  ['gone', 'STATE: it was here, and no relay knows it any more. NOTE says since when, and how it ended.'],
  ['revoked', 'STATE: it was here, and was shut out for good.'],
  ['home', 'The relay by which others find this node.'],
  ['none', 'NAT: there is none, others can reach this node where it listens.'],
  ['eim', 'NAT: it gives one port for all destinations, so direct paths can be opened.'],
  ['sym', 'NAT: it gives another port for each destination, so direct paths are hard to open.'],
  ['unknown', 'NAT: fewer than two answers say how this node looks from outside: one relay with one port gives one.'],
  ['RTT', 'Time of a round trip, smoothed.'],
  ['LOSS', 'Packets that had to be sent again, of the last ones.'],
];

/** Of `trace`, besides: of paths. */
export const TRACE_WORDS: Words = [
  ['*', 'The path that is used.'],
  ['probing', 'STATE of a path: it was not proved yet that the node is there.'],
  ['valid', 'STATE of a path: it answers.'],
  ['suspect', 'STATE of a path: it did not answer of late, and is looked at.'],
  ['dead', 'STATE of a path: it does not answer any more.'],
  ['PACKET', 'Bytes of the longest packet that gets through by this path.'],
];
