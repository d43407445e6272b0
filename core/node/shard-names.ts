/** Which shard an address belongs to, remembered: it is asked at each message. */
import { type Address, type Shard, shardOf, topOf } from '../address.ts';
import type { NodePlan } from './plan.ts';

const ADDRESSES_MAX = 100_000;

export class ShardNames {
  private readonly plan: Pick<NodePlan, 'groupOf' | 'shards'>;
  private readonly known = new Map<Address, Shard>();
  /** One text for all actors of a shard. */
  private readonly texts = new Map<Shard, Shard>();

  constructor(plan: Pick<NodePlan, 'groupOf' | 'shards'>) {
    this.plan = plan;
  }

  of(address: Address): Shard {
    const known = this.known.get(address);
    if (known !== undefined) return known;
    const name = shardOf(this.plan.groupOf(topOf(address)), address, this.plan.shards);
    const shard = this.texts.get(name) ?? name;
    this.texts.set(shard, shard);
    if (this.known.size > ADDRESSES_MAX) this.known.clear();
    this.known.set(address, shard);
    return shard;
  }

  /** Its cell knows it. */
  forget(address: Address): void {
    this.known.delete(address);
  }
}
