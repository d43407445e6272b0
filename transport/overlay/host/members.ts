/** Certificates: of this node, which is renewed at half of its life, and of others, where this node is asked for them. */
import { isMeshError, MeshError } from '../../../core/errors.ts';
import type { Drops } from '../drops.ts';
import { Lanes } from '../lanes.ts';
import type { PublicKey } from '../key-text.ts';
import type { Authority } from '../trust/authority.ts';
import { parseCertificate, renewAtMs, validUntilMs, type Certificate } from '../trust/certificate.ts';
import type { Network } from '../trust/descriptor.ts';
import { acceptAnswer, parseJoinAnswer, renewRequest } from '../trust/join.ts';
import { CertificateTrust, type Trust } from '../trust/trust.ts';
import { Requests } from './requests.ts';

export interface MembersOptions {
  readonly publicKey: PublicKey;
  readonly network: Network | undefined;
  readonly trust: Trust;
  readonly drops: Drops;
  readonly authority?: Authority;
  readonly saveAuthority?: (authority: Authority) => Promise<void>;
  readonly onCertificate?: (certificate: Uint8Array) => void;
  /** What this node has shown had expired, so that it was nobody's member: it is one again. */
  readonly onReadmitted?: () => void;
  /** Whom to ask for a certificate, the best first. */
  readonly candidates: () => readonly PublicKey[];
  /** Sends a request; rejects where the peer is not reached. */
  readonly ask: (peer: PublicKey, request: Uint8Array) => Promise<void>;
  readonly reply: (peer: PublicKey, answer: Uint8Array) => void;
}

const ANSWER_MS = 10_000;
/** After a renewal that came to nothing. */
const RETRY_MS = 60_000;
/** Between two looks at the clock: timers stand still while a machine sleeps, and certificates do not. */
const LOOK_MS = 30_000;

export class Members {
  private readonly o: MembersOptions;
  private readonly publicKey: Uint8Array;
  /** Undefined: this node gives none. */
  private readonly requests: Requests | undefined;
  private readonly waiting = new Map<PublicKey, (answer: Uint8Array) => void>();
  /** An answer does not say to what: one request at a time to each. Of candidates alone. */
  private readonly lanes = new Map<PublicKey, Lanes>();
  private timer: NodeJS.Timeout | undefined;
  private failure: string | undefined;
  private isStopped = false;

  constructor(o: MembersOptions) {
    this.o = o;
    this.publicKey = Buffer.from(o.publicKey, 'hex');
    const { authority, saveAuthority = () => Promise.resolve(), reply, drops } = o;
    if (authority !== undefined) this.requests = new Requests({ authority, save: saveAuthority, reply, drops });
  }

  get certificate():
    | { readonly notBeforeMs: number; readonly notAfterMs: number; readonly renewalFailed: string | undefined }
    | undefined {
    const own = this.own();
    if (own === undefined) return undefined;
    return { notBeforeMs: own.notBeforeMs, notAfterMs: own.notAfterMs, renewalFailed: this.failure };
  }

  /** `leastMs`: what a renewal just now was given may have to be renewed already, as where its issuing key is about to end. */
  start(leastMs = 0): void {
    const own = this.own();
    if (own === undefined || this.isStopped) return;
    const wait = Math.max(leastMs, renewAtMs(own) - Date.now());
    this.timer = setTimeout(
      () => (wait <= LOOK_MS ? void this.renew() : this.start(leastMs - LOOK_MS)),
      Math.min(Math.max(0, wait), LOOK_MS),
    );
    this.timer.unref();
  }

  /** A message on the channel of requests and answers. */
  received(from: PublicKey, bytes: Uint8Array): void {
    const waiting = this.waiting.get(from);
    if (waiting !== undefined && parseJoinAnswer(bytes) !== undefined) {
      this.waiting.delete(from);
      waiting(bytes);
    } else if (this.requests === undefined) this.o.drops.join_unheard += 1;
    else this.requests.received(performance.now(), from, bytes);
  }

  /** The first answer that any of the candidates gives. Rejects with NET_PEER_UNREACHABLE, NET_PEER_REFUSED. */
  async request(request: Uint8Array): Promise<Uint8Array> {
    let failure = new MeshError('NET_PEER_UNREACHABLE', 'this node knows nobody whom it could ask for a certificate');
    for (const peer of this.o.candidates()) {
      try {
        return await this.laneOf(peer).run(() => this.requestOf(peer, request));
      } catch (error) {
        if (!isMeshError(error)) throw error;
        failure = error;
      }
    }
    throw failure;
  }

  stop(): void {
    this.isStopped = true;
    this.requests?.stop();
    clearTimeout(this.timer);
  }

  private own(): Certificate | undefined {
    const { trust } = this.o;
    return trust instanceof CertificateTrust && trust.certificate !== undefined ? parseCertificate(trust.certificate) : undefined;
  }

  private laneOf(peer: PublicKey): Lanes {
    const lane = this.lanes.get(peer) ?? new Lanes(1);
    this.lanes.set(peer, lane);
    return lane;
  }

  private async requestOf(peer: PublicKey, request: Uint8Array): Promise<Uint8Array> {
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
    this.waiting.set(peer, resolve);
    let timer: NodeJS.Timeout | undefined;
    try {
      await this.o.ask(peer, request);
      // Not before it was asked: nobody would be there to take what is rejected meanwhile.
      timer = setTimeout(
        () => reject(new MeshError('NET_PEER_UNREACHABLE', `${peer} gave no answer to a request for a certificate`)),
        ANSWER_MS,
      );
      return await promise;
    } finally {
      clearTimeout(timer);
      this.waiting.delete(peer);
    }
  }

  private async renew(): Promise<void> {
    const { network, trust, authority } = this.o;
    if (network === undefined || !(trust instanceof CertificateTrust) || trust.certificate === undefined) return;
    try {
      const request = renewRequest(trust.certificate);
      // Who gives certificates gives its own.
      const answer = await (authority?.answer(this.publicKey, request, Date.now()) ?? this.request(request));
      const { certificateBytes } = acceptAnswer(answer, network, this.publicKey, Date.now());
      const had = this.own();
      trust.present(certificateBytes, this.publicKey, Date.now());
      if (had !== undefined && validUntilMs(had) <= Date.now()) this.o.onReadmitted?.();
      this.failure = undefined;
      this.o.onCertificate?.(certificateBytes);
      this.start(RETRY_MS);
    } catch (error) {
      if (!isMeshError(error)) throw error;
      this.failure = error.message;
      if (this.isStopped) return;
      this.timer = setTimeout(() => void this.renew(), RETRY_MS);
      this.timer.unref();
    }
  }
}
