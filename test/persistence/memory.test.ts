import { expect, test } from 'vitest';
import { isMeshError } from '../../core/errors.ts';
import { memory } from '../../persistence/memory.ts';
import { blobStoreCases } from '../conformance/blob-store.ts';
import { conform } from '../conformance/conform.ts';
import { directoryCases } from '../conformance/directory.ts';
import { eventStoreCases } from '../conformance/event-store.ts';
import { storeAdminCases } from '../conformance/store-admin.ts';
import { memorySubject } from './subjects.ts';

const has = ['claimFence', 'atomicBatch'];
conform('memory as EventStore', eventStoreCases, memorySubject, has);
conform('memory as Directory', directoryCases, memorySubject, has);
conform('memory as BlobStore', blobStoreCases, memorySubject, has);
conform('memory as StoreAdmin', storeAdminCases, memorySubject, has);

test('a memory store has no backup, and says why', async () => {
  await expect(memory().backup('x.db')).rejects.toSatisfy((error) => isMeshError(error, 'USAGE'));
});
