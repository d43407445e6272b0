/**
 * What went wrong with a connection or a call, in our words: which code, whether anything was sent, whether to try again, and whether
 * the session is lost. The only file that reads the SDK's error classes.
 */
import { ProtocolError, SdkError, SdkErrorCode, SdkHttpError, UnauthorizedError } from '@modelcontextprotocol/client';
import { MeshError } from '../core/index.ts';
import { failureWords } from './bounded-fetch.ts';
import type { Redactor } from './secret.ts';

export interface CallFacts {
  /** The request has been handed to the wire. */
  readonly sent: boolean;
}

/** How a failure is worded. */
export interface Wording {
  readonly redactor: Redactor;
  /** What else is known, for the end of the message. */
  readonly lastWords: string;
}

export interface CallFailure {
  readonly error: MeshError;
  /** Nothing new can be said over this connection. */
  readonly sessionLost: boolean;
}

/** Given to a call whose response stream ended without a response. */
export const streamEnded = (): SdkError =>
  new SdkError(SdkErrorCode.ConnectionClosed, 'the response stream ended without a response');

/** Causes of a failed fetch after which certainly nothing was read by the other side. */
const UNSENT = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'UND_ERR_CONNECT_TIMEOUT']);

interface FailureData {
  /** False: certainly nothing took effect. */
  readonly sent: boolean;
  readonly retryable: boolean;
  /** Of HTTP. */
  readonly status?: number;
}

const failed = (message: string, data: FailureData, cause: unknown): MeshError =>
  new MeshError('MCP_FAILED', message, { data, cause });
const refused = (message: string, data: Readonly<Record<string, unknown>>, cause: unknown): CallFailure => ({
  error: new MeshError('TOOL_FAILED', message, { data: { ...data, retryable: false }, cause }),
  sessionLost: false,
});

export function connectFailure(server: string, error: unknown, { redactor, lastWords }: Wording): MeshError {
  if (error instanceof MeshError) return error;
  const what = isUnauthorized(error) ? `server '${server}' refuses the credentials` : `server '${server}' could not be reached`;
  return failed(`${what}: ${failureWords(error, redactor)}${lastWords}`, { sent: false, retryable: true }, error);
}

export function callFailure(tool: string, error: unknown, { sent }: CallFacts, { redactor, lastWords }: Wording): CallFailure {
  if (error instanceof MeshError) return { error, sessionLost: false };
  const words = failureWords(error, redactor);
  if (error instanceof ProtocolError) return refused(`'${tool}' failed: ${words}`, { rpcCode: error.code }, error);
  // Before anything else the server looks at the credentials. A new connection reads them anew.
  if (isUnauthorized(error))
    return {
      error: failed(`'${tool}' was not taken: the server refuses the credentials`, { sent: false, retryable: true }, error),
      sessionLost: true,
    };
  if (error instanceof SdkHttpError) return httpFailure(tool, error, words);
  if (error instanceof SdkError && error.code === SdkErrorCode.InvalidResult)
    return refused(`'${tool}' answered with something that is no result: ${words}`, {}, error);
  const unsent = !sent || UNSENT.has(causeCode(error)) || (error instanceof SdkError && error.code === SdkErrorCode.NotConnected);
  const wording = unsent ? 'was not sent' : 'was under way';
  return {
    error: failed(
      `'${tool}' ${wording} when the connection failed: ${words}${lastWords}`,
      { sent: !unsent, retryable: true },
      error,
    ),
    sessionLost: !(error instanceof SdkError),
  };
}

function httpFailure(tool: string, error: SdkHttpError, words: string): CallFailure {
  const { status } = error;
  switch (status) {
    // A server that was started anew does not know our session: 404 by the specification, 400 by older servers.
    case 404:
    case 400:
      return {
        error: failed(
          `'${tool}' was not taken: the server no longer knows this session (${status}: ${words})`,
          { sent: false, retryable: true, status },
          error,
        ),
        sessionLost: true,
      };
    case 429:
      return {
        error: failed(`'${tool}' was not taken: the server is busy (429)`, { sent: false, retryable: true, status }, error),
        sessionLost: false,
      };
    case 403:
      return refused(`'${tool}' is not allowed with these credentials (403)`, { status }, error);
    default:
      return otherStatus(tool, error, words);
  }
}

/** Below 500 the server did not take the call, but for one that it gave up waiting for (408). */
function otherStatus(tool: string, error: SdkHttpError, words: string): CallFailure {
  const { status } = error;
  const message = `'${tool}' was answered with HTTP ${status}: ${words}`;
  const taken = status >= 500 || status === 408;
  return { error: failed(message, { sent: taken, retryable: taken, status }, error), sessionLost: false };
}

const isUnauthorized = (error: unknown): boolean =>
  error instanceof UnauthorizedError || (error instanceof SdkHttpError && error.status === 401);

function causeCode(error: unknown): string {
  const cause = (error as { cause?: { code?: unknown; errors?: { code?: unknown }[] } }).cause;
  return String(cause?.code ?? cause?.errors?.[0]?.code ?? '');
}
