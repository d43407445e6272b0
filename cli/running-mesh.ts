/** One run of a mesh under `reprise up`: composed, opened to the CLI, started, and stopped again. With `--watch` it takes up changed code. */
import { resolve } from 'node:path';
import type { Address } from '../core/address.ts';
import { AddressBook } from '../core/operator/address-book.ts';
import { errorData, MeshError } from '../core/errors.ts';
import type { LossOptions } from '../core/operator/lifecycle.ts';
import type { NodeEvent } from '../core/node/news.ts';
import type { EventStoreCapabilities } from '../core/ports/event-store.ts';
import { logOwner } from '../core/operator/log-owner.ts';
import { Upkeep } from '../core/operator/upkeep.ts';
import { runningMesh } from './control/client.ts';
import { MeshLog } from './control/log.ts';
import { controlOperations } from './control/operations.ts';
import { type ControlServer, serveControl } from './control/server.ts';
import { loadNamed } from './logics.ts';
import { lossOptions, ofOld } from './loss.ts';
import type { LoadedMesh } from './mesh-file.ts';
import { misfitOf } from './misfit.ts';
import { controlOf } from './reach.ts';
import { isTold, printable, type Report } from './report.ts';
import { type Composed, composeMesh } from './compose-mesh.ts';
import { storePath } from './stores.ts';
import { systemClock, systemEntropy } from './system.ts';
import { forkNotes, forkText, resetText } from './render/upkeep.ts';
import { actorCount, counted, kindCount } from './words.ts';

export interface RunOptions {
  readonly report: Report;
  /** Actors that begin anew, and actors beside which another goes on, before the mesh starts. */
  readonly reset: readonly Address[];
  readonly fork: readonly Address[];
  /** Code that wrote the logs of those that are reset: FILE or FILE#EXPORT, absolute. */
  readonly old: string | undefined;
  readonly acceptLoss: boolean;
  /** Of the modules; undefined: they are loaded once. */
  readonly version?: number;
}

/** Misfits of one kind whose logs are folded to say where they part from the code. */
const EXPLAINED_MAX = 100;

const SURVIVES: Readonly<Record<EventStoreCapabilities['survives'], string>> = {
  nothing: 'survives nothing: all is gone when this process ends',
  process: 'survives kill -9, and not a power loss',
  power: 'survives kill -9 and power loss',
};

export class RunningMesh {
  readonly loaded: LoadedMesh;
  readonly composed: Composed;
  private readonly report: Report;
  private readonly control: ControlServer;
  private version: number;
  private readonly book: AddressBook;
  /** Misfits by kind, since the code was loaded. */
  private readonly explained = new Map<Address, number>();
  private explaining: Promise<void> = Promise.resolve();
  private stopping = false;

  private constructor(loaded: LoadedMesh, composed: Composed, control: ControlServer, { report, version = 0 }: RunOptions) {
    this.loaded = loaded;
    this.composed = composed;
    this.control = control;
    this.report = report;
    this.version = version;
    this.book = new AddressBook(composed.mesh.plan);
  }

  /** Resolves when it is up. Throws CONFIG_INVALID, LINT_FAILED, STORE_*, CONTROL_UNSAFE, and what a reset or fork throws. */
  static async start(loaded: LoadedMesh, options: RunOptions): Promise<RunningMesh> {
    const { report, version } = options;
    const log = new MeshLog();
    let running: RunningMesh | undefined;
    const composed = await composeMesh(
      loaded,
      {},
      {
        ...(version !== undefined && { version }),
        onEvent: (given) => {
          const event = printable(given);
          if (isTold(event, false)) log.say(event, Date.now());
          report.event(event);
          running?.explain(event);
        },
        onRecords: (actor, records) => report.records(actor, records),
      },
    );
    const { mesh, folder } = composed;
    try {
      const path = controlOf(mesh.plan, folder);
      await aloneAt(path, mesh.plan.mesh);
      await prepare(composed, options);
      running = new RunningMesh(loaded, composed, await serveControl(path, controlOperations({ mesh, log, folder })), options);
    } catch (error) {
      await mesh.stop(0).catch(() => undefined);
      throw error;
    }
    try {
      await mesh.start();
    } catch (error) {
      await running.stop(0).catch(() => undefined);
      throw error;
    }
    running.tellReady();
    void mesh.openChanged().catch((error: unknown) => report.note(`looking for changed actors: ${errorData(error).message}`));
    return running;
  }

  private tellReady(): void {
    const { mesh, store, folder } = this.composed;
    const { plan } = mesh;
    this.report.ready({
      mesh: plan.mesh,
      pid: process.pid,
      actors: actorCount(plan),
      kinds: kindCount(plan),
      store: storePath(plan, folder) ?? 'memory:',
      survives: SURVIVES[store.capabilities.survives],
    });
  }

  /** An actor that does not fit its code is worth more than a line. One after the other: each is a fold, and the mesh has work to do. */
  private explain({ actor, type, ...event }: NodeEvent): void {
    const { code } = event;
    if (type !== 'actor.parked' || actor === undefined) return;
    if (code !== 'REPLAY_DIVERGED' && code !== 'CHECKPOINT_INCOMPATIBLE') return;
    const { inspect } = this.composed.mesh;
    const kind = this.book.at(actor)?.address ?? actor;
    const count = (this.explained.get(kind) ?? 0) + 1;
    this.explained.set(kind, count);
    const refusal = { actor, kind, code, reason: String(event['reason']) } as const;
    this.explaining = this.explaining.then(async () => {
      if (this.stopping) return;
      try {
        this.report.misfit(await misfitOf(inspect, refusal, count <= EXPLAINED_MAX));
      } catch (error) {
        this.report.note(`${actor} cannot be explained: ${errorData(error).message}`);
      }
    });
  }

  // ---- changed code ------------------------------------------------------------------------------------------------

  /** Where the logics come from that are loaded from modules, by name. */
  modules(): Map<string, string> {
    const { plan } = this.composed.mesh;
    const files = new Map<string, string>();
    for (const [name, where] of Object.entries(plan.logics))
      if (where.from === 'module') files.set(name, resolve(this.loaded.folder, where.file));
    return files;
  }

  /** Loads these logics anew and takes up the actors that run them from their logs. What cannot be loaded stays as it was. */
  async reload(names: readonly string[]): Promise<void> {
    const { mesh, registry } = this.composed;
    this.version++;
    this.explained.clear();
    const fresh = new Set<string>();
    for (const name of names) {
      try {
        registry.set(
          name,
          await loadNamed(name, mesh.plan, { folder: this.loaded.folder, development: true, version: this.version }),
        );
        fresh.add(name);
      } catch (error) {
        this.report.note(`${errorData(error).message}\n  (${name} goes on in the code that it had)`);
      }
    }
    const changed = [...mesh.node.live()]
      .map((status) => status.address)
      .filter((address) => fresh.has(this.logicNameOf(address)));
    for (const address of changed) {
      mesh.node.forget(address);
      await mesh.node.reopen(address);
    }
    if (fresh.size > 0) this.report.note(`new code of ${[...fresh].join(', ')}: ${this.takenUp(changed)}`);
    await mesh.openChanged();
    // What did not start may do so in this code.
    await mesh.configure();
  }

  /** `2 actors taken up from the log, 1 parked`: what does not fit is parked, and told by itself. */
  private takenUp(changed: readonly Address[]): string {
    const { cells } = this.composed.mesh.node;
    const taken = changed.filter((address) => cells.has(address)).length;
    const parked = changed.length - taken;
    const took = `${counted(taken, 'actor')} taken up from the log`;
    if (parked === 0) return took;
    return taken === 0 ? `${counted(parked, 'actor')} parked` : `${took}, ${parked} parked`;
  }

  /** Of the chart at the root of it: a child runs in its parent's module. One that could not be opened runs what its declaration says. */
  private logicNameOf(address: Address): string {
    const name = this.composed.mesh.node.cells.get(address)?.actor.tables.init.logic;
    return name?.split('>')[0] ?? this.book.at(address)?.logic ?? '';
  }

  /** For the modules of the next run. */
  get nextVersion(): number {
    return this.version + 1;
  }

  /**
   * Stops intake, finishes what is in hand, saves checkpoints. Who asks meanwhile is answered; the socket goes before the store is let go,
   * so that it is never that of the next owner.
   */
  async stop(deadlineMs?: number): Promise<void> {
    const { mesh } = this.composed;
    this.stopping = true;
    await this.explaining;
    await mesh.node.stop(deadlineMs);
    await this.control.close();
    await mesh.stop();
  }
}

/** A store in memory has no lock that would say so. */
async function aloneAt(path: string, mesh: string): Promise<void> {
  const other = await runningMesh(path);
  if (other === undefined) return;
  const { pid } = other;
  throw new MeshError('STORE_LOCKED', `the mesh '${mesh}' runs already, as process ${pid}`, { data: { pid } });
}

/** Before anything runs. */
async function prepare({ mesh, store }: Composed, { reset, fork, old, acceptLoss, report }: RunOptions): Promise<void> {
  if (reset.length + fork.length === 0) return;
  const clock = systemClock();
  const { plan, inspect } = mesh;
  const owner = logOwner({ store, inspect, clock, entropy: systemEntropy() });
  const upkeep = new Upkeep({ plan, inspect, store, owner, now: () => clock.now() });
  for (const address of reset) {
    const losses: LossOptions = await lossOptions(inspect, address, { old, acceptLoss, folder: process.cwd() });
    const result = await upkeep.reset(address, losses).catch((error: unknown) => {
      throw ofOld(error, address, old);
    });
    report.note(resetText(address, result));
  }
  for (const address of fork) {
    const made = await upkeep.fork(address);
    for (const text of [forkText(address, made), ...forkNotes(address, made)]) report.note(text);
  }
}
