/**
 * `config.json` of a network folder: what a person may change. Everything else in the folder is keys and signed statements.
 *
 *   { "name": "laptop",                              of this node; a certificate may give it another
 *     "listen": ["0.0.0.0:7337"],                    UDP; none: any port
 *     "endpoints": ["relay.example.org:7337"],       where others reach this node, for the invites that it makes; none: its own addresses
 *     "relays": [{ "key": "…", "name": "hub", "endpoints": ["…"] }],
 *     "peers": [{ "key": "…", "name": "nas", "roles": ["node"], "endpoints": ["…"] }],
 *     "webSocket": { "listen": "0.0.0.0:443",         takes WebSockets there, as `--ws`; with both files (PEM, whole paths) by TLS
 *                    "tlsCert": "/…", "tlsKey": "/…" },
 *     "birthday": true }                             whether ports of symmetric NATs are guessed, by at most 1,024 datagrams
 *
 * Keys are public, 64 hex digits. In a network without a CA `peers` are its members; in others they are only known where they are.
 */
import * as z from 'zod';
import { nearest } from '../../core/config/problems.ts';
import { assert, MeshError } from '../../core/errors.ts';
import { ENDPOINTS_MAX, isEndpoint } from '../../transport/overlay/trust/invite.ts';
import { NAME } from '../../transport/overlay/trust/encoding.ts';
import { ROLES } from '../../transport/overlay/trust/roles.ts';
import { parseListen } from './endpoints.ts';

const PEERS_MAX = 4096;
export const CONFIG_BYTES_MAX = 4 * 1024 * 1024;

const name = z.string().regex(NAME, 'is no name: 1 to 63 letters, digits and . _ -, with a letter or digit first');
const key = z.string().regex(/^[0-9a-f]{64}$/, 'is no public key: 64 hex digits');
const endpoint = z.string().refine(isEndpoint, 'is no endpoint: host:port, [IPv6]:port, ws://host:port or wss://host:port');
const endpoints = z.array(endpoint).max(ENDPOINTS_MAX);
const listen = z.string().refine((text) => parseListen(text) !== undefined, 'is no IP address with a port');

const peer = z.strictObject({
  key,
  name: name.optional(),
  roles: z.array(z.enum(ROLES)).min(1).default(['node']),
  endpoints: endpoints.default([]),
});

const webSocket = z
  .strictObject({ listen, tlsCert: z.string().optional(), tlsKey: z.string().optional() })
  .refine(({ tlsCert, tlsKey }) => (tlsCert === undefined) === (tlsKey === undefined), 'needs tlsCert and tlsKey together');

const schema = z.strictObject({
  name: name.optional(),
  listen: z.array(listen).max(8).default([]),
  endpoints: endpoints.default([]),
  relays: z
    .array(z.strictObject({ key, name: name.optional(), endpoints: endpoints.min(1) }))
    .max(16)
    .default([]),
  peers: z.array(peer).max(PEERS_MAX).default([]),
  webSocket: webSocket.optional(),
  birthday: z.boolean().default(true),
});

export type NetConfig = z.output<typeof schema>;
export type KnownPeer = NetConfig['peers'][number];

/** With all defaults. */
export const netConfig = (given: z.input<typeof schema>): NetConfig => schema.parse(given);

/** What was typed, or came through the control socket. Throws USAGE. */
export function knownPeer(given: unknown): KnownPeer {
  const parsed = peer.safeParse(given);
  if (parsed.success) return parsed.data;
  throw new MeshError('USAGE', faultText(parsed.error));
}

/** Throws NET_FOLDER_INVALID, naming the file and what is wrong in it. */
export function parseNetConfig(text: string, file: string): NetConfig {
  const parsed = schema.safeParse(jsonOf(text, file));
  if (parsed.success) return parsed.data;
  throw new MeshError('NET_FOLDER_INVALID', `${file}: ${faultText(parsed.error)}`);
}

/** `relays.0.endpoints.0 is no endpoint: …` */
function faultText({ issues: [issue] }: z.ZodError): string {
  assert(issue !== undefined, 'what is refused has a fault');
  const where = issue.path.length === 0 ? 'it' : issue.path.join('.');
  if (issue.code !== 'unrecognized_keys')
    return `${where} ${OWN.test(issue.message) ? issue.message : `is wrong: ${issue.message.replace('Invalid input: ', '')}`}`;
  const [word = ''] = issue.keys;
  const near = nearest(word, issue.path.length === 0 ? Object.keys(schema.shape) : WORDS_WITHIN);
  return `${where} has "${word}", which means nothing there${near === undefined ? '' : ` (did you mean "${near}"?)`}`;
}

/** So begin the messages that stand in this file. */
const OWN = /^(?:is no|needs) /;
const WORDS_WITHIN = [...Object.keys(peer.shape), ...Object.keys(webSocket.shape)];

export const netConfigText = (config: NetConfig): string => `${JSON.stringify(config, undefined, 2)}\n`;

function jsonOf(text: string, file: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new MeshError('NET_FOLDER_INVALID', `${file} is no JSON: ${(cause as Error).message}`);
  }
}
