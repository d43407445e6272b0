/** How keys are named where parts of the overlay meet. */

/** An Ed25519 key in 64 hex digits, small letters. */
export type PublicKey = string;

/** Two hex digits a byte, small letters: of a key, its `PublicKey`. */
export const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
