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
      ...factsOf(data),
    };
    return io.note(JSON.stringify({ error: told }));
  }
  const say = (line: string): void => io.note(words(line));
  say(`${isMeshError(error) ? code : 'error'}: ${message}`);
  if (cause !== undefined && !message.includes(cause.message)) say(`  because: ${cause.message}`);
  if (cure !== undefined) say(`  ${cure}`);
  if (io.env['REPRISE_DEBUG'] !== undefined && error instanceof Error) io.note(error.stack ?? '');
}

/** The data of an error but for its cure, where there is more. */
function factsOf(data: unknown): { readonly data?: unknown } {
  if (typeof data !== 'object' || data === null || !('cure' in data)) return data === undefined ? {} : { data };
  const { cure: _, ...facts } = data;
  return Object.keys(facts).length === 0 ? {} : { data: facts };
}

/**
 * What to do, for people. Undefined: nothing is known, the message has said it, or this very verb is it. `data.cure` of an error counts before that
 * of its code; empty: the message says what to do.
 */
export function cureFor(error: unknown, verb?: Verb): string | undefined {
  if (!isMeshError(error)) return undefined;
  const { cure } = Object(error.data) as { readonly cure?: unknown };
  if (typeof cure === 'string') return cure === '' ? undefined : cure;
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
    case 'NET_PEER_UNREACHABLE':
      return verb?.name === 'trace' ? CODES[code].cure.replace(TRACE, '') : CODES[code].cure;
    default:
      return CODES[code].cure;
  }
}
