/** What `reprise up` prints where there is no terminal: a line of JSON for each thing that happened. */
import type { Address } from '../core/address.ts';
import type { NodeEvent } from '../core/node/news.ts';
import type { LogRecord } from '../core/record.ts';
import type { Invocation } from './invocation.ts';
import type { Io } from './io.ts';
import { choicesOf, type Misfit } from './misfit.ts';

/** What is known about a mesh when it is up. */
export interface Ready {
  readonly mesh: string;
  readonly pid: number;
  /** Actors that the mesh file declares, and how many of them are kinds of actors by key. */
  readonly actors: number;
  readonly kinds: number;
  readonly store: string;
  /** What an acknowledged record survives, in words. */
  readonly survives: string;
}

export interface Report {
  ready(ready: Ready): void;
  event(event: NodeEvent): void;
  records(actor: Address, records: readonly LogRecord[]): void;
  misfit(misfit: Misfit): void;
  /** A line of our own, such as why a changed file was not taken up. */
  note(text: string): void;
  stopping(): void;
  /** Nothing comes any more. */
  end(): void;
}

/** Only these are told with `--quiet`: they need a person. */
export const URGENT: ReadonlySet<NodeEvent['type']> = new Set([
  'actor.unstarted',
  'actor.parked',
  'actor.crashed',
  'actor.checkpoint_failed',
  'actor.in_doubt',
  'actor.dead_letter',
  'store.stalled',
  'store.answers',
  'telemetry.stalled',
  'node.session_ended',
  'node.clock_skew',
  'node.hook_failed',
  'node.failed',
  'directory.stalled',
  'directory.answers',
  'shard.stalled',
]);
/** How a node goes about its work: of no interest to who runs it. */
const INNER: ReadonlySet<NodeEvent['type']> = new Set(['shard.claimed', 'shard.released', 'actor.passivated', 'actor.recovered']);
export const isTold = (event: NodeEvent, quiet: boolean): boolean => (quiet ? URGENT.has(event.type) : !INNER.has(event.type));

/** What machines log is theirs to choose: what JSON cannot hold of it is told as near as it can. */
export function printable(event: NodeEvent): NodeEvent {
  if (event.type !== 'actor.log' || event['value'] === undefined) return event;
  const text = JSON.stringify(event['value'], (_key, value: unknown) => {
    if (typeof value === 'bigint') return `${value}n`;
    if (typeof value === 'function' || typeof value === 'symbol') return String(value);
    return value instanceof Map || value instanceof Set ? [...value] : value;
  });
  return { ...event, value: JSON.parse(text) as unknown };
}

export function lineReport(io: Io, reprise: Invocation, quiet: boolean): Report {
  const say = (line: object): void => io.json({ ts: Date.now(), ...line });
  return {
    ready: (ready) => say({ type: 'mesh.ready', ...ready }),
    event: (event) => {
      if (isTold(event, quiet)) say(event);
    },
    records: () => undefined,
    misfit: (misfit) =>
      say({ type: 'actor.misfit', ...misfit, choices: choicesOf(misfit).map(({ typed }) => reprise.command(typed)) }),
    note: (text) => say({ type: 'mesh.note', text }),
    stopping: () => say({ type: 'mesh.stopping' }),
    end: () => undefined,
  };
}
