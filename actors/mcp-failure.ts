/**
 * What went wrong with a connection or a call, in our words: which code, whether anything was sent, whether to try again, and whether
 * the session is lost. The only file that reads the SDK's error classes.
 */
import { ProtocolError, SdkError, SdkErrorCode, SdkHttpError, UnauthorizedError } from '@modelcontextprotocol/client';
import { MeshError } from '../core/errors.ts';

export interface CallFacts {
  /** The request has been handed to the wire. */
  readonly sent: boolean;
}

export interface CallFailure {
  readonly error: MeshError;
  /** Nothing more can be said over this connection. */
  readonly sessionLost: boolean;
}

/** Given to a call whose response stream ended without a response. */
export const streamEnded = (): SdkError =>
  new SdkError(SdkErrorCode.ConnectionClosed, 'the response stream ended without a response');

/** Causes of a failed fetch after which certainly nothing was read by the other side. */
const UNSENT = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'UND_ERR_CONNECT_TIMEOUT']);

const failed = (
  message: string,
  data: { readonly sent: boolean; readonly retryable: boolean; readonly status?: number },
  cause: unknown,
): MeshError => new MeshError('MCP_FAILED', message, { data, cause });

export function connectFailure(server: string, error: unknown, said: string): MeshError {
  if (error instanceof MeshError) return error;
  if (isRefusal(error))
    return failed(`server '${server}' refuses the credentials (${messageOf(error)})`, { sent: false, retryable: false }, error);
  return failed(`server '${server}' could not be reached: ${messageOf(error)}${said}`, { sent: false, retryable: true }, error);
}

export function callFailure(tool: string, error: unknown, { sent }: CallFacts): CallFailure {
  if (error instanceof MeshError) return { error, sessionLost: false };
  if (error instanceof ProtocolError) {
    return {
      error: new MeshError('TOOL_FAILED', `'${tool}' was refused: ${error.message}`, {
        data: { rpcCode: error.code, retryable: false },
        cause: error,
      }),
      sessionLost: false,
    };
  }
  if (isRefusal(error))
    return {
      error: failed(
        `'${tool}': the server refuses the credentials (${messageOf(error)})`,
        { sent: false, retryable: false },
        error,
      ),
      sessionLost: false,
    };
  if (error instanceof SdkHttpError) return httpFailure(tool, error);
  if (error instanceof SdkError && error.code === SdkErrorCode.InvalidResult) {
    return {
      error: new MeshError('TOOL_FAILED', `'${tool}' answered with something that is no result: ${error.message}`, {
        data: { retryable: false },
        cause: error,
      }),
      sessionLost: false,
    };
  }
  const unsent = !sent || UNSENT.has(causeCode(error)) || (error instanceof SdkError && error.code === SdkErrorCode.NotConnected);
  const wording = unsent ? 'was not sent' : 'was under way';
  return {
    error: failed(
      `'${tool}' ${wording} when the connection failed: ${messageOf(error)}`,
      { sent: !unsent, retryable: true },
      error,
    ),
    sessionLost: !(error instanceof SdkError),
  };
}

function httpFailure(tool: string, error: SdkHttpError): CallFailure {
  const { status } = error;
  // A server that was started anew does not know our session: 404 by the specification, 400 by older servers.
  if (status === 404 || status === 400)
    return {
      error: failed(
        `'${tool}' was not taken: the server no longer knows this session (${status})`,
        { sent: false, retryable: true, status },
        error,
      ),
      sessionLost: true,
    };
  if (status === 429)
    return {
      error: failed(`'${tool}' was not taken: the server is busy (429)`, { sent: false, retryable: true, status }, error),
      sessionLost: false,
    };
  return {
    error: failed(`'${tool}' was answered with HTTP ${status}`, { sent: true, retryable: status >= 500, status }, error),
    sessionLost: false,
  };
}

const isRefusal = (error: unknown): boolean =>
  error instanceof UnauthorizedError || (error instanceof SdkHttpError && (error.status === 401 || error.status === 403));

function causeCode(error: unknown): string {
  const cause = (error as { cause?: { code?: unknown; errors?: { code?: unknown }[] } }).cause;
  return String(cause?.code ?? cause?.errors?.[0]?.code ?? '');
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = causeCode(error);
  return code === '' ? error.message : `${error.message} (${code})`;
}
