/** What went wrong, for people; as JSON where JSON was asked for. Either has commands as they can be typed. */
import { CODES, errorData, type ErrorCode, isMeshError, type MeshError } from '../core/errors.ts';
import type { Verb } from './command.ts';
import { quoted } from './invocation.ts';
import type { Io } from './io.ts';

export interface Telling {
  readonly isJson: boolean;
  /** What was called. */
  readonly verb: Verb | undefined;
  /** A text with its commands as they have to be typed. */
  readonly words: (text: string) => string;
}

export function tell(error: unknown, io: Io, { isJson, verb, words }: Telling): void {
  const { code = 'INTERNAL', message, data, cause } = errorData(error);
  const cure = cureFor(error, verb);
  if (isJson) {
    const told = {
      code,
      message: words(message),
      ...(cure !== undefined && { cure: words(cure) }),
      ...(data !== undefined && { data }),
    };
    return io.note(JSON.stringify({ error: told }));
  }
  const say = (line: string): void => io.note(words(line));
  say(`${isMeshError(error) ? code : 'error'}: ${message}`);
  if (cause !== undefined && !message.includes(cause.message)) say(`  because: ${cause.message}`);
  if (cure !== undefined) say(`  ${cure}`);
  if (io.env['REPRISE_DEBUG'] !== undefined && error instanceof Error) io.note(error.stack ?? '');
}

/** What to do, for people. Undefined: nothing is known, the message has said it, or this very verb is it. */
export function cureFor(error: unknown, verb?: Verb): string | undefined {
  if (!isMeshError(error)) return undefined;
  return cureOf(error.code, error.message, verb)
    ?.replaceAll(/\bPID\b/g, (name) => pidIn(error.data) ?? name)
    .replaceAll(/\bFILE\b/g, (name) => fileIn(error) ?? name)
    .replaceAll(/\bPEER\b/g, (name) => peerIn(error.data) ?? name);
}

/** The process that an error speaks of, where it knows it. */
function pidIn(data: unknown): string | undefined {
  const { pid } = Object(data) as { readonly pid?: unknown };
  return typeof pid === 'number' ? String(pid) : undefined;
}

/** The key file that an error speaks of, as a shell takes it. FILE of other cures is one to be chosen. */
function fileIn({ code, data }: MeshError): string | undefined {
  const { path } = Object(data) as { readonly path?: unknown };
  return code === 'NET_KEY_EXPOSED' && typeof path === 'string' ? quoted(path) : undefined;
}

/** The node that an error speaks of, as it was typed. */
function peerIn(data: unknown): string | undefined {
  const { peer } = Object(data) as { readonly peer?: unknown };
  return typeof peer === 'string' ? peer : undefined;
}

/** For networks whose authority is another program. */
const CERTIFY = / Or let its holder certify.*/;

/** What who has called it needs not be told. */
const TRACE = ', `reprise net trace PEER` where it is looked for';

/** The cure of the code. Undefined where the message has said what to do, or where this very command is the cure. */
function cureOf(code: ErrorCode, message: string, verb: Verb | undefined): string | undefined {
  switch (code) {
    case 'USAGE':
    case 'CONFIG_INVALID':
      return undefined;
    case 'ACTOR_NOT_FOUND':
      // It speaks of names that the message lists.
      return message.includes('(known: ') ? CODES[code].cure : undefined;
    case 'CHECKPOINT_INCOMPATIBLE':
    case 'REPLAY_DIVERGED':
      return verb?.mends === true ? undefined : CODES[code].cure;
    case 'NET_AUTHORITY_INVALID':
      // Nobody certifies keys that may certify for the command line.
      if (message.includes('the CA key is not in this folder')) return CODES[code].cure.replace(CERTIFY, '');
      return /its members are pinned|Put a copy of it there/.test(message) ? undefined : CODES[code].cure;
    case 'NET_KEY_INVALID':
      // One that was typed, and no file.
      return message.startsWith('no node may have the key') ? undefined : CODES[code].cure;
    case 'NET_JOIN_REFUSED':
      // Another name is what is asked for then, and no other invite.
      return message.includes('the invite is still good') ? undefined : CODES[code].cure;
    case 'NET_NAME_UNKNOWN':
      // Whoever is to be shut out need not run.
      return message.includes('that is known here is') ? undefined : CODES[code].cure;
    case 'NET_PEER_UNREACHABLE':
      // Of one who joins: there is no node yet that could be asked.
      if (message.includes('ask for a new invite')) return undefined;
      return verb?.name === 'trace' ? CODES[code].cure.replace(TRACE, '') : CODES[code].cure;
    default:
      return CODES[code].cure;
  }
}
