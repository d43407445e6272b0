/**
 * SCXML as an XState machine. What XState cannot express the same way is refused with an `Unsupported` that says what it is: those tests
 * are left out by name. Event descriptors match by prefix, as SCXML has it; `.` in ids becomes `$`, which XState keeps for paths.
 */
import { compileFunction } from 'node:vm';
import type { AnyStateMachine } from 'xstate';
import type { EventObject } from '../../../core/effect.ts';
import {
  type Args,
  assign,
  cancel,
  chart,
  type EnqueueArgs,
  enqueueActions,
  log,
  not,
  raise,
  sendParent,
  sendTo,
  stateIn,
} from '../loose.ts';
import { type Element, parseXml } from './xml.ts';

/** The reason is its message. */
export class Unsupported extends Error {}

export const stateId = (id: string): string => id.replaceAll('.', '$');

export function toMachine(scxml: string): AnyStateMachine {
  return new Converter(parseXml(scxml)).machine();
}

type Data = Record<string, unknown>;
type Scope = Pick<Args, 'context' | 'event'>;
const STATES = ['state', 'parallel', 'final', 'history'];

class Converter {
  private readonly root: Element;
  /** Every name of the data model: one that is undefined is no member of a context that comes back from JSON. */
  private readonly declared: Data = {};
  private unnamed = 0;

  constructor(root: Element) {
    this.root = root;
  }

  machine(): AnyStateMachine {
    for (const data of find(this.root, 'data')) if (data.attributes['src'] !== undefined) throw new Unsupported('<data src>');
    const models = this.root.children.filter((e) => e.name === 'datamodel');
    if (find(this.root, 'datamodel').length > models.length) throw new Unsupported('<datamodel> within a state');
    const context: Data = {};
    for (const data of models.flatMap((m) => m.children)) {
      const { id, expr } = data.attributes;
      this.declared[id as string] = undefined;
      context[id as string] =
        expr === undefined ? literal(data.text) : this.expression(expr)({ context, event: { type: '' } } as never);
    }
    const script = this.root.children.filter((e) => e.name === 'script').map((e) => this.action(e));
    const config = this.state(this.root, '(machine)');
    return chart({ ...config, entry: [...script, ...(config['entry'] as object[])], id: '(machine)', context });
  }

  // ---- states -------------------------------------------------------------------------------------------------------

  private state(e: Element, id: string): Data {
    if (e.name === 'history') return this.history(e, id);
    const inner = e.children.filter((c) => STATES.includes(c.name));
    const config: Data = { id, ...this.transitions(e) };
    const names = new Map(inner.map((c) => [c, stateId(c.attributes['id'] ?? `unnamed${this.unnamed++}`)]));
    if (inner.length > 0)
      config['states'] = Object.fromEntries(inner.map((c) => [names.get(c), this.state(c, names.get(c) as string)]));
    if (e.name === 'parallel') config['type'] = 'parallel';
    else if (e.name === 'final') config['type'] = 'final';
    else if (inner.length > 0) config['initial'] = this.initial(e, [...names.values()]);
    config['entry'] = e.children.filter((c) => c.name === 'onentry').flatMap((c) => this.actions(c.children));
    config['exit'] = e.children.filter((c) => c.name === 'onexit').flatMap((c) => this.actions(c.children));
    config['invoke'] = e.children.filter((c) => c.name === 'invoke').map((c) => this.invoke(c));
    const [output] = e.children.filter((c) => c.name === 'donedata');
    if (output !== undefined) config['output'] = this.data(output);
    return config;
  }

  private initial(e: Element, states: readonly string[]): string {
    const [element] = e.children.filter((c) => c.name === 'initial');
    const [transition] = element?.children ?? [];
    if (transition !== undefined && transition.children.length > 0) throw new Unsupported('<initial> with executable content');
    const targets = (e.attributes['initial'] ?? transition?.attributes['target'] ?? states[0] ?? '')
      .trim()
      .split(/\s+/)
      .map(stateId);
    const [first] = targets;
    if (targets.length > 1) throw new Unsupported('several initial states');
    if (first === undefined || !states.includes(first)) throw new Unsupported('an initial state that is not a direct child');
    return first;
  }

  private history(e: Element, id: string): Data {
    const [transition] = e.children.filter((c) => c.name === 'transition');
    if (transition !== undefined && transition.children.length > 0) throw new Unsupported('<history> with executable content');
    const target = transition?.attributes['target'];
    const targets = target
      ?.trim()
      .split(/\s+/)
      .map((t) => `#${stateId(t)}`);
    return { id, type: 'history', history: e.attributes['type'] ?? 'shallow', ...(targets !== undefined && { target: targets }) };
  }

  private transitions(e: Element): Data {
    const always: object[] = [];
    const on: Record<string, object[]> = {};
    for (const t of e.children.filter((c) => c.name === 'transition')) {
      const { event, target, cond, type } = t.attributes;
      const transition = {
        ...(target !== undefined && {
          target: target
            .trim()
            .split(/\s+/)
            .map((id) => `#${stateId(id)}`),
          reenter: type !== 'internal',
        }),
        ...(cond !== undefined && { guard: this.guard(cond) }),
        actions: this.actions(t.children),
      };
      if (event === undefined) always.push(transition);
      else for (const descriptor of event.trim().split(/\s+/)) (on[descriptorOf(descriptor)] ??= []).push(transition);
    }
    return { always, on };
  }

  private invoke(e: Element): object {
    const { id, type, src, srcexpr, typeexpr, idlocation, autoforward, namelist } = e.attributes;
    for (const [name, value] of Object.entries({ src, srcexpr, typeexpr, idlocation, autoforward, namelist }))
      if (value !== undefined) throw new Unsupported(`<invoke ${name}>`);
    if (type !== undefined && !/(^|\/)scxml\/?$/i.test(type)) throw new Unsupported('<invoke> of another type than SCXML');
    const content = e.children.find((c) => c.name === 'content')?.children.find((c) => c.name === 'scxml');
    if (content === undefined) throw new Unsupported('<invoke> without SCXML in its <content>');
    if (e.children.some((c) => c.name === 'param' || c.name === 'finalize'))
      throw new Unsupported('<param> or <finalize> in <invoke>');
    return { ...(id !== undefined && { id }), src: new Converter(content).machine() };
  }

  // ---- executable content -------------------------------------------------------------------------------------------

  private actions(elements: readonly Element[]): object[] {
    return elements.map((e) => this.action(e));
  }

  private action(e: Element): object {
    const a = e.attributes;
    switch (e.name) {
      case 'raise':
        return raise({ type: a['event'] as string });
      case 'log':
        return log(a['expr'] === undefined ? undefined : this.expression(a['expr']), a['label']);
      case 'assign':
        return this.assignment(a['location'] as string, a['expr'] ?? JSON.stringify(e.text));
      case 'script': {
        if (a['src'] !== undefined) throw new Unsupported('<script src>');
        for (const [, name] of e.text.matchAll(/\bvar\s+(\w+)/g)) this.declared[name as string] = undefined;
        const run = this.compile(e.text);
        return assign((args) => {
          const context = { ...this.declared, ...(structuredClone(args.context) as Data) };
          run(context, eventOf(args.event));
          return context;
        });
      }
      case 'cancel':
        return cancel(a['sendid'] ?? (this.expression(a['sendidexpr'] as string) as (args: Args) => string));
      case 'send':
        return this.send(e);
      case 'if':
        return this.choice(e);
      case 'foreach':
        return this.loop(e);
      default:
        throw new Unsupported(`<${e.name}>`);
    }
  }

  private assignment(location: string, expr: string): object {
    const value = this.expression(expr);
    const name = /^\w+/.exec(location)?.[0] as string;
    const put = this.compile(`${location} = value;`);
    return assign((args) => {
      if (!(name in this.declared)) throw new ReferenceError(`${name} is not declared`);
      if (name === location) return { [name]: value(args) };
      const context = { ...this.declared, ...(structuredClone(args.context) as Data) };
      put(context, eventOf(args.event), value(args));
      return context;
    });
  }

  private send(e: Element): object {
    const { event, eventexpr, target, targetexpr, type, typeexpr, idlocation, delay, delayexpr, id } = e.attributes;
    if (idlocation !== undefined) throw new Unsupported('<send idlocation>');
    if (type !== undefined && !isScxml(type)) throw new Unsupported('<send> by another processor');
    const processor = typeexpr === undefined ? () => 'scxml' : this.expression(typeexpr);
    const name = event === undefined ? this.expression(eventexpr as string) : () => event;
    const data = this.data(e);
    const to = targetexpr === undefined ? () => target : this.expression(targetexpr);
    const wait = delayexpr === undefined ? () => delay : this.expression(delayexpr);
    return enqueueActions(({ enqueue, context, event: seen }: EnqueueArgs) => {
      const scope = { context, event: seen };
      if (!isScxml(processor(scope) as string)) throw new RangeError('another processor');
      const sent = { type: name(scope) as string, data: data?.(scope), origin: SESSION };
      const after = wait(scope) as string | undefined;
      enqueue(
        this.sending(to(scope) as string | undefined, sent, {
          ...(id !== undefined && { id }),
          ...(after !== undefined && { delay: milliseconds(after) }),
        }),
      );
    });
  }

  private sending(target: string | undefined, event: EventObject, options: object): object {
    if (target === undefined || target === `#_scxml_${SESSION}`) return sendTo(({ self }) => self, event, options);
    if (target === '#_internal') return raise({ ...event, origin: undefined });
    if (target === '#_parent') return sendParent(event, options);
    if (!target.startsWith('#_')) throw new Unsupported('<send> to an address of another kind');
    return sendTo(target, event, options);
  }

  /** What `<param>`, `namelist` or `<content>` give; undefined: none of them is there. */
  private data(e: Element): ((args: Scope) => unknown) | undefined {
    const [content] = e.children.filter((c) => c.name === 'content');
    if (content !== undefined) {
      const { expr } = content.attributes;
      if (expr !== undefined) return this.expression(expr);
      if (content.children.length > 0) throw new Unsupported('XML in <content>');
      return () => literal(content.text);
    }
    const members: (readonly [string, (args: Scope) => unknown])[] = [
      ...(e.attributes['namelist']?.trim().split(/\s+/) ?? []).map((name) => [name, this.expression(name)] as const),
      ...e.children
        .filter((c) => c.name === 'param')
        .map(
          (c) =>
            [
              c.attributes['name'] as string,
              this.expression((c.attributes['expr'] ?? c.attributes['location']) as string),
            ] as const,
        ),
    ];
    return members.length === 0 ? undefined : (args) => Object.fromEntries(members.map(([name, value]) => [name, value(args)]));
  }

  private choice(e: Element): object {
    const branches: { readonly guard: object | undefined; readonly actions: object[] }[] = [
      { guard: this.guard(e.attributes['cond'] as string), actions: [] },
    ];
    for (const child of e.children) {
      if (child.name === 'elseif') branches.push({ guard: this.guard(child.attributes['cond'] as string), actions: [] });
      else if (child.name === 'else') branches.push({ guard: undefined, actions: [] });
      else branches.at(-1)?.actions.push(this.action(child));
    }
    return enqueueActions(({ enqueue, check }: EnqueueArgs) => {
      const found = branches.find(({ guard }) => guard === undefined || check(guard));
      for (const action of found?.actions ?? []) enqueue(action);
    });
  }

  private loop(e: Element): object {
    const { item, index, array } = e.attributes;
    const list = this.expression(array as string);
    const body = this.actions(e.children);
    return enqueueActions(({ enqueue, context, event }: EnqueueArgs) => {
      for (const [i, value] of (list({ context, event }) as unknown[]).entries()) {
        enqueue(assign(() => ({ [item as string]: value, ...(index !== undefined && { [index]: i }) })));
        for (const action of body) enqueue(action);
      }
    });
  }

  // ---- expressions --------------------------------------------------------------------------------------------------

  private guard(cond: string): object {
    const inState = /^(!?)\s*In\(['"]([^'"]*)['"]\)$/.exec(cond.trim());
    if (inState !== null) {
      const guard = stateIn(`#${stateId(inState[2] as string)}`);
      return inState[1] === '!' ? not(guard) : guard;
    }
    if (/\bIn\(/.test(cond)) throw new Unsupported('In() inside of an expression');
    const value = this.expression(cond);
    return (args: Args) => Boolean(value(args));
  }

  private expression(code: string): (args: Scope) => unknown {
    const run = this.compile(`return (${code});`);
    return ({ context, event }) => run({ ...this.declared, ...context }, eventOf(event));
  }

  private compile(body: string): (context: unknown, event: unknown, value?: unknown) => unknown {
    if (/\b(_ioprocessors|_x)\b/.test(body)) throw new Unsupported('_ioprocessors and _x');
    const names = ['$context', '_event', 'value', '_name', '_sessionid'];
    let run: (...args: unknown[]) => unknown;
    try {
      run = compileFunction(`with ($context) { ${body} }`, names) as typeof run;
    } catch (cause) {
      throw new Unsupported('an expression that does not compile', { cause });
    }
    return (context, event, value) => run(context, event, value, this.root.attributes['name'], SESSION);
  }
}

/** Not in what is invoked: that is a machine of its own. */
const find = (e: Element, name: string): Element[] =>
  e.children.flatMap((c) => (c.name === name ? [c] : c.name === 'invoke' ? [] : find(c, name)));

/** SCXML's names for what XState calls otherwise. */
const DONE: readonly (readonly [scxml: string, xstate: string])[] = [
  ['done.state', 'xstate.done.state'],
  ['done.invoke', 'xstate.done.actor'],
];

function descriptorOf(descriptor: string): string {
  if (descriptor === '*') return '*';
  const plain = descriptor.replace(/\.\*?$/, '');
  const [scxml, xstate] = DONE.find(([name]) => plain === name || plain.startsWith(`${name}.`)) ?? ['', ''];
  const rest = plain.slice(scxml.length);
  return `${xstate}${scxml === 'done.state' ? `.${stateId(rest.slice(1))}`.replace(/^\.$/, '') : rest}.*`;
}

const SESSION = 'session';
const isScxml = (type: string): boolean => /SCXMLEventProcessor\/?$|^scxml$/.test(type);

function eventOf(event: EventObject): object {
  const [scxml, xstate] = DONE.find(([, name]) => event.type.startsWith(`${name}.`)) ?? ['', ''];
  return {
    name: scxml + event.type.slice(xstate.length),
    data: event['data'] ?? event['output'],
    ...(event['origin'] !== undefined && {
      origin: `#_scxml_${event['origin'] as string}`,
      origintype: 'http://www.w3.org/TR/scxml/#SCXMLEventProcessor',
    }),
  };
}

/** Text in `<data>` and `<content>`: JSON, or a string with its white space put together. */
function literal(text: string): unknown {
  const trimmed = text.trim();
  if (trimmed === '') return undefined;
  try {
    return JSON.parse(trimmed);
  } catch {
    return trimmed.replace(/\s+/g, ' ');
  }
}

/** `1s`, `.5s`, `100ms`. */
function milliseconds(delay: string): number {
  const match = /^(\d*\.?\d+)(m?s)$/.exec(delay.trim());
  if (match === null) throw new RangeError(`'${delay}' is no delay`);
  return Number(match[1]) * (match[2] === 's' ? 1_000 : 1);
}
