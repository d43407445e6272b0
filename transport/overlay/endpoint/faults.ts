/** What errors of the system mean for a path. */
import type { EndpointFault } from './events.ts';

/** By the code of the error; a code that is not here says nothing about the path. */
const FAULTS: Readonly<Record<string, EndpointFault>> = {
  ENETUNREACH: 'unreachable',
  ENETDOWN: 'unreachable',
  EHOSTUNREACH: 'unreachable',
  EHOSTDOWN: 'unreachable',
  EADDRNOTAVAIL: 'unreachable',
  // By ICMP, where the system tells it for a socket without a peer; Windows says ECONNRESET.
  ECONNREFUSED: 'unreachable',
  ECONNRESET: 'unreachable',
  // A firewall of this host.
  EPERM: 'unreachable',
  EACCES: 'unreachable',
  // No datagram goes from this socket to such an address: another family, or loopback to elsewhere.
  EINVAL: 'unreachable',
  EAFNOSUPPORT: 'unreachable',
  EMSGSIZE: 'too_long',
  ENOBUFS: 'other',
  ENOMEM: 'other',
  EAGAIN: 'other',
  EINTR: 'other',
  EBADF: 'closed',
  ENOTSOCK: 'closed',
  ERR_SOCKET_DGRAM_NOT_RUNNING: 'closed',
};

const codeOf = (error: Error): string => (error as NodeJS.ErrnoException).code ?? '';

/** Of a datagram that could not be sent. */
export const sendFault = (error: Error): EndpointFault => FAULTS[codeOf(error)] ?? 'other';

/** Of a socket as a whole. What is not known to pass by itself is taken as its end: opening it again does no harm. */
export const socketFault = (error: Error): EndpointFault => FAULTS[codeOf(error)] ?? 'closed';

/** Sends of a socket that was closed meanwhile. */
export const isCancelled = (error: Error): boolean => codeOf(error) === 'ECANCELED';
