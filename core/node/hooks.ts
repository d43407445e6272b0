/**
 * The hooks of whoever runs a node. They are called in the middle of a cell's work, where an exception would undo what is durable; so
 * what a hook throws ends here, and is told once as `node.hook_failed`.
 */
import type { Address } from '../address.ts';
import type { EventObject } from '../effect.ts';
import { errorData } from '../errors.ts';
import type { NodeEvent } from './news.ts';
import type { NodeOptions } from '../node.ts';
import type { LogRecord } from '../record.ts';

type Given = Pick<NodeOptions, 'name' | 'onEvent' | 'onRecords' | 'onEmitted'>;
type Hook = 'onEvent' | 'onRecords' | 'onEmitted';

export class Hooks {
  private readonly given: Given;
  private readonly failed = new Set<Hook>();

  constructor(given: Given) {
    this.given = given;
  }

  /** Does anybody hear events? */
  get areHeard(): boolean {
    return this.given.onEvent !== undefined;
  }
  event(event: NodeEvent): void {
    this.call('onEvent', () => this.given.onEvent?.(event));
  }
  records(actor: Address, records: readonly LogRecord[]): void {
    this.call('onRecords', () => this.given.onRecords?.(actor, records));
  }
  emitted(actor: Address, event: EventObject): void {
    this.call('onEmitted', () => this.given.onEmitted?.(actor, event));
  }

  private call(hook: Hook, call: () => unknown): void {
    try {
      const result = call();
      // An async function passes for one that returns nothing.
      if (result instanceof Promise) result.catch((error: unknown) => this.fail(hook, error));
    } catch (error) {
      this.fail(hook, error);
    }
  }

  private fail(hook: Hook, error: unknown): void {
    if (this.failed.has(hook)) return;
    this.failed.add(hook);
    this.event({ type: 'node.hook_failed', node: this.given.name, hook, error: errorData(error) });
  }
}
