/** One machine of punching, driven by hand: no network, what it wants to send is looked at. */
import { PunchBudget } from '../../../transport/overlay/punch/budget.ts';
import {
  offerBytes,
  parseOffer,
  parsePunch,
  punchBytes,
  type Candidate,
  type NatKind,
  type Offer,
  type PunchCommand,
} from '../../../transport/overlay/punch/candidates.ts';
import type { ProbeSocket, PunchOutput } from '../../../transport/overlay/punch/output.ts';
import { Punching } from '../../../transport/overlay/punch/punching.ts';
import { noDrops } from '../../../transport/overlay/drops.ts';
import { CONTROL } from '../../../transport/overlay/wire/frames.ts';
import { bytesFrom, dice } from '../simulated-link.ts';

export const seen = (host: string, port = 4000): Candidate => ({ host, port, isReflexive: true });
export const host = (address: string, port = 4000): Candidate => ({ host: address, port, isReflexive: false });

export const THEIRS: Offer = { attempt: 1, round: 0, kind: 'eim', birthday: true, rttMs: 40, candidates: [seen('203.0.113.20')] };

export interface MachineSpec {
  readonly leads?: boolean;
  readonly kind?: NatKind;
  readonly candidates?: readonly Candidate[];
  readonly birthday?: boolean;
  readonly budget?: PunchBudget;
  readonly peer?: string;
  readonly sockets?: readonly ProbeSocket[];
  readonly forbidden?: string;
}

export class Machine {
  readonly punching: Punching;
  readonly drops = noDrops();
  readonly log: { readonly at: number; readonly output: PunchOutput }[] = [];
  now = 0;
  /** What own() says; the fresh socket is seen at once. */
  kind: NatKind;
  candidates: readonly Candidate[];

  constructor(spec: MachineSpec = {}) {
    this.kind = spec.kind ?? 'eim';
    this.candidates = spec.candidates ?? [seen('203.0.113.10'), host('192.168.1.5')];
    this.punching = new Punching({
      random: bytesFrom(dice(7)),
      peer: spec.peer ?? 'peer',
      leads: spec.leads ?? true,
      // Nobody has looked at a fresh socket twice: what is known of the NAT is known of the others.
      own: (fresh) =>
        fresh === undefined
          ? { candidates: this.candidates, kind: this.kind }
          : { candidates: [seen('203.0.113.10', 40_000)], kind: 'unknown' },
      sockets: () => spec.sockets ?? [{ name: '0', family: 4 }],
      budget: spec.budget ?? new PunchBudget(),
      birthday: spec.birthday ?? true,
      forbidden: (endpoint) => endpoint.host === spec.forbidden,
      drops: this.drops,
    });
  }

  get state(): string {
    return this.punching.view().state;
  }

  start(rttMs = 40): this {
    this.punching.start(this.now, rttMs);
    return this.collect();
  }

  offers(offer: Partial<Offer> = {}): this {
    this.punching.control(this.now, CONTROL.candidates, offerBytes({ ...THEIRS, ...offer }));
    return this.collect();
  }

  commands(command: Partial<PunchCommand> = {}): this {
    this.punching.control(this.now, CONTROL.punch, punchBytes({ attempt: 1, round: 0, ...command }));
    return this.collect();
  }

  direct(path: string): this {
    this.punching.direct(path);
    return this.collect();
  }

  /** Runs for `ms`. Throws if time does not go on. */
  wait(ms: number): this {
    this.collect();
    const until = this.now + ms;
    let spins = 0;
    for (let at = this.punching.nextAt(); at <= until; at = this.punching.nextAt()) {
      this.now = Math.max(this.now, at);
      this.punching.tick(this.now);
      this.collect();
      // A state may lead to the next one at once, but not for ever.
      spins = this.punching.nextAt() <= this.now ? spins + 1 : 0;
      if (spins > 5) throw new Error(`it spins at ${this.now} in ${this.state}`);
    }
    this.now = until;
    return this;
  }

  /** Runs for `ms` on a machine that gets to it only so often. */
  waitBusy(ms: number, everyMs: number): this {
    for (const until = this.now + ms; this.now < until;) {
      this.now += everyMs;
      if (this.punching.nextAt() <= this.now) this.punching.tick(this.now);
      this.collect();
    }
    return this;
  }

  /** Offers that this side made. */
  get offered(): readonly Offer[] {
    return this.controls(CONTROL.candidates).flatMap((bytes) => parseOffer(bytes) ?? []);
  }

  get commanded(): readonly PunchCommand[] {
    return this.controls(CONTROL.punch).flatMap((bytes) => parsePunch(bytes) ?? []);
  }

  get probes(): readonly { readonly at: number; readonly path: string; readonly ttl: number | undefined }[] {
    return this.log.flatMap(({ at, output }) => (output.type === 'probe' ? [{ at, path: output.path, ttl: output.ttl }] : []));
  }

  get ended(): readonly string[] {
    return this.log.flatMap(({ output }) => (output.type === 'ended' ? [output.result] : []));
  }

  /** Sockets that were opened and not closed. */
  get open(): readonly string[] {
    const open = new Set<string>();
    for (const { output } of this.log)
      if (output.type === 'open') for (const socket of output.sockets) open.add(socket);
      else if (output.type === 'close') for (const socket of output.sockets) open.delete(socket);
    return [...open];
  }

  private controls(code: number): readonly Uint8Array[] {
    return this.log.flatMap(({ output }) => (output.type === 'control' && output.code === code ? [output.bytes] : []));
  }

  private collect(): this {
    for (const output of this.punching.take()) this.log.push({ at: this.now, output });
    return this;
  }
}
