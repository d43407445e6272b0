/**
 * The door of a node: messages from outside, and answers to those who asked. What comes in is checked here, before any log sees it.
 */
import { type Address, checkAddress, checkTarget, type EffectId, OUTSIDE, type Shard } from '../address.ts';
import type { Cell } from '../cell.ts';
import type { EventObject, Lane } from '../effect.ts';
import type { Envelope } from '../envelope.ts';
import { isMeshError, MeshError } from '../errors.ts';
import { reference } from '../fold/targets.ts';
import { reviveRefs, toPlain } from '../kernel/plain.ts';
import type { NodePlan } from './plan.ts';
import type { Clock } from '../ports/clock.ts';
import type { Entropy } from '../ports/entropy.ts';

/** Tries at a cell that is put away or reopened meanwhile, and the pause between them, ms. */
const TRIES_MAX = 20;
const PAUSE_MS = 5;
const ASK_MS = 30_000;
const sendAgain = (id: EffectId): string => `send it again under the id '${id}', which acts once`;
const askAgain = (id: EffectId): string => `ask again with the id '${id}' to get the reply if it comes`;
const ID = /^[\x21-\x7e]{1,200}$/;

export interface SendOptions {
  /** Makes a retry safe: the same id acts once within 24 hours. 1 to 200 printable ASCII characters. Default: a new one. */
  readonly id?: string;
  /** The id was made for this call alone: it is remembered among the last 2,000 of a day, and never refused for want of room. @default no id was given */
  readonly made?: boolean;
}
export interface AskOptions extends SendOptions {
  /** ms, more than 0. @default 30000 */
  readonly timeoutMs?: number;
  /** Called when the question is in the log of its receiver. What it rejects with ends the wait. */
  readonly onTaken?: (sent: Sent) => Promise<void>;
}
export interface Sent {
  readonly id: string;
  /** Where it stands in the log of its receiver. */
  readonly seq: number;
}

interface DoorHost {
  readonly node: string;
  readonly clock: Clock;
  readonly stopping: boolean;
  shardOf(address: Address): Shard;
  epochOf(shard: Shard): number;
  cellAt(address: Address, first: Envelope): Promise<Cell>;
  sleep(ms: number): Promise<void>;
}

/** Who waits for a reply. */
interface Asker {
  answered(reply: EventObject): void;
  refused(error: Error): void;
}

export class FrontDoor {
  private readonly host: DoorHost;
  private readonly admitTo: NodePlan['admit'];
  private readonly entropy: Entropy;
  private readonly payloadBytes: number;
  private readonly asking = new Map<EffectId, Set<Asker>>();

  constructor(host: DoorHost, plan: Pick<NodePlan, 'admit'>, entropy: Entropy, payloadBytes: number) {
    this.host = host;
    this.admitTo = (to, event) => plan.admit(to, event);
    this.entropy = entropy;
    this.payloadBytes = payloadBytes;
  }

  async send(to: Address, given: EventObject, options: SendOptions & { readonly internal?: Lane }): Promise<Sent> {
    const { host } = this;
    const event = options.internal === undefined ? this.admitted(to, given) : given;
    if (host.stopping) throw new MeshError('NODE_STOPPING', `node ${host.node} is stopping`);
    const id = this.idOf(options);
    const shard = host.shardOf(to);
    const lane = options.internal ?? 'user';
    const { made = options.id === undefined } = options;
    const ts = host.clock.now();
    const envelope: Envelope = { id, ...(made && { made }), from: OUTSIDE, to, lane, shard, fromShard: '', after: -1, ts, event };
    for (let tries = 1; ; tries++) {
      if (host.epochOf(shard) < 0)
        throw new MeshError('NOT_OWNER', `${to} lives in shard ${shard}, which this node does not own`);
      try {
        const cell = await host.cellAt(to, envelope);
        return { id, seq: await cell.door(envelope) };
      } catch (error) {
        if (isMeshError(error) && error.retryable && error.code.startsWith('STORE_'))
          throw new MeshError(error.code, `${error.message}. ${to} may take it yet: ${sendAgain(id)}`, {
            data: { id },
            cause: error,
          });
        // The cell was put away or reopened meanwhile: the id makes the next try safe.
        if (!isMeshError(error, 'NOT_OWNER') || tries >= TRIES_MAX) throw error;
        if (host.stopping) throw this.stopping(`${to} may have taken it: ${sendAgain(id)}`, id);
        await host.sleep(PAUSE_MS);
      }
    }
  }

  ask(to: Address, given: EventObject, options: AskOptions): Promise<EventObject> {
    const id = this.idOf(options);
    const { timeoutMs = ASK_MS, made = options.id === undefined, onTaken } = options;
    if (!Number.isFinite(timeoutMs) || timeoutMs <= 0)
      throw new MeshError('USAGE', `ask of ${to}: timeoutMs must be a positive number, not ${timeoutMs}`);
    const event = this.admitted(to, given);
    return new Promise<EventObject>((resolve, reject) => {
      let taken: number | undefined;
      const finish = (): void => {
        cancel();
        const others = this.asking.get(id);
        others?.delete(asker);
        if (others?.size === 0) this.asking.delete(id);
      };
      const asker: Asker = {
        answered: (reply) => {
          finish();
          resolve(reply);
        },
        refused: (error) => {
          finish();
          reject(error);
        },
      };
      const cancel = this.host.clock.after(timeoutMs, () => {
        const what = taken === undefined ? 'it has not taken the question yet' : `it took the question at seq ${taken}`;
        const message = `${to} did not reply in ${timeoutMs} ms: ${what}; ${askAgain(id)}`;
        asker.refused(
          new MeshError('ASK_TIMEOUT', message, { data: { id, actor: to, ...(taken !== undefined && { seq: taken }) } }),
        );
      });
      const known = this.asking.get(id);
      if (known === undefined) this.asking.set(id, new Set([asker]));
      else known.add(asker);
      // Answers to the outside carry the id behind the address of the outside.
      const question = { ...event, replyTo: reference(`${OUTSIDE}!${id}`) };
      this.send(to, question, { id, made, internal: 'user' })
        .then((sent) => {
          taken = sent.seq;
          return onTaken?.(sent);
        })
        .catch((error: Error) => asker.refused(error));
    });
  }

  /** Its node has stopped: who still waits for a reply is told. */
  close(): void {
    for (const [id, askers] of this.asking) for (const asker of askers) asker.refused(this.stopping(askAgain(id), id));
  }

  private stopping(what: string, id: EffectId): MeshError {
    return new MeshError('NODE_STOPPING', `node ${this.host.node} is stopping; ${what}`, { data: { id } });
  }

  /** A reply to the outside is durable. */
  replied(id: EffectId, reply: EventObject): void {
    // Whoever asked may do with it what they like: it is also in the context of the actor that replied, or in its log to be.
    for (const asker of this.asking.get(id) ?? []) asker.answered(structuredClone(reply));
  }

  private idOf({ id }: SendOptions): string {
    if (id === undefined) return this.entropy.id();
    if (!ID.test(id))
      throw new MeshError(
        'EVENT_REJECTED',
        `the id ${JSON.stringify(id.slice(0, 50))} has to be 1 to 200 printable ASCII characters without blanks`,
      );
    return id;
  }

  /**
   * A copy, as a log keeps it: what its sender does with the event afterwards changes nothing.
   *
   * Throws ADDRESS_INVALID (also of a reference in it), EVENT_REJECTED, PAYLOAD_TOO_LARGE.
   */
  private admitted(to: Address, given: EventObject): EventObject {
    checkAddress(to);
    const type: unknown = (given as EventObject | null | undefined)?.type;
    if (typeof type !== 'string' || type === '') throw new MeshError('EVENT_REJECTED', `an event for ${to} needs a type`);
    if (type.startsWith('xstate.') || type.startsWith('reprise.'))
      throw new MeshError('EVENT_REJECTED', `events of type '${type}' may not come from outside`);
    const event = toPlain(given, {
      what: `event '${type}' for ${to}`,
      code: 'EVENT_REJECTED',
      marker: () => undefined,
      copy: true,
    });
    // An actor that would reply there could not.
    reviveRefs(event, (ref) => {
      checkTarget(ref.id);
      return ref;
    });
    const bytes = Buffer.byteLength(JSON.stringify(event));
    if (bytes > this.payloadBytes)
      throw new MeshError('PAYLOAD_TOO_LARGE', `the event has ${bytes} bytes, ${to} takes ${this.payloadBytes}`);
    this.admitTo(to, event);
    return event;
  }
}
