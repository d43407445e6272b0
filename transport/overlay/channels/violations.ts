/** What a peer cannot do by accident. Each ends the association; the number is the code in CLOSE. 0 is an orderly end. */
export const VIOLATIONS = {
  ack_of_unsent: 1,
  channel_unknown: 2,
  channel_limit: 3,
  channel_changed: 4,
  mode_changed: 5,
  message_too_large: 6,
  fragment_misaligned: 7,
  fragment_inconsistent: 8,
  partial_limit: 9,
  partial_idle: 10,
  credit_exceeded: 11,
  close_changed: 12,
  sent_after_close: 13,
  malformed: 15,
} as const;

/** No violation: who gets this code is let in no more. */
export const EXPELLED = 14;

export type Violation = keyof typeof VIOLATIONS;
