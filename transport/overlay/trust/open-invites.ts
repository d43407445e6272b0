/** The invites that an authority has made and that may still be used: by the hash of their token, which is all that it keeps. */
import { createHash } from 'node:crypto';
import type { Role } from './roles.ts';
import { hexOf } from '../key-text.ts';

/** Plain JSON. */
export interface OpenInvite {
  /** SHA-256, hex. */
  readonly tokenHash: string;
  readonly expiresMs: number;
  /** What it gives. */
  readonly roles: readonly Role[];
  /** The key that has used it, hex. It may ask again, for its answer may have been lost. */
  readonly usedBy?: string;
}

export class OpenInvites {
  private readonly invites: Map<string, OpenInvite>;

  constructor(invites: readonly OpenInvite[]) {
    this.invites = new Map(invites.map((invite) => [invite.tokenHash, invite]));
  }

  all(): readonly OpenInvite[] {
    return [...this.invites.values()];
  }

  add(token: Uint8Array, expiresMs: number, roles: readonly Role[]): void {
    const tokenHash = hashOf(token);
    this.invites.set(tokenHash, { tokenHash, expiresMs, roles });
  }

  /** The invite of this token, if this key may use it. */
  find(token: Uint8Array, publicKey: Uint8Array, wallClockMs: number): OpenInvite | 'invite_unknown' | 'invite_used' {
    const invite = this.invites.get(hashOf(token));
    // So written that a time which is no number is refused.
    if (invite === undefined || !(wallClockMs < invite.expiresMs)) return 'invite_unknown';
    return invite.usedBy === undefined || invite.usedBy === hexOf(publicKey) ? invite : 'invite_used';
  }

  /** From now on it is of this key only. */
  use(invite: OpenInvite, publicKey: Uint8Array): void {
    this.invites.set(invite.tokenHash, { ...invite, usedBy: hexOf(publicKey) });
  }

  /** Those that nobody has used are none any more. How many they were. */
  cancel(): number {
    const open = this.all().filter(({ usedBy }) => usedBy === undefined);
    for (const { tokenHash } of open) this.invites.delete(tokenHash);
    return open.length;
  }

  forget(wallClockMs: number): void {
    for (const { tokenHash, expiresMs } of this.all()) if (wallClockMs >= expiresMs) this.invites.delete(tokenHash);
  }
}

const hashOf = (token: Uint8Array): string => createHash('sha256').update(token).digest('hex');
