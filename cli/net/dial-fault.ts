/** Why a WebSocket could not be opened, with what to do about it. */
import type { DialFault } from '../../transport/overlay/host/dials.ts';
import { oneLine } from './render.ts';

const TRUST =
  'this machine does not trust that certificate: NODE_EXTRA_CA_CERTS=FILE in the environment of the command names whom to trust as well, in PEM; for a self-signed one that is itself';
const RENEW = 'it is to be renewed where the relay runs, or the clock of this machine is wrong';

const CURES: Readonly<Record<string, string>> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: TRUST,
  SELF_SIGNED_CERT_IN_CHAIN: TRUST,
  UNABLE_TO_GET_ISSUER_CERT: TRUST,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: TRUST,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: `${TRUST}. If it is one of the web, --tls-cert lacks the certificates between (the chain)`,
  CERT_HAS_EXPIRED: RENEW,
  CERT_NOT_YET_VALID: RENEW,
  ERR_TLS_CERT_ALTNAME_INVALID:
    'the certificate has to be of the host in the endpoint, or the endpoint of that in the certificate',
  ERR_SSL_WRONG_VERSION_NUMBER: 'no TLS is spoken there: ws:// is the endpoint of a relay without a certificate',
  EPROTO: 'no TLS is spoken there: ws:// is the endpoint of a relay without a certificate',
  ECONNREFUSED: 'nothing takes WebSockets at that port: it may not run, or need `reprise net relay --ws HOST:PORT`, there',
  ENOTFOUND: 'no such host: see that its name is right, and that this machine can look names up',
  PROXY: 'see that HTTPS_PROXY (or ALL_PROXY, HTTP_PROXY) names the proxy of this network',
  PROXY_407: 'it wants a user and a password: HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT',
};
const REFUSED = 'it has to let CONNECT through to this host and port';

/** The reason, and in brackets what to do. */
export function dialFaultText({ message, reason = '' }: DialFault): string {
  const cure = CURES[reason] ?? (reason.startsWith('PROXY_') ? REFUSED : undefined);
  // A proxy may have said a part of it.
  const text = oneLine(message);
  return cure === undefined ? text : `${text} (${cure})`;
}
