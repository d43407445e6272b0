/** Whom a supervisor or a pool holds an actor to be: read from its state, alive or folded from its log. */
import type { Address } from '../address.ts';
import type { View } from '../logic.ts';
import type { Child, SupervisionState } from '../supervision/state.ts';

/** `view`: of the supervisor or pool. Undefined: it knows no such child, or it has no state, as one that was removed or never began. */
export function childIn({ context }: Pick<View, 'context'>, address: Address): Child | undefined {
  const state = context as (Partial<SupervisionState> & { readonly supervision?: SupervisionState }) | null | undefined;
  return (state?.supervision ?? state)?.children?.find((child) => child.address === address);
}
