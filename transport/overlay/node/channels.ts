/** Channels of the overlay itself; the others are the user's. */

/** What names of channels of the overlay begin with. A message of a user there could take its way of delivery from the overlay's own. */
const RESERVED_PREFIX = 'net/';
export const isReserved = (channel: string): boolean => channel.startsWith(RESERVED_PREFIX);
/** Requests to join and their answers. The only channel of guests. */
export const JOIN_CHANNEL = 'net/join';
/** Whole deny lists. */
export const DENY_LIST_CHANNEL = 'net/deny-list';
