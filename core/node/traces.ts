/** Which turns, leaves and messages of this node's actors are in traces: all of them, but for what supervisors do among themselves. */
import type { Address, EffectId } from '../address.ts';
import type { EventObject } from '../effect.ts';
import type { Envelope, TraceContext } from '../envelope.ts';
import type { Folded } from '../fold.ts';
import type { NodePlan } from './plan.ts';
import type { Span, Tracer } from '../ports/tracer.ts';
import { leafSpan, processSpan, sendSpan } from '../spans.ts';
import type { PendingLeaf, Tables } from '../tables.ts';

export class Traces {
  private readonly tracer: Tracer | undefined;
  private readonly templateOf: NodePlan['templateOf'];

  /** Without a tracer nothing is traced. */
  constructor(tracer: Tracer | undefined, plan: Pick<NodePlan, 'templateOf'>) {
    this.tracer = tracer;
    this.templateOf = (address) => plan.templateOf(address);
  }

  /** An actor takes a message, or a result: then there is no envelope. `via`: the effect that it answers. Undefined: it is not traced. */
  turn(
    { env, logic, tables }: Folded,
    event: EventObject,
    envelope: Envelope | undefined,
    via: EffectId | undefined,
  ): Span | undefined {
    const { tracer } = this;
    if (tracer === undefined || (envelope === undefined ? logic.controls === true : envelope.lane === 'system')) return undefined;
    const { id, version } = logic;
    const destination = this.templateOf(env.address);
    return processSpan(tracer, env.address, id, event, envelope, { destination, parent: causeOf(tables, via), version });
  }

  leaf(actor: Address, { id, src, input, trace }: PendingLeaf): Span | undefined {
    return this.tracer === undefined ? undefined : leafSpan(this.tracer, actor, src, input, trace, id);
  }

  /** A message leaves for the first time: the context that it carries from now on. Undefined: that of its turn. */
  send(envelope: Envelope): TraceContext | undefined {
    // Orders and reports of supervisors are in their logs; in traces they would only hide what agents do.
    if (this.tracer === undefined || envelope.lane === 'system') return undefined;
    return sendSpan(this.tracer, envelope, this.templateOf(envelope.to));
  }
}

/** The turn that began what this answers. */
const causeOf = ({ leaves, timers }: Tables, via: EffectId | undefined): TraceContext | undefined =>
  via === undefined ? undefined : (leaves?.get(via)?.trace ?? timers?.get(via)?.trace);
