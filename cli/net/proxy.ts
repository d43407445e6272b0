/** The HTTP proxy by which a machine gets out, as other programs are told it: for `wss://` and `ws://` alike, since both go by CONNECT. */

const NAMES = ['https_proxy', 'HTTPS_PROXY', 'all_proxy', 'ALL_PROXY', 'http_proxy', 'HTTP_PROXY'];

/** Undefined: none. A proxy that is no HTTP proxy (SOCKS) is none. */
export function proxyOf(env: Readonly<Record<string, string | undefined>>): string | undefined {
  const set = NAMES.map((name) => env[name]).find((value) => value !== undefined && value !== '');
  return set !== undefined && /^https?:\/\//.test(set) ? set : undefined;
}
