/** The addresses of this host: signatures. */
import type { networkInterfaces } from 'node:os';

export type ReadInterfaces = typeof networkInterfaces;
