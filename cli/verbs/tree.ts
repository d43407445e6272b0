/** `reprise tree` */
import type { Address } from '../../core/address.ts';
import { ROOT } from '../../core/address.ts';
import { isMeshError } from '../../core/errors.ts';
import type { Inspection } from '../../core/operator/inspection.ts';
import { type ChildView, describe, type SupervisionState, type SupervisionView } from '../../core/supervision/state.ts';
import type { Call } from '../command.ts';
import type { Io } from '../io.ts';
import { Reach } from '../reach.ts';

interface Branch extends Omit<SupervisionView, 'children'> {
  readonly children: readonly (ChildView & { readonly supervision?: Branch })[];
}

export async function run(call: Call): Promise<void> {
  await using reach = new Reach(call);
  const running = (await reach.answering()) !== undefined;
  const root = await branch(await reach.inspect(ROOT), ROOT);
  if (!running && root !== undefined) reach.tellAbsence(call, 'this is how it was');
  if (call.isJson) return call.io.json({ mesh: reach.plan.mesh, running, root: root ?? null });
  if (root === undefined) return call.io.note(`${reach.plan.mesh} has not been started yet`);
  call.io.out(`${reach.plan.mesh}${aboutBranch(root)}`);
  for (const [i, child] of root.children.entries()) print(call.io, child, '', i === root.children.length - 1);
}

/** What a supervisor's log folds to, and those below it. Undefined: it has none. */
async function branch(inspect: Inspection, address: Address): Promise<Branch | undefined> {
  let context: SupervisionState & { readonly supervision?: SupervisionState };
  try {
    context = (await inspect.state(address)).context as typeof context;
  } catch (error) {
    if (isMeshError(error, 'ACTOR_NOT_FOUND')) return undefined;
    throw error;
  }
  const view = describe(context.supervision ?? context);
  const children: Branch['children'][number][] = [];
  for (const child of view.children) {
    const below = child.kind === 'supervisor' || child.kind === 'pool' ? await branch(inspect, child.address) : undefined;
    children.push(below === undefined ? child : { ...child, supervision: below });
  }
  return { ...view, children };
}

const aboutBranch = ({ strategy, budget, waiting }: Branch): string =>
  ` ${strategy}${budget.used === 0 ? '' : `, ${budget.used} of ${budget.intensity} restarts in ${budget.periodMs} ms`}${waiting === 0 ? '' : `, ${waiting} reports wait`}`;

function print(io: Io, child: Branch['children'][number], indent: string, isLast: boolean): void {
  const { id, kind, restart, status, restarts, error, supervision } = child;
  const trouble = status !== 'running' && status !== 'starting' ? 'red' : 'green';
  const notes = [
    kind === 'worker' ? '' : kind,
    restart === 'permanent' ? '' : restart,
    restarts === 0 ? '' : `${restarts} restarts`,
    error === undefined ? '' : error.split('\n')[0],
    supervision === undefined || kind === 'pool' ? '' : aboutBranch(supervision).trim(),
  ];
  io.out(
    `${indent}${isLast ? '└─ ' : '├─ '}${id}  ${io.paint(trouble, status)}  ${io.paint('dim', notes.filter((n) => n !== '').join(', '))}`.trimEnd(),
  );
  const below = supervision?.children ?? [];
  for (const [i, next] of below.entries()) print(io, next, `${indent}${isLast ? '   ' : '│  '}`, i === below.length - 1);
}
