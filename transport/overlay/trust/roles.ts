/** What a member may be. On the wire a number, one bit a role. */

export type Role = 'node' | 'relay' | 'admin';

/** In the order of their bits. `node`: to take part; `relay`: to serve registrations and relay; `admin`: to be asked for certificates. */
export const ROLES: readonly Role[] = ['node', 'relay', 'admin'];

export const ROLE_BITS_MAX = 2 ** ROLES.length - 1;

export const roleBits = (roles: Iterable<Role>): number => {
  const set = new Set(roles);
  return ROLES.reduce((bits, role, i) => bits + (set.has(role) ? 2 ** i : 0), 0);
};

/** In the order of `ROLES`. */
export const rolesOf = (bits: number): readonly Role[] => ROLES.filter((_, i) => (bits & (2 ** i)) !== 0);
