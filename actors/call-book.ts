/**
 * The calls that a gateway has in hand, as plain JSON: who waits for which, tries, pauses, deadlines, and the last answers, so that a
 * call that comes again under the same key gets the same answer. Pure: `Calls` is the draft of one step.
 *
 *   accept -> waiting -> [slot free, gateway ready] -> running -> settled
 *                ^                                        |
 *                +------------- pausing <-- transient ----+          overdue: its caller no longer waits, it ends by itself
 */
import {
  type Address,
  CODES,
  type Effect,
  type ErrorCode,
  type ErrorData,
  errorData,
  type EventObject,
  type InDoubt,
  MeshError,
} from '../core/index.ts';
import type { CallKey, Reply, RetryPolicy } from './ask-logic.ts';
import { IN_HAND_BYTES_MAX } from './limits.ts';

export interface Call {
  readonly key: CallKey;
  /** How errors name it. */
  readonly what: string;
  /** What the leaf is given, besides key and limits. */
  readonly input: Readonly<Record<string, unknown>>;
  /** Of `input`, as JSON. */
  readonly bytes: number;
  readonly replyTo: readonly Address[];
  /** ms of silence that end one try; absent: as the gateway has it. */
  readonly timeoutMs?: number;
  /** ms since 1970. */
  readonly deadline: number;
  /** Tries in all; absent: as the gateway has it. */
  readonly attempts?: number;
  readonly minMs: number;
  readonly maxMs: number;
  /** What its caller asked for. */
  readonly asked?: InDoubt;
  /** What holds: decided at each start. */
  readonly inDoubt: InDoubt;
  /** Leaves started for it so far, and how many of them count as tries. */
  readonly started: number;
  readonly tries: number;
  readonly phase: 'waiting' | 'running' | 'pausing' | 'overdue';
  readonly error?: ErrorData;
}

export interface Settled {
  readonly key: CallKey;
  readonly at: number;
  readonly chars: number;
  readonly reply: Reply;
}

export interface CallBook {
  readonly calls: Readonly<Record<CallKey, Call>>;
  /** Keys of those that wait, first come first. */
  readonly waiting: readonly CallKey[];
  readonly running: number;
  /** The oldest first. */
  readonly settled: readonly Settled[];
}

export const EMPTY_BOOK: CallBook = { calls: {}, waiting: [], running: 0, settled: [] };

/** Calls in hand beyond this, or beyond `IN_HAND_BYTES_MAX` together, are answered BUSY. */
export const IN_HAND_MAX = 1_000;
/** Answers kept for calls that come again: at most so many, so old, so large together. */
export const SETTLED_MAX = 500;
export const SETTLED_MS = 3_600_000;
export const SETTLED_CHARS = 4 * 1024 * 1024;

const ATTEMPTS = 3;
const PAUSE_MIN_MS = 500;
const PAUSE_MAX_MS = 30_000;
/** The leaf ends itself at the deadline; this long after it the gateway does. */
const OVERDUE_MS = 1_000;

/** What `Calls` has to know of its gateway. */
export interface CallKind {
  /** The source that a try spawns. */
  readonly src: string;
  /** Of the input of one call, as JSON. A larger one is answered PAYLOAD_TOO_LARGE, before it is kept. */
  readonly inputBytesMax: number;
  readonly timeoutCode: ErrorCode & ('TOOL_TIMEOUT' | 'MODEL_TIMEOUT');
}

export interface CallContext {
  /** ms since 1970. */
  readonly ts: number;
  /** 0 <= x < 1, the same in replay. */
  random(): number;
}

/** A request as it came. */
export interface CallEvent extends EventObject {
  readonly key: CallKey;
  readonly timeoutMs?: number;
  readonly deadlineMs: number;
  readonly policy?: RetryPolicy & { readonly inDoubt?: InDoubt };
  readonly replyTo?: { readonly id: Address };
}

/** What the gateway decides when a try starts, from its config, the call and what the other side said. */
export interface Terms {
  readonly inDoubt: InDoubt;
  readonly timeoutMs: number;
  /** Tries in all. Default 3. */
  readonly attempts?: number | undefined;
  /** Given to the leaf besides the call's own input. */
  readonly input?: Readonly<Record<string, unknown>>;
}

/** Facts of a failure that decide whether it is tried again. */
interface FailureFacts {
  readonly retryable?: boolean;
  /** False: it is certain that nothing was sent. */
  readonly sent?: boolean;
  readonly retryAfterMs?: number;
}

export class Calls {
  readonly effects: Effect[] = [];
  private readonly calls: Record<CallKey, Call>;
  private waiting: CallKey[];
  private running: number;
  private settled: readonly Settled[];
  private readonly kind: CallKind;
  private readonly ctx: CallContext;

  constructor(book: CallBook, kind: CallKind, ctx: CallContext) {
    this.calls = { ...book.calls };
    this.waiting = [...book.waiting];
    this.running = book.running;
    this.settled = book.settled;
    this.kind = kind;
    this.ctx = ctx;
  }

  book(): CallBook {
    return { calls: this.calls, waiting: this.waiting, running: this.running, settled: this.settled };
  }

  // ---- in ------------------------------------------------------------------------------------------------------------

  /** A call comes, or comes again. `what` is how errors name it; `input` is for the leaf. True: it is a new one, and in hand. */
  accept(event: CallEvent, what: string, input: Readonly<Record<string, unknown>>): boolean {
    const { key, policy = {}, timeoutMs, deadlineMs } = event;
    const to = event.replyTo === undefined ? [] : [event.replyTo.id];
    const settled = this.settled.find((s) => s.key === key);
    if (settled !== undefined) {
      this.reply(to, settled.reply);
      return false;
    }
    const known = this.calls[key];
    if (known !== undefined) {
      this.calls[key] = { ...known, replyTo: [...new Set([...known.replyTo, ...to])] };
      return false;
    }
    const bytes = Buffer.byteLength(JSON.stringify(input));
    const refusal = this.refusal(what, bytes);
    if (refusal !== undefined) {
      this.reply(to, { type: 'reprise.reply', error: errorData(refusal) });
      return false;
    }
    this.calls[key] = {
      key,
      what,
      input,
      bytes,
      replyTo: to,
      deadline: this.ctx.ts + deadlineMs,
      minMs: policy.minMs ?? PAUSE_MIN_MS,
      maxMs: policy.maxMs ?? PAUSE_MAX_MS,
      ...(timeoutMs !== undefined && { timeoutMs }),
      ...(policy.attempts !== undefined && { attempts: policy.attempts }),
      ...(policy.inDoubt !== undefined && { asked: policy.inDoubt }),
      inDoubt: 'park',
      started: 0,
      tries: 0,
      phase: 'waiting',
    };
    this.waiting.push(key);
    this.timer('deadline', key, deadlineMs + OVERDUE_MS);
    return true;
  }

  private refusal(what: string, bytes: number): MeshError | undefined {
    const { inputBytesMax: max } = this.kind;
    if (bytes > max)
      return new MeshError('PAYLOAD_TOO_LARGE', `${what} was given ${bytes} bytes, the limit is ${max}`, {
        data: { sent: false, retryable: false },
      });
    const inHand = Object.values(this.calls);
    if (inHand.length >= IN_HAND_MAX) return new MeshError('BUSY', `${what}: ${IN_HAND_MAX} calls are in hand already`);
    const sum = inHand.reduce((total, call) => total + call.bytes, bytes);
    return sum > IN_HAND_BYTES_MAX
      ? new MeshError('BUSY', `${what}: calls of more than ${IN_HAND_BYTES_MAX} bytes would be in hand`)
      : undefined;
  }

  // ---- start ---------------------------------------------------------------------------------------------------------

  /** Starts what may start. Terms are asked for at each start, because the gateway may know more than it did. */
  pump(slots: number, terms: (call: Call) => Terms | MeshError): void {
    while (this.running < slots) {
      const key = this.waiting.shift();
      if (key === undefined) return;
      const call = this.calls[key];
      if (call === undefined) continue;
      const given = terms(call);
      if (given instanceof MeshError) this.settle(call, { type: 'reprise.reply', error: errorData(given) });
      else this.start(call, given);
    }
  }

  private start(call: Call, terms: Terms): void {
    const { key } = call;
    const { inDoubt, timeoutMs, attempts = ATTEMPTS } = terms;
    const started = call.started + 1;
    this.running++;
    this.calls[key] = { ...call, phase: 'running', inDoubt, attempts, started, tries: call.tries + 1 };
    const input = {
      ...call.input,
      ...terms.input,
      key,
      timeoutMs,
      remainingMs: Math.max(1, call.deadline - this.ctx.ts),
      inDoubt,
    };
    this.effects.push({ kind: 'spawn', child: childOf(key, started), src: this.kind.src, input, sync: false });
  }

  // ---- out -----------------------------------------------------------------------------------------------------------

  /** A leaf has ended. False: it is none of ours, or one that was given up. */
  ended(event: EventObject): boolean {
    const child = String(event['actorId']);
    const call = this.calls[child.slice(0, Math.max(0, child.lastIndexOf('#')))];
    if (call === undefined || childOf(call.key, call.started) !== child) return false;
    if (call.phase === 'running') this.running--;
    else if (call.phase !== 'overdue') return false;
    if (event.type.startsWith('xstate.done.')) this.settle(call, { type: 'reprise.reply', output: event['output'] });
    else this.failed(call, event['error'] as ErrorData);
    return true;
  }

  private failed(call: Call, error: ErrorData): void {
    const facts = (error.data ?? {}) as FailureFacts;
    const unsent = facts.sent === false;
    const tries = unsent ? call.tries - 1 : call.tries;
    const transient =
      (unsent && facts.retryable !== false) ||
      (call.inDoubt === 'retry' &&
        (facts.retryable ?? (error.code !== undefined && CODES[error.code].retryable)) &&
        tries < (call.attempts ?? ATTEMPTS));
    const pauseMs = this.pause(call, facts.retryAfterMs);
    if (call.phase === 'overdue' || !transient || this.ctx.ts + pauseMs >= call.deadline) {
      return this.settle(call, { type: 'reprise.reply', error });
    }
    this.calls[call.key] = { ...call, phase: 'pausing', tries, error };
    this.timer('again', call.key, pauseMs);
  }

  /** Doubles with each start, with jitter of half; never shorter than what the other side asked for. */
  private pause(call: Call, atLeastMs = 0): number {
    const full = Math.min(call.maxMs, call.minMs * 2 ** Math.min(20, call.started - 1));
    return Math.max(atLeastMs, Math.round(full * (0.5 + this.ctx.random() / 2)));
  }

  /** A pause is over. */
  again(key: CallKey): void {
    const call = this.calls[key];
    if (call?.phase !== 'pausing') return;
    this.calls[key] = { ...call, phase: 'waiting' };
    this.waiting.push(key);
  }

  /** Time is up. `why`: what a call that never got its turn failed of. */
  deadline(key: CallKey, why: (call: Call) => ErrorData | undefined): void {
    const call = this.calls[key];
    if (call === undefined || call.phase === 'overdue') return;
    const timeout = (inDoubt: boolean): Reply => ({
      type: 'reprise.reply',
      error: errorData(
        new MeshError(this.kind.timeoutCode, `${call.what} did not end before its deadline`, { data: { inDoubt } }),
      ),
    });
    if (call.phase !== 'running') {
      const error = call.error ?? why(call);
      return this.settle(call, error === undefined ? timeout(false) : { type: 'reprise.reply', error });
    }
    this.running--;
    if (call.inDoubt === 'park') {
      // A person decides: the leaf stays in doubt where they can see it, while its caller goes on.
      this.reply(call.replyTo, timeout(true));
      this.calls[key] = { ...call, phase: 'overdue', replyTo: [] };
      return;
    }
    this.effects.push({ kind: 'stop', child: childOf(key, call.started) });
    this.settle(call, timeout(call.inDoubt !== 'retry'));
  }

  /**
   * Its caller no longer waits. What has not begun never begins; what runs is aborted, unless nobody would know then whether it took
   * effect: such a call ends by itself.
   */
  cancel(key: CallKey): void {
    const call = this.calls[key];
    if (call === undefined || call.phase === 'overdue') return;
    if (call.phase === 'running') {
      this.running--;
      if (call.inDoubt === 'park') {
        this.calls[key] = { ...call, phase: 'overdue', replyTo: [] };
        return;
      }
      this.effects.push({ kind: 'stop', child: childOf(key, call.started) });
    }
    const inDoubt = call.phase === 'running' && call.inDoubt !== 'retry';
    const error = new MeshError(this.kind.timeoutCode, `${call.what} was given up by its caller`, { data: { inDoubt } });
    this.settle({ ...call, replyTo: [] }, { type: 'reprise.reply', error: errorData(error) });
  }

  private settle(call: Call, reply: Reply): void {
    const { key } = call;
    delete this.calls[key];
    this.waiting = this.waiting.filter((k) => k !== key);
    this.effects.push({ kind: 'cancel', timer: timerOf('deadline', key) }, { kind: 'cancel', timer: timerOf('again', key) });
    this.reply(call.replyTo, reply);
    this.keep({ key, at: this.ctx.ts, chars: JSON.stringify(reply).length, reply });
  }

  private keep(entry: Settled): void {
    const kept = [...this.settled.filter((s) => s.at > this.ctx.ts - SETTLED_MS), entry].slice(-SETTLED_MAX);
    let chars = kept.reduce((sum, s) => sum + s.chars, 0);
    while (kept.length > 1 && chars > SETTLED_CHARS) chars -= (kept.shift() as Settled).chars;
    this.settled = kept;
  }

  private reply(to: readonly Address[], reply: Reply): void {
    for (const address of to) this.effects.push({ kind: 'send', to: { kind: 'address', address }, event: reply });
  }

  private timer(what: 'deadline' | 'again', key: CallKey, delay: number): void {
    this.effects.push({ kind: 'timer', timer: timerOf(what, key), event: { type: `reprise.call.${what}`, key }, delay });
  }
}

const timerOf = (what: 'deadline' | 'again', key: CallKey): string => `${what} ${key}`;
const childOf = (key: CallKey, started: number): string => `${key}#${started}`;

/** Is this the end of a leaf? */
export const isEnd = (event: EventObject): boolean =>
  event.type.startsWith('xstate.done.actor.') || event.type.startsWith('xstate.error.actor.');
