/** Why packets of strangers and peers were dropped: one counter a reason. A dropped packet changes nothing else. */

/** Each reason with what it means. Whoever drops for another reason adds it here. */
export const DROP_REASONS = {
  // wire/
  packet_type: 'the first byte is no type of packet, or there is none',
  packet_length: 'too short or too long for its type',
  packet_version: 'another version of the protocol',
  packet_reserved: 'a reserved byte is not zero',
  packet_number: 'the packet number is above 2^53 - 1',
  frames_malformed: 'authentic, but its frames cannot be read, or one is critical and unknown',
  // session/: handshakes
  mac1_wrong: 'a handshake for another node or network, or by one who does not know which this is',
  cookie_required: 'an INIT without a cookie under load; it was answered with one',
  source_busy: 'more INITs of one source than 20 a second',
  init_flooded: 'an INIT that made way for another before it was looked at: of its source, or because too many came',
  queue_full: 'more INITs wait than can be worked on',
  init_invalid: 'an INIT that is no handshake with this node',
  init_answered: 'an INIT again whose session is up: late, or a replay',
  init_crossed: 'an INIT of a peer whose own answer is awaited, which comes first',
  key_mismatch: 'the key in a handshake is not the one it was made with, or one that no node may have',
  own_key: 'a handshake of this node with itself',
  refused: 'a handshake of one who is not let in',
  resp_too_long: 'an INIT that is shorter than its answer would be',
  resp_unexpected: 'a RESP that answers no INIT of this node, or did already',
  resp_invalid: 'a RESP that is no answer to its INIT',
  cookie_unexpected: 'a COOKIE that answers no INIT of this node, or one too many',
  hint_ignored: 'a HINT for no key of this node, or within 5 s of the last handshake',
  // session/: packets
  index_unknown: 'DATA for a key that is not here (any more); it was answered with a HINT',
  key_expired: 'DATA under a key that is too old',
  pn_replayed: 'DATA whose number was taken, or is too far behind',
  tag_wrong: 'DATA whose tag does not hold',
  // paths/: not the packet is dropped, but what it asks for
  path_unanswered:
    'a PATH_CHALLENGE beyond two in one packet, or from an address that is not proved and sent too little for an answer',
  path_unproved: 'a PATH_RESPONSE that answers no challenge, or came by another path than its challenge went',
  path_refused: 'a packet from a new source while all paths that are kept of the peer are in use',
  // node/
  not_taken: 'authentic, but the association has ended, or there is no memory for its fragments now',
  guest_message: 'a message of a guest that is no request to join',
  guest_refused: 'one who came to ask for a certificate, while as many as may be were here to do so',
  channel_unheard: 'a message on a channel that nobody listens to here',
  relay_unreachable: 'for a peer by way of a relay that this node has no direct way to, or too long for that way',
  relay_role: 'a RELAY, REGISTER or RESOLVE for a node that is no relay, or a RELAY of one that is none',
  denylist_malformed: 'a deny list that does not hold, or numbers of lists that cannot be read',
  control_full: 'an answer for a peer for whom too many wait',
  // host/
  join_unheard: 'a request for a certificate at a node that gives none, or an answer to none',
  // host/: at an authority
  join_busy: 'a request for a certificate of one who asks too often, or while too many wait',
  join_unsaved: 'a request for a certificate that got no answer, for the state of the authority could not be kept',
  // punch/
  punch_malformed: 'a CANDIDATES or PUNCH whose body cannot be read',
  punch_unexpected: 'a CANDIDATES or PUNCH of an attempt that is over, that came before, or that is not for the peer to give',
  punch_too_often: 'a CANDIDATES that begins an attempt, of a peer that has begun too many',
  candidate_refused: 'a candidate to which nothing is sent: loopback, multicast, link-local, a relay, this node itself',
  // endpoint/
  socket_closed: 'for a socket or a WebSocket that is not open',
  socket_full: 'for a socket or a WebSocket whose queue is full',
  stream_malformed: 'a WebSocket message that does not hold packets; its connection was ended',
  stream_refused: 'a connection beyond the limit of the WebSocket server or of its source',
  stream_unproved:
    'not a packet, but a connection to the WebSocket server by which no member spoke in time, at first or since the session of one had ended; it was ended',
  // relay/: at a relay
  relay_malformed: 'a REGISTER, RESOLVE, RECORD or RELAY that cannot be read',
  relay_unregistered: 'a RELAY of one who is not registered here',
  relay_unknown: 'a RELAY for one who is not registered here',
  relay_rate: 'a RELAY of one who sends more than 10 MB/s',
  relay_queue_full: 'a RELAY for one for whom too many wait',
  relay_busy: 'a REGISTER or RESOLVE of one who sends too many',
  // relay/: at its client
  record_unexpected: 'a RECORD that answers nothing that was asked',
  record_refused: 'a record of a relay that is not what was asked for, forged, or not fresh',
} as const;

export type DropReason = keyof typeof DROP_REASONS;

/** Packets dropped since the start, by reason. */
export type Drops = Record<DropReason, number>;

export function noDrops(): Drops {
  return Object.fromEntries(Object.keys(DROP_REASONS).map((reason) => [reason, 0])) as Drops;
}
