/** Which paths to one peer are good, which one carries the traffic, what is probed. */
import type { PathId } from '../session/source.ts';
import type { Frame } from '../wire/frames.ts';
import type { PathKind } from './endpoint.ts';

export type PathState = 'probing' | 'valid' | 'suspect' | 'dead';
export type PathError = 'unreachable' | 'too_long' | 'closed';

export interface PathsOptions {
  readonly random: (count: number) => Uint8Array;
  /** The longest packet that the peer and this node take: the smaller of both. */
  readonly maxDatagram: number;
}

export type PathOutput =
  /** A packet with this frame, at once, by this path. `padTo`: bytes of the whole packet, made so long by PADDING. */
  | {
      readonly type: 'send';
      readonly path: PathId;
      readonly frame: Extract<Frame, { readonly type: 'path_challenge' | 'path_response' }>;
      readonly padTo: number | undefined;
    }
  /** Traffic goes by this path from now on. Undefined: none is left. */
  | { readonly type: 'active'; readonly path: PathId | undefined; readonly rttMs: number | undefined; readonly reason: string }
  /** No direct path is in use: one is to be looked for. */
  | { readonly type: 'want_direct' };

export interface PathView {
  readonly path: PathId;
  readonly kind: PathKind;
  readonly state: PathState;
  readonly rttMs: number | undefined;
  /** Share of challenges that were not answered, 0 to 1. */
  readonly loss: number;
  readonly datagram: number;
  readonly isActive: boolean;
}

export declare class Paths {
  constructor(options: PathsOptions);
  begin(now: number, path: PathId, isProved: boolean): void;
  received(now: number, path: PathId, bytes: number, isNewest: boolean): void;
  challenge(now: number, path: PathId, data: Uint8Array): void;
  response(now: number, path: PathId, data: Uint8Array): void;
  probe(now: number, path: PathId): void;
  sent(now: number, path: PathId, bytes: number): void;
  failed(now: number, path: PathId, error: PathError): void;
  timeouts(now: number, count: number, rttMs: number): void;
  traffic(now: number): void;
  networkChanged(now: number): void;
  isOpen(path: PathId): boolean;
  get active(): PathId | undefined;
  datagram(path: PathId): number;
  view(): readonly PathView[];
  nextAt(): number;
  tick(now: number): void;
  take(): readonly PathOutput[];
}
