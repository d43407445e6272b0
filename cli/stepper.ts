/**
 * Steps through the frames of a replay by hand, forward and back. A fold only goes forward: the last frames are kept, and further back
 * it is folded again from the beginning. Knows no terminal: keys in, lines out.
 */
import { setImmediate as othersFirst } from 'node:timers/promises';
import type { Io } from './io.ts';
import type { LivedFrame, PresentLife } from './present-life.ts';
import { changesOf, changeText } from './render/changes.ts';
import { frameLines } from './render/frame.ts';
import { stateText } from './render/text.ts';

/** A frame that may be kept: its tables are gone. */
export type KeptFrame = Omit<LivedFrame, 'tables'>;

export interface StepperOptions {
  /** The frames with seq <= `to`, from the beginning. */
  frames(to?: number): AsyncIterable<LivedFrame>;
  /** Seq of the last frame. */
  readonly last: number;
  readonly io: Io;
  readonly life: PresentLife;
  /** Frames that are kept. @default 1000 */
  readonly keep?: number;
}

/** Frames on the way to another after which keys are listened to. */
const STRETCH = 500;

const NOT_KNOWN = 'other code wrote this record: its state is not known';

const KEYS = 'n next   p previous   g go to   s state   d difference   q quit';

/** What became of a key: lines to print, and whether that was all. */
export interface Stepped {
  readonly lines: readonly string[];
  readonly done?: true;
}

export class Stepper {
  private readonly options: StepperOptions;
  private readonly keep: number;
  private source: AsyncIterator<LivedFrame>;
  private kept: KeptFrame[] = [];
  private at = -1;
  /** Digits of a seq that is being typed. */
  private typed: string | undefined;

  constructor(options: StepperOptions) {
    this.options = options;
    this.keep = options.keep ?? 1_000;
    this.source = options.frames()[Symbol.asyncIterator]();
  }

  get frame(): KeptFrame | undefined {
    return this.kept[this.at];
  }
  /** What stands below the frame. */
  get prompt(): string {
    const { io, last } = this.options;
    return this.typed === undefined
      ? io.paint('dim', `[${this.frame?.seq ?? 0}/${last}]  ${KEYS}`)
      : `go to record 1 to ${last}, then Enter (Esc, q or Enter alone: back): ${this.typed}`;
  }

  /** Names as Node's readline gives them: `n`, `right`, `return`, `5`. */
  async key(name: string): Promise<Stepped> {
    if (this.typed !== undefined) return this.digit(name);
    switch (name) {
      case 'n':
      case 'right':
      case 'down':
      case 'space':
      case 'return':
        return (await this.forward()) ? this.show() : { lines: ['that was the last record'] };
      case 'p':
      case 'left':
      case 'up':
        return this.back();
      case 'home':
        return this.goTo(1);
      case 'end':
        return this.goTo(this.options.last);
      case 'g':
        this.typed = '';
        return { lines: [] };
      case 's':
        return { lines: this.state() };
      case 'd':
        return { lines: this.difference() };
      case 'q':
      case 'escape':
        return { lines: [], done: true };
      default:
        // They stand below it.
        return { lines: ['that is none of the keys:'] };
    }
  }

  private digit(name: string): Promise<Stepped> | Stepped {
    const typed = this.typed ?? '';
    if (/^\d$/.test(name)) this.typed = `${typed}${name}`.slice(0, 15);
    else if (name === 'backspace') this.typed = typed.slice(0, -1);
    else if (name === 'return' || name === 'escape' || name === 'q') {
      this.typed = undefined;
      if (name === 'return' && typed !== '') return this.goTo(Number(typed));
    }
    return { lines: [] };
  }

  private show(): Stepped {
    const { frame } = this;
    return { lines: frame === undefined ? ['there is no record'] : frameLines(frame, this.options.io, this.options.life) };
  }

  private async forward(): Promise<boolean> {
    if (this.at + 1 < this.kept.length) {
      this.at++;
      return true;
    }
    const { value, done } = await this.source.next();
    if (done === true) return false;
    const { tables: _live, ...frame } = value;
    this.options.life.see(frame);
    this.kept.push(frame);
    if (this.kept.length > this.keep) this.kept.shift();
    this.at = this.kept.length - 1;
    return true;
  }

  private async back(): Promise<Stepped> {
    const { frame } = this;
    if (frame === undefined) return { lines: [] };
    if (this.at === 0) return frame.seq === 1 ? { lines: ['that was the first record'] } : this.goTo(frame.seq - 1);
    this.at--;
    return this.show();
  }

  /** The frame with that seq, or the nearest that there is. */
  async goTo(seq: number): Promise<Stepped> {
    const first = this.kept[0]?.seq;
    if (first === undefined || seq < first) await this.rewind();
    else this.at = Math.min(this.kept.length - 1, Math.max(0, seq - first));
    for (let frames = 1; (this.frame?.seq ?? 0) < seq && (await this.forward()); frames++)
      if (frames % STRETCH === 0) await othersFirst();
    return this.show();
  }

  private async rewind(): Promise<void> {
    await this.source.return?.();
    this.source = this.options.frames()[Symbol.asyncIterator]();
    this.kept = [];
    this.at = -1;
    await this.forward();
  }

  private state(): string[] {
    const after = this.frame?.after;
    if (this.frame?.unknown === 'state') return [NOT_KNOWN];
    if (after === undefined) return ['nothing lives here yet'];
    const { value, status, context, children, output } = after;
    return [
      `state ${stateText(value) || status}`,
      ...(children.length > 0 ? [`children ${children.join(', ')}`] : []),
      ...JSON.stringify(output === undefined ? { context } : { context, output }, undefined, 2).split('\n'),
    ];
  }

  private difference(): string[] {
    if (this.frame?.unknown === 'state') return [NOT_KNOWN];
    const lines = changesOf(this.frame?.before, this.frame?.after).map((change) => changeText(change, Infinity));
    return lines.length === 0 ? ['this record changed nothing in the state'] : lines;
  }
}
