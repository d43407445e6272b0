/** Numbers that stand in the text of the two pages of bytes: they are those of the code. What the tables say is held by the readers of the pages. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { CONNECTION_LIMITS } from '../../../transport/overlay/channels/limits.ts';
import { MESSAGE_COST } from '../../../transport/overlay/channels/flow.ts';
import { CELL } from '../../../transport/overlay/channels/reassembly.ts';
import { BATCH_BYTES_MAX } from '../../../transport/overlay/endpoint/batch.ts';
import { OVERLAY_HTTP_PATH, WEBSOCKET_LIMITS } from '../../../transport/overlay/endpoint/websocket-server.ts';
import { GUEST_MS, GUESTS_MAX } from '../../../transport/overlay/node/denials.ts';
import { PORTS } from '../../../transport/overlay/punch/birthday.ts';
import { BIRTHDAY_EVERY_MS } from '../../../transport/overlay/punch/budget.ts';
import { CANDIDATES_MAX } from '../../../transport/overlay/punch/candidates.ts';
import { PROBES_MAX } from '../../../transport/overlay/punch/punching.ts';
import { ACK_DELAY_MAX_MS } from '../../../transport/overlay/recovery/rtt.ts';
import {
  ENDPOINT_TEXT_MAX,
  PARTS_MAX,
  RECORD_BODY_BYTES_MAX,
  RECORDS_MAX,
  RELAY_ENDPOINTS_MAX,
  RELAYED_BYTES_MAX,
  RELAYS_TOLD_MAX,
} from '../../../transport/overlay/relay/bodies.ts';
import { RELAY_LIMITS } from '../../../transport/overlay/relay/relay-server.ts';
import { COOKIE_SECRET_MS, LOADED_INITS_PER_SECOND, LOADED_QUEUE } from '../../../transport/overlay/session/gate.ts';
import { HANDSHAKE_MS } from '../../../transport/overlay/session/handshake.ts';
import { KEY_LIMITS } from '../../../transport/overlay/session/keys.ts';
import { TENTATIVE_MAX, TENTATIVE_MS } from '../../../transport/overlay/session/peer.ts';
import { WINDOW_PACKETS } from '../../../transport/overlay/session/replay-window.ts';
import { INVITE_LIFE_MS, RENEWAL_GRACE_MS } from '../../../transport/overlay/trust/authority.ts';
import { CERTIFICATE_BYTES_MAX } from '../../../transport/overlay/trust/certificate.ts';
import { DENIED_KEYS_MAX } from '../../../transport/overlay/trust/deny-list.ts';
import { DESCRIPTOR_BYTES_MAX, LIMITS } from '../../../transport/overlay/trust/descriptor.ts';
import { ENDPOINTS_MAX, TOKEN_BYTES } from '../../../transport/overlay/trust/invite.ts';
import { JOIN_ANSWER_BYTES_MAX } from '../../../transport/overlay/trust/join.ts';
import { NAMES_MAX, NAMES_OF_KEY_MAX } from '../../../transport/overlay/trust/given-names.ts';
import { RECORD_BYTES_MAX, RECORD_RELAYS_MAX } from '../../../transport/overlay/trust/record.ts';
import { RECORD_SKEW_MS } from '../../../transport/overlay/trust/records.ts';
import { ACK_RANGES_MAX, CHANNEL_NAME_BYTES_MAX, MESSAGE_BYTES_MAX } from '../../../transport/overlay/wire/frames.ts';
import { DATAGRAM_BYTES_MIN, helloBytes, OBSERVED_BYTES_MAX } from '../../../transport/overlay/wire/hello.ts';
import { INIT_BYTES_MIN, RESP_OVERHEAD_BYTES } from '../../../transport/overlay/wire/packets.ts';

const textOf = (page: string): string => readFileSync(`docs/${page}.md`, 'utf8').replaceAll(/\s+/g, ' ');
const wire = textOf('overlay-wire');
const trust = textOf('overlay-trust');
const n = (value: number): string => value.toLocaleString('en-US');
const seconds = (ms: number): string => n(ms / 1_000);
const minutes = (ms: number): string => n(ms / 60_000);
const power = (value: number): string => `2^${Math.log2(value)}`;

const longest = {
  observed: new Uint8Array(OBSERVED_BYTES_MAX),
  certificate: new Uint8Array(CERTIFICATE_BYTES_MAX),
};

describe('docs/overlay-wire.md', () => {
  const { channelsMax, partialsMax, partialIdleMs, windowMessages, windowBytes, closeMs, silenceMs } = CONNECTION_LIMITS;
  const { requests, notices, bytes, queueMax } = RELAY_LIMITS;
  test.each([
    `at least ${INIT_BYTES_MIN} bytes`,
    `at least ${RESP_OVERHEAD_BYTES + helloBytes(longest)}, for a RESP`,
    `the longest certificate, ${CERTIFICATE_BYTES_MAX} bytes`,
    `${DATAGRAM_BYTES_MIN} at least`,
    `more than ${LOADED_INITS_PER_SECOND} in a second, or ${LOADED_QUEUE} that wait`,
    `the secret changes every ${seconds(COOKIE_SECRET_MS)} s`,
    `is ${n(WINDOW_PACKETS)} or more below the highest`,
    `It is given up after ${seconds(HANDSHAKE_MS)} s`,
    `no DATA has proved are forgotten after ${seconds(TENTATIVE_MS)} s`,
    TENTATIVE_MAX === 4 ? 'of one peer at most four are kept' : 'another number of tentative keys',
    `when they are ${seconds(KEY_LIMITS.rekeyMs)} s old, or have sealed ${power(KEY_LIMITS.rekeyPackets)} packets, or ${power(KEY_LIMITS.wrongTags)} wrong tags`,
    `that are ${seconds(KEY_LIMITS.stopMs)} s old or have sealed ${power(KEY_LIMITS.stopPackets)} packets`,
    `A message has at most ${n(MESSAGE_BYTES_MAX)} bytes`,
    `\`more\` is at most ${ACK_RANGES_MAX - 1}`,
    `at most ${CHANNEL_NAME_BYTES_MAX} bytes`,
    `a multiple of ${CELL}`,
    `There are at most ${n(channelsMax)} channels`,
    `its bytes and ${MESSAGE_COST} more, against MAX_DATA, which begins at ${windowBytes / 2 ** 20} MiB`,
    `may have ${n(JOIN_ANSWER_BYTES_MAX)} bytes all the same`,
    `and than ${n(JOIN_ANSWER_BYTES_MAX)} bytes`,
    `MAX_MSGS, which begins at ${n(windowMessages)}`,
    `at most ${partialsMax} messages in fragments`,
    `None stands still for ${seconds(partialIdleMs)} s`,
    `else after ${ACK_DELAY_MAX_MS} ms`,
    `at most ${n(RECORD_BODY_BYTES_MAX)} bytes`,
    `at most ${RECORDS_MAX} records of 1 to ${RECORD_BYTES_MAX} bytes`,
    `\`parts\` parts, 1 to ${PARTS_MAX}`,
    `and ${RELAYS_TOLD_MAX} at most, at most ${RELAY_ENDPOINTS_MAX} endpoints each, of 1 to ${ENDPOINT_TEXT_MAX} characters`,
    `more than ${requests.perSecond} REGISTERs and RESOLVEs in a second (${requests.burst} at once)`,
    notices.perSecond === 10 ? 'tells at most ten a second' : 'another number of notices',
    `1 to ${n(RELAYED_BYTES_MAX)} bytes`,
    `beyond ${bytes.perSecond / 1e6} MB in a second of one client, or while ${queueMax} packets wait`,
    `at most ${CANDIDATES_MAX} candidates`,
    `at most ${PROBES_MAX} in an attempt`,
    `at most ${n(PORTS)} of them`,
    `once in ${minutes(BIRTHDAY_EVERY_MS)} minutes for each`,
    `A guest has ${seconds(GUEST_MS)} s`,
    `gives it up after ${seconds(closeMs)} s`,
    `for ${seconds(silenceMs)} s something is under way`,
    `at the path \`${OVERLAY_HTTP_PATH}\``,
    `A message has at most ${n(BATCH_BYTES_MAX)} bytes`,
    `sends nothing for ${seconds(WEBSOCKET_LIMITS.idleMs)} s`,
    `no member has spoken ${seconds(WEBSOCKET_LIMITS.provedMs)} s after`,
  ])('says: %s', (phrase) => {
    expect(wire).toContain(phrase);
  });
});

describe('docs/overlay-trust.md', () => {
  test.each([
    `1,024 to 16,777,216; ${n(LIMITS.messageBytesMax)} unless set`,
    `60,000 to 2,678,400,000; ${n(LIMITS.certificateLifeMs)} unless set`,
    `1,000 to 600,000; ${n(LIMITS.recordTtlMs)} unless set`,
    `At most ${DESCRIPTOR_BYTES_MAX} bytes`,
    `At most ${CERTIFICATE_BYTES_MAX} bytes`,
    `none twice, at most ${n(DENIED_KEYS_MAX)}`,
    `At most ${RECORD_BYTES_MAX} bytes and ${RECORD_RELAYS_MAX === 4 ? 'four' : 'another number of'} relays`,
    `seq ≤ now + ${seconds(RECORD_SKEW_MS)} s`,
    `now < seq + ttlMs + ${seconds(RECORD_SKEW_MS)} s`,
    `token (${TOKEN_BYTES} bytes)`,
    `One to ${ENDPOINTS_MAX === 4 ? 'four' : 'another number of'} endpoints`,
    `for ${INVITE_LIFE_MS === 600_000 ? 'ten' : 'other'} minutes`,
    `at most ${RENEWAL_GRACE_MS / 86_400_000} days ago may still be renewed`,
    `at most ${n(NAMES_MAX)} names, and ${NAMES_OF_KEY_MAX === 4 ? 'four' : 'another number'} of one key`,
    `${GUESTS_MAX} guests may be there at one time, for ${seconds(GUEST_MS)} s each`,
  ])('says: %s', (phrase) => {
    expect(trust).toContain(phrase);
  });
});
