import { blobStoreCases } from '../conformance/blob-store.ts';
import { conform } from '../conformance/conform.ts';
import { directoryCases } from '../conformance/directory.ts';
import { eventStoreCases } from '../conformance/event-store.ts';
import { storeAdminCases } from '../conformance/store-admin.ts';
import { sqliteSubject } from './subjects.ts';

const has = ['claimFence', 'atomicBatch', 'reopen', 'backup'];
const make = () => sqliteSubject();
conform('sqlite as EventStore', eventStoreCases, make, has);
conform('sqlite as Directory', directoryCases, make, has);
conform('sqlite as BlobStore', blobStoreCases, make, has);
conform('sqlite as StoreAdmin', storeAdminCases, make, has);
