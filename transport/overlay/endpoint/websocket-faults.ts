/** Why a WebSocket could not be opened, in words and as a code that a cure can be found by. */
import { MeshError } from '../../../core/errors.ts';

/** The proxy of a dial. */
export interface DialProxy {
  /** `HOST:PORT`: nothing else of its URL is shown to anybody. */
  readonly host: string;
  /** What it has answered to CONNECT; undefined: nothing. */
  answer: { readonly status: number; readonly text: string } | undefined;
}

/**
 * A TRANSPORT_UNAVAILABLE whose message names `at` and the reason; `data.reason` is the code of Node (`ECONNREFUSED`, `CERT_HAS_EXPIRED`), `PROXY`
 * where the proxy is not reached, or `PROXY_407` where it has answered so.
 */
export function dialError(at: string, error: Error, proxy?: DialProxy): MeshError {
  const answer = proxy?.answer;
  const fail = (text: string, reason: string | undefined): MeshError =>
    new MeshError('TRANSPORT_UNAVAILABLE', `${at}: ${text}`, reason === undefined ? {} : { data: { reason } });
  if (proxy === undefined || answer?.status === 200) return fail(textOf(error), codeOf(error));
  if (answer === undefined) return fail(`the proxy ${proxy.host}: ${textOf(error)}`, 'PROXY');
  return fail(`the proxy ${proxy.host} answers ${answer.status} ${answer.text}`.trimEnd(), `PROXY_${answer.status}`);
}

/** Of a failed dial; undefined: none that is known. */
export function dialReason(error: Error): string | undefined {
  const { reason } = Object(Object(error).data) as { readonly reason?: unknown };
  return typeof reason === 'string' ? reason : undefined;
}

/** A host with more than one address has an error for each, and no message for them all. */
function textOf(error: Error): string {
  const each = error instanceof AggregateError ? error.errors.map((one) => (one as Error).message) : [];
  return error.message || each.join(', ') || (codeOf(error) ?? error.name);
}

function codeOf(error: Error): string | undefined {
  const { code } = error as NodeJS.ErrnoException;
  return typeof code === 'string' ? code : undefined;
}
