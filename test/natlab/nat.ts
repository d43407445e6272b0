/**
 * The kinds of NAT boxes, as rules of nft. A box has two links, `lan` and `wan`, and one public address at a time.
 *
 *   none     a router: the host is public
 *   full     one mapping for a socket, whoever it talks to; anyone may send to it (full cone)
 *   addr     one mapping for a socket; only addresses that it has sent to may send to it (restricted cone)
 *   port     Linux masquerade: keeps the port where it is free; only endpoints that it has sent to may send to it
 *   sym      a random port for each endpoint that a socket sends to (symmetric)
 *   block    as port for TCP; no UDP gets out
 *   poison   as port, but the box itself accepts what nobody asked for, as container hosts do. Such a packet owns its tuple in
 *            conntrack, so a flow of the host to the same endpoint is given another port later: an early probe closes the way that it was to open
 *   proxy    nothing of the host gets out; the box itself does, so a proxy that runs there is the only way
 *
 * `full` and `addr` keep ports, and remember mappings themselves, for conntrack's are per pair of endpoints; so hosts behind the same box
 * are to use different ports. So does a box with hairpin: what a host sends to the public address of the box comes back to the host that has the
 * port there, from the public address, if the kind of the box would let it in from outside. Symmetric boxes have none.
 */
export const NAT_KINDS = ['none', 'full', 'addr', 'port', 'sym', 'block', 'poison', 'proxy'] as const;

export type NatKind = (typeof NAT_KINDS)[number];

export interface NatBox {
  readonly kind: NatKind;
  /** The public address. */
  readonly wan: string;
  /** How long `full` and `addr` remember a mapping that the host does not use. */
  readonly mappingSeconds: number;
  readonly hairpin: boolean;
}

interface Rules {
  readonly pre?: string;
  readonly forward?: string;
  readonly post?: string;
}

const KEEPS_MAPPING = 'iifname "lan" oifname "wan" meta l4proto udp update @mappings { udp sport : ip saddr }';
const TO_MAPPING = 'dnat to udp dport map @mappings';

const RULES: Readonly<Record<NatKind, (wan: string) => Rules>> = {
  none: () => ({}),
  full: (wan) => ({
    pre: `iifname "wan" meta l4proto udp ${TO_MAPPING}`,
    forward: KEEPS_MAPPING,
    post: `snat to ${wan}`,
  }),
  addr: (wan) => ({
    pre: `iifname "wan" meta l4proto udp udp dport . ip saddr @talked ${TO_MAPPING}`,
    forward: `${KEEPS_MAPPING} update @talked { udp sport . ip daddr }`,
    post: `snat to ${wan}`,
  }),
  port: (wan) => ({ post: `snat to ${wan}` }),
  sym: (wan) => ({ post: `snat to ${wan} fully-random` }),
  block: (wan) => ({ forward: 'meta l4proto udp drop', post: `snat to ${wan}` }),
  poison: (wan) => ({ post: `snat to ${wan}` }),
  proxy: () => ({ forward: 'drop' }),
};

/** What a packet that goes to the box's own address from inside has to be, to go on to the host that has the port. */
const HAIRPINS = {
  full: '',
  addr: 'udp dport . ip daddr @talked',
  port: 'udp dport . ip daddr . udp sport @spoken',
} as const;

export const HAIRPIN_KINDS = ['full', 'addr', 'port'] as const satisfies readonly (keyof typeof HAIRPINS)[];

const hasHairpin = (kind: NatKind): kind is keyof typeof HAIRPINS => kind in HAIRPINS;

interface HairpinRules {
  readonly raw: string;
  readonly input: string;
  readonly pre: string;
  readonly post: string;
}

/** What is not let in is dropped at once: conntrack would remember it, and nothing of its flow would come by `pre` again. */
function hairpinRules(kind: NatKind, wan: string): HairpinRules {
  if (!hasHairpin(kind)) throw new Error(`${kind} has no hairpin`);
  return {
    raw: `iifname "lan" meta l4proto udp update @mappings { udp sport : ip saddr } update @talked { udp sport . ip daddr } update @spoken { udp sport . ip daddr . udp dport }`,
    input: `iifname "lan" ip daddr ${wan} meta l4proto udp drop`,
    pre: `iifname "lan" ip daddr ${wan} meta l4proto udp ${HAIRPINS[kind]} ${TO_MAPPING}`,
    post: `iifname "lan" oifname "lan" ct status dnat snat to ${wan}`,
  };
}

const NO_HAIRPIN: HairpinRules = { raw: '', input: '', pre: '', post: '' };

/** Replaces all rules of the box, and with them the mappings of `full` and `addr`. */
export function natRules({ kind, wan, mappingSeconds, hairpin }: NatBox): string {
  const { pre = '', forward = '', post = '' } = RULES[kind](wan);
  const input = kind === 'poison' ? '' : 'iifname "wan" ct state new drop';
  const back = hairpin ? hairpinRules(kind, wan) : NO_HAIRPIN;
  const kept = `flags dynamic,timeout; timeout ${mappingSeconds}s;`;
  return `flush ruleset
table ip box {
  map mappings { type inet_service : ipv4_addr; ${kept} }
  set talked { type inet_service . ipv4_addr; ${kept} }
  set spoken { type inet_service . ipv4_addr . inet_service; ${kept} }
  chain raw {
    type filter hook prerouting priority -150
    ${back.raw}
  }
  chain input {
    type filter hook input priority 0
    ${input}
    ${back.input}
  }
  chain forward {
    type filter hook forward priority 0
    ${forward}
  }
  chain pre {
    type nat hook prerouting priority -100
    ${pre}
    ${back.pre}
  }
  chain post {
    type nat hook postrouting priority 100
    ${back.post}
    ${post === '' ? '' : `oifname "wan" ${post}`}
  }
}`;
}

/** Beside the rules of the box, which keep their mappings: UDP does not get through from now on, or does again. */
export const udpBlock = (isBlocked: boolean): string => `table ip block
delete table ip block
${
  isBlocked
    ? `table ip block {
  chain forward {
    type filter hook forward priority 1
    meta l4proto udp drop
  }
}`
    : ''
}`;

export interface Core {
  /** Of UDP, each way. */
  readonly lossPercent: number;
  /** Packets between these two groups of addresses are dropped. */
  readonly cut: readonly (readonly [readonly string[], readonly string[]])[];
  /** What comes from these addresses or goes there is dropped. */
  readonly silent: readonly string[];
}

/** Hops of the Internet: a packet with a lower TTL does not reach the other side. Openers of hole punching are meant not to. */
const HOPS = 10;

/** The device of the impairment (`impairment.ts`): a packet that goes there comes by once more. */
export const IMPAIR_DEVICE = 'impair0';

/** Rules of the core of the Internet. */
export function coreRules({ lossPercent, cut, silent }: Core): string {
  const between = (from: readonly string[], to: readonly string[]): string =>
    `ip saddr { ${from.join(', ')} } ip daddr { ${to.join(', ')} } drop`;
  const rules = [
    `ip ttl < ${HOPS} drop`,
    ...cut.flatMap(([one, other]) => [between(one, other), between(other, one)]),
    ...silent.flatMap((address) => [`ip saddr ${address} drop`, `ip daddr ${address} drop`]),
    ...(lossPercent > 0
      ? [`meta l4proto udp oifname != "${IMPAIR_DEVICE}" numgen random mod 10000 < ${Math.round(lossPercent * 100)} drop`]
      : []),
  ];
  return `flush ruleset
table ip internet {
  chain forward {
    type filter hook forward priority 0
    ${rules.join('\n    ')}
  }
}`;
}
