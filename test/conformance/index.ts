/**
 * Conformance kits: what every adapter of a port keeps, as data. Run them against an adapter of your own under any test runner.
 *
 *   for (const c of eventStoreCases)
 *     if ((c.needs ?? []).every((need) => has.includes(need))) test(c.name, () => c.run(makeSubject));
 */
export type { Case, Passing } from './case.ts';
export { type BlobStoreSubject, blobStoreCases } from './blob-store.ts';
export { type ClockSubject, clockCases } from './clock.ts';
export { type CodecSubject, codecCases } from './codec.ts';
export { type DirectorySubject, directoryCases } from './directory.ts';
export { type EntropySubject, entropyCases } from './entropy.ts';
export { type EventStoreSubject, eventStoreCases } from './event-store.ts';
export { type LinkSubject, linkCases } from './link.ts';
export { type MailboxesSubject, mailboxesCases } from './mailboxes.ts';
export { type AdminStore, type StoreAdminSubject, storeAdminCases } from './store-admin.ts';
export { type TracerSubject, tracerCases } from './tracer.ts';
