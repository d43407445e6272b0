/** To which candidates of a peer probes go, and in which order. */
import { sourceOf } from '../source.ts';
import { endpointText, udpPath, type Endpoint } from '../paths/endpoint.ts';
import { familyOf, isPrivate, isPunchable, type Candidate, type Offer } from './candidates.ts';

export interface Target extends Endpoint {
  /** Probed in every volley; the others, which are addresses in a private network that is not ours, in the first ones only. */
  readonly isLikely: boolean;
}

/**
 * Those that are worth a probe: on the own LAN first (a probe there costs nobody anything and is answered at once), then as others see the
 * peer, then the rest. `refuse` is called for each that nothing may be sent to. Of a symmetric NAT each address is there once: its ports are
 * other ones for us, but a NAT of ours that looks at addresses alone must see something go there.
 */
export function targetsOf(o: {
  readonly theirs: Offer;
  readonly own: readonly Candidate[];
  forbidden(endpoint: Endpoint): boolean;
  refuse(): void;
}): readonly Target[] {
  const own = new Set(o.own.map(endpointText));
  const networks = new Set(o.own.filter(({ isReflexive }) => !isReflexive).map(({ host }) => networkOf(host)));
  const known = new Set<string>();
  const ranked: { readonly rank: number; readonly target: Target }[] = [];
  for (const { host, port, isReflexive } of o.theirs.candidates) {
    if (!isPunchable({ host, port }) || own.has(endpointText({ host, port })) || o.forbidden({ host, port })) {
      o.refuse();
      continue;
    }
    const once = isReflexive && o.theirs.kind === 'sym' ? host : endpointText({ host, port });
    if (known.has(once)) continue;
    known.add(once);
    const isNear = isPrivate(host) && networks.has(networkOf(host));
    const isFar = isPrivate(host) && !isNear && !isReflexive;
    ranked.push({ rank: isNear ? 0 : isReflexive ? 1 : isFar ? 3 : 2, target: { host, port, isLikely: !isFar } });
  }
  return ranked.toSorted((a, b) => a.rank - b.rank).map(({ target }) => target);
}

/** An IPv4 address as others see the side: where its NAT is. */
export const reflexiveIpv4 = (offer: Offer): Candidate | undefined =>
  offer.candidates.find((candidate) => candidate.isReflexive && familyOf(candidate.host) === 4);

/** The masks of interfaces are not known: /24 and /64, as most LANs are. Only order and number of probes hang on it. */
const networkOf = (host: string): string =>
  familyOf(host) === 4 ? host.slice(0, host.lastIndexOf('.')) : sourceOf(udpPath('', { host, port: 1 }));
