/**
 * What a machine should say so that its log can be replayed after an edit. Looks at config and implementations only; what functions
 * enqueue while they run is found when they do.
 */
import type { AnyActorLogic, AnyStateMachine } from 'xstate';

export type LintRule = 'unnamed-invoke' | 'literal-delay' | 'inline-logic' | 'spawn-without-id' | 'no-version';

export interface Finding {
  readonly rule: LintRule;
  /** Where: machine and state, as in `desk.waiting.invoke[0]`; actors within behind ` > `. */
  readonly path: string;
  readonly cure: string;
}

const CURES: Record<LintRule, string> = {
  'unnamed-invoke':
    'Give the invoke an `id`: without one it is named by its position, and an invoke inserted before it would get its result.',
  'literal-delay':
    "Name the delay in `setup({ delays })`: a literal is part of the timer's event type, so changing it strands the timers that are set.",
  'inline-logic': 'Register the logic in `setup({ actors })` and spawn it by name: no log can name a logic object.',
  'spawn-without-id': 'Give `spawnChild` an `id`: XState keeps children without one under the same key.',
  'no-version': 'Give the machine a `version`, such as "1": a name for people, by which its logs say which chart wrote them.',
};

interface NodeConfig {
  readonly id?: string;
  readonly entry?: unknown;
  readonly exit?: unknown;
  readonly initial?: unknown;
  readonly invoke?: unknown;
  readonly on?: Readonly<Record<string, unknown>>;
  readonly after?: Readonly<Record<string, unknown>>;
  readonly always?: unknown;
  readonly onDone?: unknown;
  readonly states?: Readonly<Record<string, NodeConfig>>;
}

/** All findings in a machine and in the machines that it names as actors. None for logic that is no machine. */
export function lintMachine(machine: AnyActorLogic): readonly Finding[] {
  const findings: Finding[] = [];
  lint(machine, '', findings, new Set());
  return findings;
}

const listOf = (v: unknown): readonly unknown[] => (v === undefined || v === null ? [] : Array.isArray(v) ? v : [v]);

function lint(logic: AnyActorLogic, prefix: string, findings: Finding[], seen: Set<object>): void {
  if (!('root' in logic) || !('implementations' in logic) || seen.has(logic)) return;
  seen.add(logic);
  const machine = logic as AnyStateMachine;
  const found = (rule: LintRule, path: string): void => void findings.push({ rule, path: prefix + path, cure: CURES[rule] });
  if (machine.version === undefined) found('no-version', machine.id);
  node(machine.config as NodeConfig, machine.id, found);
  for (const [name, action] of Object.entries(machine.implementations.actions))
    actions(action, `${machine.id} actions.${name}`, found);
  for (const [name, child] of Object.entries(machine.implementations.actors))
    lint(child as AnyActorLogic, `${prefix}${machine.id} > ${name}: `, findings, seen);
}

type Found = (rule: LintRule, path: string) => void;

function node(config: NodeConfig, path: string, found: Found): void {
  for (const [i, one] of listOf(config.invoke).entries()) {
    const invoke = one as {
      readonly id?: unknown;
      readonly onDone?: unknown;
      readonly onError?: unknown;
      readonly onSnapshot?: unknown;
    };
    const at = `${path}.invoke[${i}]`;
    if (invoke.id === undefined) found('unnamed-invoke', at);
    for (const key of ['onDone', 'onError', 'onSnapshot'] as const) transitions(invoke[key], `${at}.${key}`, found);
  }
  for (const delay of Object.keys(config.after ?? {}))
    if (!Number.isNaN(Number(delay))) found('literal-delay', `${path}.after.${delay}`);
  actions(config.entry, `${path}.entry`, found);
  actions(config.exit, `${path}.exit`, found);
  transitions(config.initial, `${path}.initial`, found);
  transitions(config.always, `${path}.always`, found);
  transitions(config.onDone, `${path}.onDone`, found);
  for (const key of ['on', 'after'] as const)
    for (const [event, value] of Object.entries(config[key] ?? {})) transitions(value, `${path}.${key}.${event}`, found);
  for (const [key, state] of Object.entries(config.states ?? {})) node(state, `${path}.${key}`, found);
}

function transitions(value: unknown, path: string, found: Found): void {
  for (const one of listOf(value))
    if (typeof one === 'object' && one !== null) actions((one as { readonly actions?: unknown }).actions, path, found);
}

/** `spawnChild(..)` is a function that carries its parameters. */
function actions(value: unknown, path: string, found: Found): void {
  for (const one of listOf(value)) {
    if (typeof one !== 'function') continue;
    const { type, src, id } = one as { readonly type?: unknown; readonly src?: unknown; readonly id?: unknown };
    if (type !== 'xstate.spawnChild') continue;
    if (typeof src !== 'string') found('inline-logic', path);
    if (id === undefined) found('spawn-without-id', path);
  }
}
