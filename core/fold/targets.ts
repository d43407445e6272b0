/** Where a send goes. */
import type { Address, EffectId } from '../address.ts';
import type { Target } from '../effect.ts';
import type { Folded } from '../fold.ts';

/** To an address (with `!`: what it answers), or to what an effect has started in this process. Undefined: nowhere. */
export function resolveTarget(
  actor: Folded,
  target: Target,
): { readonly to: Address; readonly leaf?: undefined } | { readonly leaf: EffectId } | undefined {
  switch (target.kind) {
    case 'self':
      return { to: actor.env.address };
    case 'parent':
      return actor.env.parent === undefined ? undefined : { to: actor.env.parent };
    case 'address':
      return { to: target.address };
    case 'child': {
      const child = actor.tables.children?.get(target.child);
      if (child === undefined) return undefined;
      return child.address === undefined ? { leaf: child.spawn } : { to: child.address };
    }
  }
}

/** Behind `!` stands the effect (or the id of an outside client) that a reply answers. */
export function destination(target: Address): { readonly to: Address; readonly via?: EffectId } {
  const bang = target.indexOf('!');
  return bang < 0 ? { to: target } : { to: target.slice(0, bang), via: target };
}

/** How JSON holds a reference to an actor, or to an effect that waits for a reply. XState's own marker. */
export const reference = (id: string): { readonly xstate$$type: 1; readonly id: string } => ({ xstate$$type: 1, id });
