import type { PathId } from '../session/source.ts';
import type { PunchCode, PunchingOptions, PunchOutput, PunchView } from './output.ts';

export class Punching {
  private readonly o: PunchingOptions;
  private readonly outputs: PunchOutput[] = [];

  constructor(o: PunchingOptions) {
    this.o = o;
  }

  start(_now: number, _relayRttMs: number): void {}
  control(_now: number, _code: PunchCode, _bytes: Uint8Array): void {}
  direct(_now: number, _path: PathId): void {}
  networkChanged(_now: number): void {}
  /** The association is another one: attempts are counted anew. */
  reset(_now: number): void {}
  /** The peer is forgotten: all sockets are closed. */
  stop(): void {}
  nextAt(): number {
    return this.o.leads ? Infinity : Infinity;
  }
  tick(_now: number): void {}
  take(): readonly PunchOutput[] {
    return this.outputs.splice(0);
  }
  view(): PunchView {
    return { state: 'relayed', tries: 0, lastResult: undefined, why: '' };
  }
}
