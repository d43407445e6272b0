/**
 * The tool servers and models that a machine calls, held against those that the mesh file has: a name that is misspelt would else be
 * found when the first call has waited for its answer in vain.
 */
import type { AnyActorLogic, AnyStateMachine } from 'xstate';
import type { MeshPlan } from '../core/config/plan.ts';
import { suggest } from '../core/config/problems.ts';
import { MeshError } from '../core/errors.ts';
import { sourceOf } from '../core/kernel/stubs.ts';

const AREAS = { tools: 'tool server', models: 'model' } as const;

/** `where`: the place that names the machine. Throws CONFIG_INVALID with every name that leads nowhere. */
export function checkCalledNames(machine: AnyActorLogic, plan: MeshPlan, where: string): void {
  const known = { tools: plan.tools.map((tool) => tool.name), models: plan.models.map((model) => model.name) };
  const problems: string[] = [];
  for (const [source, address] of called(machine, new Set())) {
    const [area = '', name = ''] = address.split('/');
    if (area !== 'tools' && area !== 'models') continue;
    if (!known[area].includes(name))
      problems.push(
        `${where}: '${source}' calls the ${AREAS[area]} '${name}', which is not under ${area}${suggest(name, known[area])}`,
      );
  }
  if (problems.length > 0) throw new MeshError('CONFIG_INVALID', problems.join('\n'));
}

/** Names of sources with the address that they ask, in this machine and in those that it spawns. */
function called(machine: AnyActorLogic, seen: Set<AnyActorLogic>): [source: string, address: string][] {
  if (seen.has(machine)) return [];
  seen.add(machine);
  const { actors = {} } = (machine as Partial<AnyStateMachine>).implementations ?? {};
  return Object.entries(actors).flatMap(([name, logic]) => {
    const source = sourceOf(logic as AnyActorLogic);
    if (source?.kind !== 'ask') return called(logic as AnyActorLogic, seen);
    const address = addressOf(source.ask);
    return address === undefined ? [] : [[name, address] as [string, string]];
  });
}

/** Whom it would ask, whatever it is given. Undefined: its input says. */
function addressOf(ask: { request(input: unknown, key: string): { readonly to: string } }): string | undefined {
  try {
    // Enough for a tool and for a model; what else is asked says by its input whom it means.
    return ask.request({ messages: [] }, 'nobody!0.0').to;
  } catch {
    return undefined;
  }
}
