/** What `reprise net up` prints on a terminal: a table of the other nodes, drawn again in its place, and above it what has happened. */
import type { OverlayEvent } from '../../transport/overlay/node/ports.ts';
import type { Invocation } from '../invocation.ts';
import type { Io } from '../io.ts';
import { timeText } from '../render/text.ts';
import type { InboxMessage } from './inbox.ts';
import { eventText, lossText, oneLine, pathStyle, pathText, rttText, surroundings } from './render.ts';
import { headLines, type NetReport, unheardText } from './report.ts';
import type { Names, NetStatus, PeerRow } from './status.ts';

/** Lines that are left for what stands above. */
const ABOVE = 4;
/** Of a terminal that does not know its size. */
const ROWS = 24;

export const liveReport = (io: Io, reprise: Invocation): NetReport => new LiveReport(io, reprise);

class LiveReport implements NetReport {
  private readonly io: Io;
  private readonly reprise: Invocation;
  private body: readonly string[] = [];
  private drawn = 0;

  constructor(io: Io, reprise: Invocation) {
    this.io = io;
    this.reprise = reprise;
  }

  ready(status: NetStatus): void {
    const [first = '', ...more] = headLines(status, this.reprise);
    this.write([this.io.paint('green', first), ...more.map((line) => this.io.paint('dim', line))]);
    this.show(status);
  }

  event(event: OverlayEvent, names: Names): void {
    const text = eventText(event, names);
    if (text !== undefined) this.above(text);
  }
  note(text: string): void {
    this.above(this.reprise.text(text));
  }
  unheard(message: InboxMessage): void {
    this.above(unheardText(message, this.reprise));
  }

  show(status: NetStatus): void {
    const { io } = this;
    const room = Math.max(1, (io.stdout.rows || ROWS) - ABOVE);
    const { peers } = status;
    const shown = peers.slice(0, peers.length > room ? room - 1 : room);
    const rows = shown.map((peer): Row => ({ peer, cells: cellsOf(peer) }));
    const widths = [0, 1, 2, 3].map((column) => Math.max(0, ...rows.map(({ cells }) => (cells[column] ?? '').length)));
    const rest = peers.length - shown.length;
    const dim = (text: string): string => io.paint('dim', this.fitted(text));
    const around = surroundings(status);
    const body = [
      ...(around === '' ? [] : [dim(around)]),
      ...rows.map((row) => this.line(row, widths)),
      ...(peers.length === 0 ? [dim('  no other node is here')] : []),
      ...(rest === 0 ? [] : [dim(`  … and ${rest} more: ${this.reprise.command('net peers')}`)]),
    ];
    if (body.length === this.drawn && body.every((line, i) => line === this.body[i])) return;
    this.body = body;
    this.write([]);
  }

  stopping(): void {
    this.body = [];
    this.write(['it stops']);
  }
  end(): void {
    this.drawn = 0;
  }

  private line({ peer, cells }: Row, widths: readonly number[]): string {
    const [name = '', path = '', ...rest] = cells.map((cell, i) => cell.padEnd(widths[i] ?? 0));
    const left = `  ${name}  ${path}  ${rest.join('  ')}`;
    // A line that breaks would be two to draw over.
    if (left.length >= this.io.columns) return this.fitted(left);
    const note = oneLine(peer.whyRelayed ?? '').slice(0, Math.max(0, this.io.columns - left.length - 3));
    const painted = `  ${name}  ${this.io.paint(pathStyle(peer.kind), path)}  ${rest.join('  ')}`;
    return note === '' ? painted.trimEnd() : `${painted}  ${this.io.paint('dim', note)}`;
  }

  private fitted(text: string): string {
    return text.slice(0, Math.max(0, this.io.columns - 1));
  }

  private above(text: string): void {
    this.write([`${this.io.paint('dim', timeText(Date.now()).slice(11, 19))} ${text}`]);
  }

  /** What was drawn goes, `fixed` stays above for good, the table will go again. */
  private write(fixed: readonly string[]): void {
    const back = this.drawn === 0 ? '' : `\u001b[${this.drawn}A\u001b[J`;
    this.drawn = this.body.length;
    this.io.stdout.write(`${back}${[...fixed, ...this.body].map((line) => `${line}\n`).join('')}`);
  }
}

interface Row {
  readonly peer: PeerRow;
  readonly cells: readonly string[];
}

const cellsOf = (peer: PeerRow): readonly string[] => {
  const path = pathText(peer);
  return [peer.name, path === '' ? peer.state : path, rttText(peer.rttMs), lossText(peer.loss)];
};
