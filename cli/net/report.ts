/** What `reprise net up` prints where there is no terminal: a line for each thing that happens, for people or as JSON. */
import type { OverlayEvent } from '../../transport/overlay/node/ports.ts';
import type { Invocation } from '../invocation.ts';
import type { Io } from '../io.ts';
import { timeText } from '../render/text.ts';
import type { InboxMessage } from './inbox.ts';
import { bytesText, eventText, surroundings } from './render.ts';
import type { Names, NetStatus } from './status.ts';

export interface NetReport {
  ready(status: NetStatus): void;
  event(event: OverlayEvent, names: Names): void;
  /** How it is now: twice a second. */
  show(status: NetStatus): void;
  /** A line of our own, such as that a certificate could not be renewed. */
  note(text: string): void;
  /** A message has come to which nobody listens. */
  unheard(message: InboxMessage): void;
  stopping(): void;
  /** Nothing comes any more. */
  end(): void;
}

/** With `ts` in ms since 1970. */
export function jsonReport(io: Io, reprise: Invocation): NetReport {
  const say = (line: object): void => io.json({ ts: Date.now(), ...line });
  let told = '';
  return {
    ready: ({ pid, node, endpoints, webSocket, isRelay }) =>
      say({
        type: 'net.ready',
        pid,
        network: node.network.name,
        name: node.name,
        address: node.address,
        key: node.key,
        endpoints,
        webSocket,
        isRelay,
      }),
    event: ({ type, ...event }) => say({ type: `net.${type}`, ...event }),
    show: ({ nat, relays, isRelay }) => {
      const around = { nat, relays: relays.map(({ key, state, isHome, kind }) => ({ key, state, isHome, kind })), isRelay };
      const text = JSON.stringify(around);
      if (text !== told) say({ type: 'net.surroundings', ...around });
      told = text;
    },
    note: (text) => say({ type: 'net.note', text: reprise.text(text) }),
    unheard: ({ channel, from, bytes }) => say({ type: 'net.message', channel, from, bytes }),
    stopping: () => say({ type: 'net.stopping' }),
    end: () => undefined,
  };
}

export function lineReport(io: Io, reprise: Invocation): NetReport {
  const say = (text: string): void => io.out(`${timeText(Date.now())} ${text}`);
  let told = '';
  return {
    ready: (status) => {
      for (const line of headLines(status, reprise)) say(line);
    },
    event: (event, names) => {
      const text = eventText(event, names);
      if (text !== undefined) say(text);
    },
    show: (status) => {
      // Round trips change all the time, and are no news.
      const text = surroundings({ ...status, relays: status.relays.map((relay) => ({ ...relay, rttMs: undefined })) });
      if (text !== told && text !== '') say(text);
      told = text;
    },
    note: (text) => say(reprise.text(text)),
    unheard: (message) => say(unheardText(message, reprise)),
    stopping: () => say('it stops'),
    end: () => undefined,
  };
}

/** What there is to say at the start. */
export function headLines({ node, pid, endpoints, webSocket, isRelay }: NetStatus, reprise: Invocation): readonly string[] {
  const where = [...endpoints.map((endpoint) => `UDP ${endpoint}`), ...(webSocket === undefined ? [] : [webSocket])];
  return [
    `${node.name ?? 'node'} (${node.address}) of ${node.network.name} is up${isRelay ? ', and relays' : ''}: ${where.join(', ')}`,
    reprise.text(
      `pid ${pid}. Ctrl-C stops it; \`reprise net peers\`, \`ping\`, \`send\`, \`listen\`, \`doctor\` work beside it.`,
    ),
  ];
}

/** Whose it is and how long, not what it says: it goes to a log, perhaps. */
export const unheardText = ({ from, channel, bytes }: InboxMessage, reprise: Invocation): string =>
  reprise.text(
    `a message of ${bytesText(bytes)} from ${from.name === '' ? (from.address ?? from.key) : from.name} waits for \`reprise net listen${channel === 'text' ? '' : ` --channel ${channel}`}\``,
  );
