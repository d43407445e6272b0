/** Channels of the overlay itself; the others are the user's. */

/** What names of channels of the overlay begin with. */
export const RESERVED_PREFIX = 'net/';
/** Requests to join and their answers. The only channel of guests. */
export const JOIN_CHANNEL = 'net/join';
/** Whole deny lists. */
export const DENY_LIST_CHANNEL = 'net/deny-list';
