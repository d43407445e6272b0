/**
 * How a verb gets at its mesh: the plan from the mesh file; the process that runs it, if one does, through the control socket; its logs
 * from the store, beside that process or without one. Opens only what is asked for.
 */
import { existsSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { type Address, checkAddress } from '../core/address.ts';
import { AddressBook } from '../core/operator/address-book.ts';
import type { MeshPlan } from '../core/config/plan.ts';
import { isMeshError, MeshError } from '../core/errors.ts';
import { Inspection, type ReadableStore } from '../core/operator/inspection.ts';
import type { MeshStore } from '../core/mesh.ts';
import { nodePlan } from '../core/node/plan.ts';
import type { Directory } from '../core/ports/directory.ts';
import type { Upkeep } from '../core/operator/upkeep.ts';
import type { Call } from './command.ts';
import { type ControlClient, runningMesh } from './control/client.ts';
import { controlPath } from './control/place.ts';
import { remoteStore } from './control/remote-store.ts';
import type { Registry } from './logics.ts';
import { type LoadedMesh, meshOf, planOfFile } from './mesh-file.ts';
import { openStore, storePath } from './stores.ts';
import { systemClock, systemEntropy } from './system.ts';

/** Where the control socket of a mesh is. */
export const controlOf = (plan: MeshPlan, folder: string): string =>
  controlPath(storePath(plan, folder) ?? resolve(folder, `.${plan.mesh}`));

/** The mesh that runs by this plan; undefined: none does. Throws CONTROL_UNSAFE, MESH_UNRESPONSIVE with its process. */
export const meshAt = (plan: MeshPlan, folder: string): Promise<ControlClient | undefined> =>
  runningMesh(controlOf(plan, folder));

export class Reach implements AsyncDisposable {
  readonly loaded: LoadedMesh;
  readonly plan: MeshPlan;
  readonly book: AddressBook;
  /** What is known of a mesh that does not answer. */
  private silent: string | undefined;
  /** The import whose logs are looked at, instead of those of the mesh. */
  readonly imported: string | undefined;
  private client: Promise<ControlClient | undefined> | undefined;
  private reading: Promise<ReadableStore> | undefined;
  private readonly opened: { close(): Promise<void> }[] = [];

  /** Throws USAGE, CONFIG_INVALID. */
  constructor(call: Call) {
    this.loaded = meshOf(call);
    this.plan = planOfFile(this.loaded);
    this.book = new AddressBook(this.plan, basename(this.loaded.file));
    this.imported = call.text('imported');
  }

  get folder(): string {
    return this.loaded.folder;
  }

  /** The mesh that runs; undefined: none does. Throws MESH_UNRESPONSIVE. */
  running(): Promise<ControlClient | undefined> {
    return (this.client ??= meshAt(this.plan, this.folder));
  }
  /** As `running`, for who can do with the store alone: a mesh that does not answer is as good as none. Throws it where only the mesh has the store. */
  async answering(): Promise<ControlClient | undefined> {
    try {
      return await this.running();
    } catch (error) {
      if (!isMeshError(error, 'MESH_UNRESPONSIVE') || this.plan.store.kind === 'memory') throw error;
      this.silent = error.message;
      return undefined;
    }
  }
  /** Says why only the store was read; `that`: what was shown instead. That no mesh runs is told to people only. */
  tellAbsence({ io, isJson }: Call, that: string): void {
    if (this.silent !== undefined) io.note(`${this.silent}\n  ${that}`);
    else if (!isJson) io.note(`${this.plan.mesh} is not running: ${that}`);
  }
  /** For who shows records, which are the same with a mesh as without: says when there is none. Of imported logs there never is. */
  async tellRecords(call: Call): Promise<void> {
    if (this.imported === undefined && (await this.answering()) === undefined)
      this.tellAbsence(call, 'this is what its records say');
  }
  /** Throws MESH_NOT_RUNNING, MESH_UNRESPONSIVE. */
  async mesh(): Promise<ControlClient> {
    const running = await this.running();
    if (running !== undefined) return running;
    throw new MeshError('MESH_NOT_RUNNING', `the mesh '${this.plan.mesh}' of ${this.loaded.file} is not running`);
  }

  /** Reads logs; those of the named actors can be folded too. Throws STORE_*, MESH_NOT_RUNNING, CONFIG_INVALID. */
  async inspect(...actors: readonly Address[]): Promise<Inspection> {
    const store = await this.readable();
    return this.inspection(store, actors.length === 0 ? new Map() : await this.logics(actors));
  }

  /** As `inspect`, for who shows what can be known: logs whose code does not load cannot be folded. */
  async inspectWhatLoads(actors: readonly Address[]): Promise<Inspection> {
    const store = await this.readable();
    const registry: Registry = new Map();
    const kinds = new Map(actors.map((address) => [this.book.at(address)?.logic, address]));
    for (const address of kinds.values())
      for (const [name, logic] of await this.logics([address]).catch(() => [])) registry.set(name, logic);
    return this.inspection(store, registry);
  }

  /** Who only lists or sends needs no code at all. */
  private async logics(actors: readonly Address[]): Promise<Registry> {
    const { loadLogics, silentGateways } = await import('./logics.ts');
    const wanted = new Set(actors.flatMap((address) => this.book.at(address)?.logic ?? []));
    const registry = await loadLogics(this.plan, { folder: this.folder }, wanted);
    for (const [name, gateway] of await silentGateways(this.plan, wanted)) registry.set(name, gateway);
    return registry;
  }

  private inspection(store: ReadableStore, registry: Registry): Inspection {
    return new Inspection({
      store,
      plan: nodePlan(this.plan, registry),
      ...(this.imported !== undefined && { imported: this.imported }),
    });
  }

  private readable(): Promise<ReadableStore> {
    return (this.reading ??= this.openToRead());
  }
  private async openToRead(): Promise<ReadableStore> {
    if (this.plan.store.kind === 'memory') return remoteStore(await this.mesh());
    const store = await openStore(this.plan, this.folder, true).catch((error: unknown) => this.detached(error));
    this.opened.push(store);
    return store;
  }
  /** A store that is not there, while a mesh runs that has it: its files were removed under it. Throws. */
  private async detached(error: unknown): Promise<never> {
    const running = isMeshError(error, 'STORE_MISSING') ? await this.answering() : undefined;
    if (running === undefined) throw error;
    const what = `${storePath(this.plan, this.folder)} is gone, while the mesh, process ${running.pid}, has it open: nothing more is stored`;
    const cure = 'Move it back, or save what was stored with `reprise backup FILE`; `reprise logs` has what to do then';
    throw new MeshError('STORE_DETACHED', `${what}. ${cure}`, { cause: error });
  }

  /** The store, to write in while no mesh runs; it is made where there is none. Throws STORE_LOCKED, MESH_NOT_RUNNING (a store in memory). */
  async own(): Promise<MeshStore & Directory> {
    if (this.plan.store.kind === 'memory')
      throw new MeshError(
        'MESH_NOT_RUNNING',
        `the store of '${this.plan.mesh}' is in the memory of the process that runs it, and none does`,
      );
    const store = await openStore(this.plan, this.folder);
    this.opened.push(store);
    return store;
  }

  /** Upkeep of these actors' logs while no mesh runs. Throws STORE_LOCKED, STORE_MISSING. */
  async upkeep(...actors: readonly Address[]): Promise<{ readonly upkeep: Upkeep; readonly inspect: Inspection }> {
    const [{ logOwner }, { Upkeep }] = await Promise.all([
      import('../core/operator/log-owner.ts'),
      import('../core/operator/upkeep.ts'),
    ]);
    const path = storePath(this.plan, this.folder);
    if (path !== undefined && !existsSync(path))
      throw new MeshError('STORE_MISSING', `there is no store ${path}: no mesh has run here`);
    const store = await this.own();
    const inspect = this.inspection(store, await this.logics(actors));
    const clock = systemClock();
    const owner = logOwner({ store, inspect, clock, entropy: systemEntropy() });
    return { upkeep: new Upkeep({ plan: this.plan, inspect, store, owner, now: () => clock.now() }), inspect };
  }

  /** The mesh file has this actor, or others below it. */
  declares(address: Address): boolean {
    return this.plan.actors.some((actor) => actor.address === address || actor.address.startsWith(`${address}/`));
  }

  /** An address that was typed. Throws ADDRESS_INVALID; ACTOR_NOT_FOUND, naming what was meant, when neither the mesh file nor a log has it. */
  async actor(text: string, inspect?: Inspection): Promise<Address> {
    const address = checkAddress(text);
    const hasLog = inspect !== undefined && (await inspect.store.head(inspect.stream(address))).epoch > 0;
    if (!hasLog && this.imported === undefined) this.book.receiver(address);
    return address;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const opened of this.opened) await opened.close();
  }
}
