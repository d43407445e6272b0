/**
 * The door of a node: messages from outside, and answers to those who asked. What comes in is checked here, before any log sees it.
 */
import { type Address, type EffectId, OUTSIDE, type Shard } from '../address.ts';
import type { Cell } from '../cell.ts';
import type { EventObject, Lane } from '../effect.ts';
import type { Envelope } from '../envelope.ts';
import { isMeshError, MeshError } from '../errors.ts';
import { reference } from '../fold/targets.ts';
import { toPlain } from '../kernel/plain.ts';
import type { NodePlan } from './plan.ts';
import type { Clock } from '../ports/clock.ts';
import type { Entropy } from '../ports/entropy.ts';

/** Tries at a cell that is put away or reopened meanwhile, and the pause between them, ms. */
const TRIES_MAX = 20;
const PAUSE_MS = 5;
const ASK_MS = 30_000;
const ID = /^[\x21-\x7e]{1,200}$/;

export interface SendOptions {
  /** Makes a retry safe: the same id acts once within 24 hours. 1 to 200 printable ASCII characters. Default: a new one. */
  readonly id?: string;
  /** The id was made for this call alone: it is remembered among the last 2,000 of a day, and never refused for want of room. @default no id was given */
  readonly made?: boolean;
}
export interface AskOptions extends SendOptions {
  /** ms. @default 30000 */
  readonly timeoutMs?: number;
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

export class FrontDoor {
  private readonly host: DoorHost;
  private readonly admitTo: NodePlan['admit'];
  private readonly entropy: Entropy;
  private readonly payloadBytes: number;
  private readonly asking = new Map<EffectId, Set<(reply: EventObject) => void>>();

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
        // The cell was put away or reopened meanwhile: the id makes the next try safe.
        if (!isMeshError(error, 'NOT_OWNER') || tries >= TRIES_MAX) throw error;
        await host.sleep(PAUSE_MS);
      }
    }
  }

  ask(to: Address, given: EventObject, options: AskOptions): Promise<EventObject> {
    const id = this.idOf(options);
    const { timeoutMs = ASK_MS, made = options.id === undefined } = options;
    const event = this.admitted(to, given);
    return new Promise<EventObject>((resolve, reject) => {
      const finish = (): void => {
        cancel();
        const others = this.asking.get(id);
        others?.delete(answered);
        if (others?.size === 0) this.asking.delete(id);
      };
      const answered = (reply: EventObject): void => {
        finish();
        resolve(reply);
      };
      const cancel = this.host.clock.after(timeoutMs, () => {
        finish();
        const again = `ask again with the id '${id}' to get the reply if it comes`;
        reject(new MeshError('ASK_TIMEOUT', `${to} did not reply in ${timeoutMs} ms; ${again}`, { data: { id } }));
      });
      const known = this.asking.get(id);
      if (known === undefined) this.asking.set(id, new Set([answered]));
      else known.add(answered);
      // Answers to the outside carry the id behind the address of the outside.
      const question = { ...event, replyTo: reference(`${OUTSIDE}!${id}`) };
      const asked = this.send(to, question, { id, made, internal: 'user' });
      asked.catch((error: Error) => {
        finish();
        reject(error);
      });
    });
  }

  /** A reply to the outside is durable. */
  replied(id: EffectId, reply: EventObject): void {
    // Whoever asked may do with it what they like: it is also in the context of the actor that replied, or in its log to be.
    for (const answered of this.asking.get(id) ?? []) answered(structuredClone(reply));
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

  /** A copy, as a log keeps it: what its sender does with the event afterwards changes nothing. Throws EVENT_REJECTED, PAYLOAD_TOO_LARGE. */
  private admitted(to: Address, given: EventObject): EventObject {
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
    const bytes = Buffer.byteLength(JSON.stringify(event));
    if (bytes > this.payloadBytes)
      throw new MeshError('PAYLOAD_TOO_LARGE', `the event has ${bytes} bytes, ${to} takes ${this.payloadBytes}`);
    this.admitTo(to, event);
    return event;
  }
}
