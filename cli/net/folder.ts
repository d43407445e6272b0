/**
 * A network folder: all that a node is and knows between two runs. Mode 0700, its files 0600.
 *
 *   identity.pem      the key of this node               network.bin       descriptor: its hash is the id of the network
 *   config.json       what a person may change           certificate.bin   by which others know this node (where the network has a CA)
 *   deny-lists.json   who was revoked                    ca.pem            the CA key, where the network was made
 *   authority.json    open invites, names of members     record-seq        number of the registration that was signed last
 *   node.*            lock and control socket of the process that runs here
 *
 * `network.bin` is written last when a folder is filled: where it is, all others are.
 */
import { randomBytes } from 'node:crypto';
import { chmod } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { isMeshError, MeshError } from '../../core/errors.ts';
import { openKeyFile, readKeyFile } from '../../transport/overlay/identity/key-file.ts';
import { SECRET_MODE } from '../../transport/overlay/identity/secret-file.ts';
import type { Identity } from '../../transport/overlay/identity/identity.ts';
import { Authority } from '../../transport/overlay/trust/authority.ts';
import { CERTIFICATE_BYTES_MAX, parseCertificate } from '../../transport/overlay/trust/certificate.ts';
import { DENY_LIST_BYTES_MAX, DENY_LIST_FAULTS, DenyLists } from '../../transport/overlay/trust/deny-list.ts';
import { CA_KEYS_MAX, DESCRIPTOR_BYTES_MAX, readNetwork, type Network } from '../../transport/overlay/trust/descriptor.ts';
import { AUTHORITY_BYTES_MAX, authorityStateText, parseAuthorityState } from './authority-state.ts';
import { CONFIG_BYTES_MAX, type NetConfig, netConfigText, parseNetConfig } from './config.ts';
import { checkPrivateFolder, makePrivateFolder, readPrivate, writePrivate } from './private-file.ts';

/** Base64 takes four characters for three bytes; and some for JSON. */
const DENY_LISTS_BYTES_MAX = CA_KEYS_MAX * (2 * DENY_LIST_BYTES_MAX + 16);

const SEQ_BYTES_MAX = 64;

export interface NetState {
  readonly network: Network;
  readonly identity: Identity;
  readonly config: NetConfig;
  /** As it was written; nothing of it was verified. Undefined: the network has no CA, or the file is not there. */
  readonly certificate: Uint8Array | undefined;
  readonly denyLists: DenyLists;
  /** Where the CA key is. */
  readonly authority: Authority | undefined;
  /** Those of the authority: what it revokes is given to the running node, for which it has to be news. */
  readonly authorityLists: DenyLists;
  /** Of the registration record that was signed last; 0: of none that is known. */
  readonly seq: number;
}

export class NetFolder {
  readonly path: string;
  /** One after the other: each reads what the one before has written. */
  private adding: Promise<void> = Promise.resolve();
  private savingAuthority: Promise<void> = Promise.resolve();

  /** `path`: as it was typed. */
  constructor(path: string) {
    this.path = resolve(path);
  }

  /** What the lock and the control socket are named after. */
  get base(): string {
    return this.file('node');
  }

  file(name: string): string {
    return join(this.path, name);
  }

  async make(): Promise<void> {
    await makePrivateFolder(this.path);
  }

  /**
   * Nobody else writes here until it is released.
   *
   * Throws: NET_FOLDER_BUSY, NET_UNRESPONSIVE (its process is stopped), both with the `pid`; NET_FOLDER_UNAVAILABLE.
   */
  async lock(): Promise<Disposable> {
    await checkPrivateFolder(this.path);
    const { lockStore } = await import('../../persistence/sqlite/lock.ts');
    try {
      const lock = await lockStore(this.base);
      // As all other files. Whoever may not do that has the folder locked all the same.
      await Promise.all(['lock', 'owner'].map((end) => chmod(`${this.base}.${end}`, SECRET_MODE).catch(() => undefined)));
      return { [Symbol.dispose]: () => lock.release() };
    } catch (error) {
      if (!isMeshError(error)) throw error;
      const { pid } = Object(error.data) as { readonly pid?: number };
      const who = pid === undefined || pid === 0 ? 'another process' : `process ${pid}`;
      const options = pid === undefined ? {} : { data: { pid } };
      if (error.code === 'STORE_LOCKED')
        throw new MeshError('NET_FOLDER_BUSY', `${who} uses the network folder ${this.path}`, options);
      if (error.code === 'STORE_OWNER_FROZEN')
        throw new MeshError('NET_UNRESPONSIVE', `${who}, which uses ${this.path}, is stopped`, options);
      throw new MeshError('NET_FOLDER_UNAVAILABLE', `${this.path} cannot be locked: ${error.message}`, options);
    }
  }

  /** Whether a process has the lock at this moment: a node, or a command that is at work. */
  async isLocked(): Promise<boolean> {
    const { storeOwner } = await import('../../persistence/sqlite/lock.ts');
    try {
      return storeOwner(this.base) !== undefined;
    } catch (error) {
      if (!isMeshError(error)) throw error;
      throw new MeshError('NET_FOLDER_UNAVAILABLE', `${this.path} cannot be looked at: ${error.message}`);
    }
  }

  // ---- what there is --------------------------------------------------------------------------------------------------

  /** Undefined: there is none. Throws NET_NETWORK_INVALID, NET_FOLDER_*. */
  async network(): Promise<Network | undefined> {
    const path = this.file('network.bin');
    const bytes = await readPrivate(path, DESCRIPTOR_BYTES_MAX);
    return bytes === undefined ? undefined : readNetwork(bytes, path);
  }

  /**
   * Of which network this folder is. Where its descriptor is damaged, which who joins again gets anew, its certificate says so.
   *
   * Throws as `network`, where nothing says so; NET_FOLDER_*.
   */
  async membership(): Promise<{ readonly networkId: Uint8Array; readonly network?: Network } | undefined> {
    try {
      const network = await this.network();
      return network === undefined ? undefined : { networkId: network.networkId, network };
    } catch (error) {
      const certificate = await this.certificate();
      const networkId = certificate === undefined ? undefined : parseCertificate(certificate)?.networkId;
      if (networkId === undefined || isMeshError(error, 'NET_FOLDER_UNAVAILABLE')) throw error;
      return { networkId };
    }
  }

  /** Throws NET_FOLDER_MISSING. */
  async knownNetwork(): Promise<Network> {
    const network = await this.network();
    if (network !== undefined) return network;
    throw new MeshError('NET_FOLDER_MISSING', `there is no network in ${this.path}`);
  }

  /** All of it. Throws NET_FOLDER_MISSING, NET_FOLDER_INVALID, NET_NETWORK_INVALID, NET_KEY_*, NET_AUTHORITY_INVALID; each names its file. */
  async load(): Promise<NetState> {
    const network = await this.knownNetwork();
    const identity = await readKeyFile(this.file('identity.pem'), network.addressProfile);
    const authorityLists = await this.denyLists(network);
    return {
      network,
      identity,
      config: await this.config(),
      certificate: await this.certificate(),
      denyLists: await this.denyLists(network),
      authority: await this.authority(network, authorityLists),
      authorityLists,
      seq: await this.seq(),
    };
  }

  /** The key of this node, made where there is none: of a folder that was given up half-way it is taken, for an invite may be of it already. Throws NET_KEY_*. */
  identity(): Promise<Identity> {
    return openKeyFile(this.file('identity.pem'));
  }
  /** The CA key, made where there is none. Throws NET_KEY_*. */
  caKey(): Promise<Identity> {
    return openKeyFile(this.file('ca.pem'));
  }

  /** Throws NET_FOLDER_INVALID. */
  async config(): Promise<NetConfig> {
    const path = this.file('config.json');
    const text = (await readPrivate(path, CONFIG_BYTES_MAX))?.toString('utf8');
    return parseNetConfig(text ?? '{}', path);
  }

  /** Nothing of it was verified. Undefined: there is none. */
  private certificate(): Promise<Uint8Array | undefined> {
    return readPrivate(this.file('certificate.bin'), CERTIFICATE_BYTES_MAX);
  }

  private async denyLists(network: Network): Promise<DenyLists> {
    const path = this.file('deny-lists.json');
    const lists = new DenyLists(network);
    for (const list of listsOf((await readPrivate(path, DENY_LISTS_BYTES_MAX))?.toString('utf8'), path)) {
      const taken = lists.install(list);
      if (taken !== 'installed' && taken !== 'known')
        throw new MeshError('NET_FOLDER_INVALID', `${path} holds a deny list that does not hold: ${DENY_LIST_FAULTS[taken]}`);
    }
    return lists;
  }

  /** Whether there is, or was, the CA key. Throws NET_FOLDER_*. */
  async hadAuthority(): Promise<boolean> {
    return (await readPrivate(this.file('authority.json'), AUTHORITY_BYTES_MAX)) !== undefined;
  }

  /** It only helps where the clock has gone back, so that a file which is none keeps nobody from running. */
  private async seq(): Promise<number> {
    const seq = Number((await readPrivate(this.file('record-seq'), SEQ_BYTES_MAX))?.toString('utf8') ?? '0');
    return Number.isSafeInteger(seq) && seq >= 0 ? seq : 0;
  }

  /** The CA key signs directly: an issuing key in another folder has no form here. */
  private async authority(network: Network, denyLists: DenyLists): Promise<Authority | undefined> {
    const signer = await readKeyFile(this.file('ca.pem')).catch((error: unknown) => {
      if (isMeshError(error, 'NET_KEY_MISSING')) return undefined;
      throw error;
    });
    if (signer === undefined) return undefined;
    const path = this.file('authority.json');
    const state = parseAuthorityState((await readPrivate(path, AUTHORITY_BYTES_MAX))?.toString('utf8'), path);
    try {
      return new Authority({ network, signer, denyLists, random: randomBytes, state });
    } catch (error) {
      if (!isMeshError(error, 'NET_AUTHORITY_INVALID')) throw error;
      throw new MeshError('NET_AUTHORITY_INVALID', `${this.file('ca.pem')}: ${error.message}`);
    }
  }

  // ---- what is kept ---------------------------------------------------------------------------------------------------

  saveNetwork(network: Network): Promise<void> {
    return writePrivate(this.file('network.bin'), network.bytes);
  }
  saveConfig(config: NetConfig): Promise<void> {
    return writePrivate(this.file('config.json'), netConfigText(config));
  }
  saveCertificate(certificate: Uint8Array): Promise<void> {
    return writePrivate(this.file('certificate.bin'), certificate);
  }
  /** Beside those that are there. Of each CA key the newest stays; what does not hold is left out. */
  addDenyLists(network: Network, added: readonly Uint8Array[]): Promise<void> {
    const done = this.adding.then(async () => {
      const lists = await this.denyLists(network);
      for (const list of added) lists.install(list);
      const texts = lists.lists().map((list) => Buffer.from(list).toString('base64'));
      await writePrivate(this.file('deny-lists.json'), `${JSON.stringify(texts, undefined, 2)}\n`);
    });
    this.adding = done.catch(() => undefined);
    return done;
  }
  /** Resolves when the lists and the states of the authority that were given are kept, or could not be. */
  async kept(): Promise<void> {
    await Promise.all([this.adding, this.savingAuthority]);
  }
  saveSeq(seq: number): Promise<void> {
    return writePrivate(this.file('record-seq'), `${seq}\n`);
  }
  /** One after the other: an older state that was written last would have an invite unused that was used. */
  saveAuthority(authority: Authority): Promise<void> {
    const done = this.savingAuthority.then(() =>
      writePrivate(this.file('authority.json'), authorityStateText(authority.state())),
    );
    this.savingAuthority = done.catch(() => undefined);
    return done;
  }
}

function listsOf(text: string | undefined, path: string): readonly Uint8Array[] {
  let given: unknown;
  try {
    given = JSON.parse(text ?? '[]');
  } catch (cause) {
    throw new MeshError('NET_FOLDER_INVALID', `${path} is no JSON: ${(cause as Error).message}`);
  }
  if (!Array.isArray(given) || !given.every((item) => typeof item === 'string'))
    throw new MeshError('NET_FOLDER_INVALID', `${path} holds no list of deny lists`);
  return given.map((item) => Buffer.from(item, 'base64'));
}
