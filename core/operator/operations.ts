/** What a person decides about actors of a mesh that runs: dead letters, parked actors, calls in doubt, stop and restart by hand. */
import { type Address, ROOT } from '../address.ts';
import { AddressBook } from './address-book.ts';
import type { Cell } from '../cell.ts';
import { type Decision, resend, resolve, unpark } from '../cell/decisions.ts';
import type { MeshPlan } from '../config/plan.ts';
import { isMeshError, MeshError } from '../errors.ts';
import type { Inspection } from './inspection.ts';
import type { Node } from '../node.ts';
import { stopDeadlineMs } from '../supervision/child-spec.ts';
import type { Child } from '../supervision/state.ts';
import { childIn } from './supervised.ts';

export interface OperationParts {
  readonly plan: MeshPlan;
  readonly node: Node;
  readonly inspect: Inspection;
}

/** ms between two looks at an actor that was told to stop or to start. */
const LOOK_MS = 20;
/** ms that a stop may take beyond its own deadline. */
const STOP_MS = 10_000;
/** ms in which one that was told to start has begun, or whatever is in the way is told. */
const BEGIN_MS = 10_000;

/** `idle`: nothing ran that could be stopped. `stopping`: it has its order, and has not followed it in its time. */
export type StopOutcome = 'stopped' | 'idle' | 'stopping';

export class Operations {
  private readonly node: Node;
  private readonly inspect: Inspection;
  private readonly book: AddressBook;

  constructor({ plan, node, inspect }: OperationParts) {
    this.node = node;
    this.inspect = inspect;
    this.book = new AddressBook(plan);
  }

  /** A dead letter again, once, under a new id, which it returns. Throws USAGE when it cannot be. */
  async resend(address: Address, seq: number): Promise<string> {
    const cell = await this.node.cellAt(address);
    for await (const record of this.inspect.records(address, seq, seq))
      if (record.kind === 'dead') return resend(cell, seq, record.event, record.cause);
    throw new MeshError('USAGE', `${address} has no dead letter at seq ${seq}`);
  }

  /** Lets a parked actor go on; one that could not be opened is tried again. Throws USAGE when it is not parked, else what keeps it parked. */
  async unpark(address: Address): Promise<void> {
    const couldNotOpen = this.node.status(address)?.phase === 'parked' && !this.node.cells.has(address);
    this.node.forget(address);
    const cell = await this.cell(address);
    const { parked, status } = cell.actor.tables;
    if (parked === undefined) {
      if (couldNotOpen) return;
      const cure = status === 'error' ? `: it has failed, and \`reprise restart ${address}\` starts it` : '';
      throw new MeshError('USAGE', `${address} is not parked${cure}`);
    }
    unpark(cell);
    const supervisor = cell.actor.tables.init.supervisor?.address;
    if (supervisor !== undefined)
      await this.node.send(supervisor, { type: 'reprise.unpark', child: address }, { internal: 'system' });
  }

  /**
   * Makes it go (again): parked ones go on, stopped ones begin anew, others are taken up from their logs. Resolves when it does.
   * Throws USAGE when nothing can start it or its supervisor does not, STEP_FAILED when it cannot begin, and what keeps it from being opened.
   */
  async restart(address: Address): Promise<'unparked' | 'started' | 'taken up'> {
    const wasClosed = this.node.status(address)?.phase === 'parked' && !this.node.cells.has(address);
    this.node.forget(address);
    const cell = await this.cell(address);
    const { parked, status, init } = cell.actor.tables;
    if (parked !== undefined) {
      await this.unpark(address);
      return 'unparked';
    }
    if (status === 'active') {
      if (!wasClosed) await this.node.reopen(address);
      await this.cell(address);
      return 'taken up';
    }
    const supervisor = this.book.supervisor(address);
    if (supervisor === undefined) {
      const why =
        init.logic === ''
          ? 'nothing lives there: its log was removed, or it never began'
          : `it has ended, and no supervisor can start it: \`reprise reset ${address}\` begins it anew`;
      throw new MeshError('USAGE', `${address} cannot be started: ${why}`);
    }
    await this.begin(address, supervisor);
    return 'started';
  }

  /** Has its supervisor start it, and waits until its log shows the new life, and its supervisor has heard of it: it is up then, with those below it. */
  private async begin(address: Address, supervisor: Address): Promise<void> {
    const before = await this.child(supervisor, address);
    await this.node.send(supervisor, { type: 'reprise.child.start', child: address }, { internal: 'system' });
    const until = this.node.clock.monotonic() + BEGIN_MS;
    for (;;) {
      const { actor, durableHead } = await this.node.cellAt(address);
      const { status, head } = actor.tables;
      const child = await this.child(supervisor, address);
      if (status === 'active' && head === durableHead && (child === undefined || child.status === 'running')) return;
      const wasTried = child?.run !== before?.run && (child?.status === 'parked' || child?.status === 'idle');
      if (wasTried)
        throw new MeshError('STEP_FAILED', `${address} does not begin: ${child?.error?.message ?? 'it ended at once'}`);
      if (this.node.clock.monotonic() >= until)
        throw new MeshError('USAGE', `${address} was not started: ${heldBy(supervisor, address, child)}`);
      await this.node.sleep(LOOK_MS);
    }
  }

  /** Stops it, and waits until it has. Its log is kept. Throws USAGE for a child that a chart spawned, ACTOR_NOT_FOUND. */
  async stop(address: Address): Promise<StopOutcome> {
    if (address === ROOT) throw new MeshError('USAGE', 'the root supervisor stops with the mesh');
    if (address.includes('@', 1))
      throw new MeshError('USAGE', `${address} was spawned by a chart, which alone may stop it: it would wait for it for ever`);
    await this.cell(address);
    const supervisor = this.book.supervisor(address);
    const child = supervisor === undefined ? undefined : await this.child(supervisor, address);
    if (await this.isStopped(address, supervisor)) return 'idle';
    if (supervisor !== undefined)
      await this.node.send(supervisor, { type: 'reprise.child.stop', child: address }, { internal: 'system' });
    else await this.node.send(address, { type: 'reprise.stop' }, { internal: 'system' });
    const until = this.node.clock.monotonic() + STOP_MS + (child === undefined ? 0 : stopDeadlineMs(child.spec));
    for (; this.node.clock.monotonic() < until; await this.node.sleep(LOOK_MS))
      if (await this.isStopped(address, supervisor)) return 'stopped';
    return 'stopping';
  }

  /** Its supervisor has let it go, and it has ended durably. */
  private async isStopped(address: Address, supervisor: Address | undefined): Promise<boolean> {
    const child = supervisor === undefined ? undefined : await this.child(supervisor, address);
    if (child !== undefined && child.status !== 'idle') return false;
    const { actor, durableHead } = await this.node.cellAt(address);
    return actor.tables.status !== 'active' && actor.tables.head === durableHead;
  }

  /** What its supervisor, or its pool, knows of it. */
  private async child(supervisor: Address, address: Address): Promise<Child | undefined> {
    return childIn((await this.node.cellAt(supervisor)).view(), address);
  }

  /** A person decides a call in doubt. Throws USAGE when it is none. */
  async resolve(effect: string, decision: Decision): Promise<void> {
    const bang = effect.lastIndexOf('!');
    if (bang < 1) throw new MeshError('USAGE', `'${effect}' is no effect id: it looks like actor!12.0`);
    resolve(await this.cell(effect.slice(0, bang)), effect, decision);
  }

  /** Throws ACTOR_NOT_FOUND, naming what was meant. */
  private async cell(address: Address): Promise<Cell> {
    this.book.receiver(address);
    try {
      return await this.node.cellAt(address);
    } catch (error) {
      if (!isMeshError(error, 'ACTOR_NOT_FOUND')) throw error;
      throw new MeshError('ACTOR_NOT_FOUND', `${address} has not been started`, { cause: error });
    }
  }
}

function heldBy(supervisor: Address, address: Address, child: Child | undefined): string {
  if (child === undefined) return `${supervisor} has no such child`;
  const cure = child.status === 'running' ? `; \`reprise stop ${address}\` sets that right` : '';
  return `${supervisor} holds it to be ${child.status}${cure}`;
}
