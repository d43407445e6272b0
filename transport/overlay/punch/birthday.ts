/**
 * Guessing the ports of a symmetric NAT, by the birthday paradox: the side behind it opens 256 sockets, so that 256 of its ports let the other
 * side in; the other side tries up to 1024 ports. Of 64,512 ports 252 tries hit one on average, and 1024 miss all in 1.7 % of cases.
 *
 * The symmetric side sends with a low TTL first: that opens its own NAT and does not reach the other one. A NAT there that keeps state of what
 * it lets nobody have (`poison`, OVERLAY.md §3.2) would otherwise give the other side's answers to just these ports another source. Towards
 * the end, when the other side has tried its ports, the sockets send as usual: that finds what losses hid, and what was behind a deeper NAT.
 */
import type { Endpoint } from '../paths/endpoint.ts';
import { OPENER_TTL } from './volleys.ts';

export const SOCKETS = 256;
export const PORTS = 1024;
/** From start to end, on both sides: 2.1 s of probes, and time for an answer. */
export const BIRTHDAY_MS = 2500;
/** A machine that is busy is later than it means to be: a side goes on until it has sent what it has to send, and at most this long. */
export const BIRTHDAY_MS_MAX = 2 * BIRTHDAY_MS;

const BATCH = 16;
const SYM_BATCH_MS = 10;
const PORT_BATCH_MS = 20;
/** The symmetric side opens its ports first: 160 ms of batches, and longer where its machine is busy. What comes before is a guess in vain. */
const PORTS_AFTER_MS = 250;
const PORT_MIN = 1024;
/** What is later than this is not made up for by sending faster. */
const LATE_MS = 100;
/** When each socket sends, and how far. The other side is done after 250 + 64 x 20 ms. */
const PASSES: readonly { readonly atMs: number; readonly ttl: number | undefined }[] = [
  { atMs: 0, ttl: OPENER_TTL },
  { atMs: 250, ttl: OPENER_TTL },
  { atMs: 1600, ttl: undefined },
  { atMs: 1900, ttl: undefined },
];

export interface Guess {
  readonly socket: string;
  readonly target: Endpoint;
  readonly ttl: number | undefined;
}

/** What is due: sockets to be opened, then probes. */
export interface Guesses {
  readonly open: readonly string[];
  readonly guesses: readonly Guess[];
}

export interface BirthdaySide {
  /** Infinity: done. */
  nextAt(): number;
  /** Once for each time that `nextAt` has come. */
  step(now: number): Guesses;
}

/** When the next batch is due. */
const after = (at: number, everyMs: number, now: number): number => Math.max(at + everyMs, now - LATE_MS);

/** The side behind the symmetric NAT. */
export class ManySockets implements BirthdaySide {
  private readonly began: number;
  private readonly target: Endpoint;
  private readonly names: readonly string[];
  private at: number;
  private pass = 0;
  private batch = 0;

  /** `names`: of 256 sockets that are not open yet. `target`: the other side as others see it. */
  constructor(now: number, names: readonly string[], target: Endpoint) {
    this.began = now;
    this.names = names;
    this.target = target;
    this.at = now;
  }

  nextAt(): number {
    return this.at;
  }

  step(now: number): Guesses {
    const names = this.names.slice(this.batch * BATCH, (this.batch + 1) * BATCH);
    const open = this.pass === 0 ? names : [];
    const ttl = PASSES[this.pass]?.ttl;
    this.batch += 1;
    this.at = after(this.at, SYM_BATCH_MS, now);
    if (this.batch * BATCH >= this.names.length) {
      this.pass += 1;
      this.batch = 0;
      const next = PASSES[this.pass];
      this.at = next === undefined ? Infinity : Math.max(this.at, this.began + next.atMs);
    }
    return { open, guesses: names.map((socket) => ({ socket, target: this.target, ttl })) };
  }
}

/** The other side: one socket, many ports. */
export class ManyPorts implements BirthdaySide {
  private readonly socket: string;
  private readonly host: string;
  private readonly random: (count: number) => Uint8Array;
  private readonly tried = new Set<number>();
  private at: number;

  /** `host`: the address of the symmetric NAT. */
  constructor(now: number, socket: string, host: string, random: (count: number) => Uint8Array) {
    this.socket = socket;
    this.host = host;
    this.random = random;
    this.at = now + PORTS_AFTER_MS;
  }

  nextAt(): number {
    return this.at;
  }

  step(now: number): Guesses {
    const guesses = this.ports().map((port) => ({
      socket: this.socket,
      target: { host: this.host, port },
      ttl: undefined,
    }));
    this.at = this.tried.size < PORTS ? after(this.at, PORT_BATCH_MS, now) : Infinity;
    return { open: [], guesses };
  }

  /** At most 16 that were not tried: of half as many draws again, so that it ends whatever is drawn. */
  private ports(): number[] {
    const drawn = this.random(3 * BATCH);
    const ports: number[] = [];
    const room = Math.min(BATCH, PORTS - this.tried.size);
    for (let i = 0; i + 1 < drawn.length && ports.length < room; i += 2) {
      const port = ((drawn[i] as number) << 8) | (drawn[i + 1] as number);
      if (port < PORT_MIN || this.tried.has(port)) continue;
      this.tried.add(port);
      ports.push(port);
    }
    return ports;
  }
}
