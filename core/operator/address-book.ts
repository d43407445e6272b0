/**
 * Which declared actor an address belongs to: itself, or the kind that it stands under (members of a pool, keyed actors, children that a
 * chart spawned, forks).
 */
import { type Address, ROOT } from '../address.ts';
import { suggest } from '../config/problems.ts';
import type { ActorPlan, MeshPlan } from '../config/plan.ts';
import { MeshError } from '../errors.ts';
import { supervisorOf } from '../supervisor.ts';

/** A fork stands at `ACTOR~NAME`: no name in a mesh file has a `~`. */
export const forkAddress = (of: Address, name: string): Address => `${of}~${name}`;

const withoutFork = (address: Address): Address => {
  const tilde = address.lastIndexOf('~');
  return tilde > address.lastIndexOf('/') ? address.slice(0, tilde) : address;
};

export class AddressBook {
  private readonly declared: ReadonlyMap<Address, ActorPlan>;
  private readonly where: string;

  /** `file`: where the plan comes from, for errors. */
  constructor(plan: MeshPlan, file?: string) {
    this.where = file === undefined ? '' : ` in ${file}`;
    this.declared = new Map(plan.actors.map((actor) => [actor.address, actor]));
  }

  /** Undefined: nothing declares it. */
  at(address: Address): ActorPlan | undefined {
    const exact = this.declared.get(address) ?? this.declared.get(withoutFork(address));
    if (exact !== undefined) return exact;
    const isChild = address.includes('@', 1);
    for (let above = parent(address); above !== ''; above = parent(above)) {
      const found = this.declared.get(above) ?? this.declared.get(withoutFork(above));
      if (found === undefined) continue;
      const holds = found.kind === 'keyed' || found.kind === 'pool' || (isChild && found.kind === 'worker');
      return holds ? found : undefined;
    }
    return undefined;
  }

  /** The keyed kind that this is one actor of, and its key. Throws ADDRESS_INVALID when the key is not percent-encoded. */
  keyed(address: Address): { readonly plan: ActorPlan; readonly key: string } | undefined {
    if (address.includes('@', 1)) return undefined;
    const plan = this.at(address);
    if (plan?.kind !== 'keyed' || parent(address) !== plan.address) return undefined;
    try {
      return { plan, key: decodeURIComponent(address.slice(plan.address.length + 1)) };
    } catch (cause) {
      throw new MeshError('ADDRESS_INVALID', `the key in '${address}' is not percent-encoded`, { cause });
    }
  }

  /** A supervisor or a pool starts it, no message does. */
  isSupervised(address: Address): boolean {
    const plan = this.at(address);
    if (plan === undefined || plan.kind === 'keyed') return false;
    if (plan.address === address) return true;
    const member = address.slice(plan.address.length + 1);
    return parent(address) === plan.address && /^[1-9]\d*$/.test(member) && Number(member) <= plan.members;
  }

  /** Who starts and stops it; undefined: nobody (keyed actors, forks, children of charts). */
  supervisor(address: Address): Address | undefined {
    const plan = this.at(address);
    if (plan === undefined || (plan.address !== address && !this.isSupervised(address))) return undefined;
    return supervisorOf(address);
  }

  /** What messages from outside may be sent to. Throws ACTOR_NOT_FOUND, which names what was meant or what there is. */
  receiver(address: Address): ActorPlan {
    const found = this.at(address);
    if (found?.kind === 'keyed' && address === found.address)
      throw new MeshError('ACTOR_NOT_FOUND', `'${address}' is a kind of actors by key: send to ${address}/KEY`);
    if (found !== undefined && (found.kind !== 'keyed' || this.keyed(address) !== undefined || address.includes('@', 1)))
      return found;
    const known = [...this.declared.values()].filter((a) => a.address !== ROOT).map(nameOf);
    throw new MeshError('ACTOR_NOT_FOUND', `no actor '${address}'${this.where}${suggest(address, known)}`, { data: { known } });
  }
}

const parent = (address: Address): Address => address.slice(0, Math.max(0, address.lastIndexOf('/')));
const nameOf = (actor: ActorPlan): string => (actor.kind === 'keyed' ? `${actor.address}/KEY` : actor.address);
