/** `authority.json` of a network folder: open invites (of each the hash of its token), and whom the authority has given which name. */
import * as z from 'zod';
import { MeshError } from '../../core/errors.ts';
import type { AuthorityState } from '../../transport/overlay/trust/authority.ts';
import { NAME } from '../../transport/overlay/trust/encoding.ts';
import { ROLES } from '../../transport/overlay/trust/roles.ts';

export const AUTHORITY_BYTES_MAX = 16 * 1024 * 1024;

const hex32 = z.string().regex(/^[0-9a-f]{64}$/);
const invite = z
  .strictObject({ tokenHash: hex32, expiresMs: z.number(), roles: z.array(z.enum(ROLES)).min(1), usedBy: hex32.optional() })
  .transform(({ usedBy, ...open }) => ({ ...open, ...(usedBy !== undefined && { usedBy }) }));
const schema = z.strictObject({
  invites: z.array(invite).default([]),
  names: z.array(z.strictObject({ name: z.string().regex(NAME), publicKey: hex32 })).default([]),
});

/** `text`: undefined: nothing was kept yet. Throws NET_FOLDER_INVALID. */
export function parseAuthorityState(text: string | undefined, file: string): AuthorityState {
  let given: unknown;
  try {
    given = JSON.parse(text ?? '{}');
  } catch (cause) {
    throw new MeshError('NET_FOLDER_INVALID', `${file} is no JSON: ${(cause as Error).message}`);
  }
  const parsed = schema.safeParse(given);
  if (parsed.success) return parsed.data;
  const where = parsed.error.issues[0]?.path.join('.') ?? '';
  throw new MeshError('NET_FOLDER_INVALID', `${file} holds at '${where}' what Reprise did not write there`);
}

export const authorityStateText = (state: AuthorityState): string => `${JSON.stringify(state, undefined, 2)}\n`;
