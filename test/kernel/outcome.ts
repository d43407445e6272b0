/** What a run of a chart shows from outside, in a form in which a live XState actor and ours can be compared. */
import type { AnyActorLogic } from 'xstate';
import type { EventObject } from '../../core/effect.ts';

/** An event; or time that passes, ms; or something that the world does. */
export type Act = EventObject | { readonly advance: number } | (() => void);
/** Notes what was done, in order. */
export type Note = (entry: unknown) => void;
/** Made anew for each run, so that its actions write to the trace of that run. */
export type MachineOf = (note: Note) => AnyActorLogic;

export interface Outcome {
  /** After the start and after each act. */
  readonly states: readonly unknown[];
  /** What actions, emits and logs did: [number of the act, what]. */
  readonly trace: readonly unknown[];
}

/** An id that nobody chose, or an event that is named after one. */
const ANONYMOUS = /^(xstate\.\w+\.actor\.|)(x:\d+|\d+~\d+)$/;

/** Collects one outcome. References count as the ids of their actors, and ids that nobody chose by their order of appearance. */
export class Recorder {
  act = 0;
  private readonly states: unknown[] = [];
  private readonly trace: unknown[] = [];
  private readonly anonymous = new Map<string, string>();

  readonly note: Note = (entry) => {
    this.trace.push([this.act, this.plain(entry)]);
  };

  get noted(): number {
    return this.trace.length;
  }

  state(snapshot: unknown): void {
    this.states.push(this.shown(snapshot as Shown));
  }

  outcome(): Outcome {
    return { states: [...this.states], trace: [...this.trace] };
  }

  private plain(value: unknown): unknown {
    const text = JSON.stringify(value, (_key, v: unknown) => {
      if (typeof v === 'string') return this.name(v);
      return typeof v === 'object' && v !== null && 'sessionId' in v && 'send' in v
        ? { ref: this.name(String((v as { id?: unknown }).id)) }
        : v;
    });
    return text === undefined ? undefined : (JSON.parse(text) as unknown);
  }

  private name(text: string): string {
    const [, before = '', id] = ANONYMOUS.exec(text) ?? [];
    if (id === undefined) return text;
    let name = this.anonymous.get(id);
    if (name === undefined) this.anonymous.set(id, (name = `#${this.anonymous.size}`));
    return before + name;
  }

  private shown(s: Shown): unknown {
    if (s.status === 'error') return { status: 'error', message: (s.error as Error | undefined)?.message ?? s.error };
    return this.plain({
      status: s.status,
      value: s.value,
      context: s.context,
      output: s.output,
      tags: [...(s.tags ?? [])],
      children: Object.keys(s.children ?? {}).map((id) => this.name(id)),
      history: Object.fromEntries(Object.entries(s.historyValue ?? {}).map(([id, nodes]) => [id, nodes.map((n) => n.id)])),
      meta: s.getMeta?.(),
    });
  }
}

interface Shown {
  readonly status: string;
  readonly value?: unknown;
  readonly context?: unknown;
  readonly output?: unknown;
  readonly error?: unknown;
  readonly tags?: ReadonlySet<string>;
  readonly children?: Readonly<{ [id: string]: unknown }>;
  readonly historyValue?: Readonly<{ [id: string]: readonly { readonly id: string }[] }>;
  getMeta?(): unknown;
}

/** Promises of leaves get their turns. */
export const settle = async (): Promise<void> => {
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve));
};
