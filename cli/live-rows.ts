/** What `reprise up` has to say of each declared actor on a line of its own. Actors by key share one. */
import type { Address } from '../core/address.ts';
import type { ActorPlan } from '../core/config/plan.ts';
import type { NodeEvent } from '../core/node/news.ts';
import type { LogRecord } from '../core/record.ts';
import type { Style } from './io.ts';
import { placeFromHere } from './render/text.ts';
import { counted } from './words.ts';

/** With the place where code of the user threw, if it did. */
const whatFailed = ({ error, at }: NodeEvent): string =>
  `${String(error)}${typeof at === 'string' ? ` (${placeFromHere(at)})` : ''}`;

/** Everything is counted since the start of this process. */
export class LiveRow {
  readonly plan: ActorPlan;
  private readonly parked = new Set<Address>();
  /** Records of kind `event`. What the store has besides (taking up, book-keeping) is not all told here. */
  private events = 0;
  /** Of the actor itself, where it is one. */
  private seq = 0;
  private last = '';
  /** Lives that began and ended. */
  private begun = 0;
  private ended = 0;
  private trouble = '';

  constructor(plan: ActorPlan) {
    this.plan = plan;
  }

  event(actor: Address, event: NodeEvent): void {
    switch (event.type) {
      case 'actor.started':
        this.begun++;
        this.parked.delete(actor);
        this.trouble = '';
        return;
      case 'actor.ended':
        this.ended++;
        return;
      case 'actor.parked':
        this.parked.add(actor);
        return;
      case 'actor.recovered':
        this.parked.delete(actor);
        return;
      case 'actor.dead_letter':
        // What it failed on is out of the way.
        this.trouble = '';
        return;
      case 'actor.unstarted':
        this.trouble = `did not start: ${whatFailed(event)}`;
        return;
      case 'actor.failed':
        this.trouble = `failed: ${whatFailed(event)}`;
        return;
      default:
    }
  }

  record(actor: Address, record: LogRecord): void {
    if (actor === this.plan.address) this.seq = record.seq;
    if (record.kind === 'event') {
      this.events++;
      this.last = record.event.type;
      this.trouble = '';
    } else if (record.kind === 'activated' && record.reason === 'unparked') this.parked.delete(actor);
  }

  /** How far its log goes; of a kind, how many events its actors took. */
  get count(): string {
    if (this.plan.kind !== 'worker') return counted(this.events, 'event');
    return this.seq === 0 ? '' : `seq ${this.seq}`;
  }

  get phase(): readonly [Style, string] {
    const { parked, trouble, last, begun, ended } = this;
    const isOne = this.plan.kind === 'worker';
    const counts = `${begun} begun, ${ended} ended since start`;
    if (parked.size > 0) return ['red', isOne ? 'parked' : `${parked.size} parked, ${counts}`];
    if (trouble !== '') return ['yellow', trouble];
    if (isOne) return ['reset', ended > 0 && ended >= begun ? 'ended' : last];
    return ['reset', counts];
  }
}
