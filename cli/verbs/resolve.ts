/** `reprise resolve` */
import { MeshError } from '../../core/errors.ts';
import type { Decision } from '../../core/cell/decisions.ts';
import { type Call, typedJson } from '../command.ts';
import { Reach } from '../reach.ts';

export async function run(call: Call): Promise<void> {
  const effect = call.arg(0);
  const decision = decided(call);
  await using reach = new Reach(call);
  await (await reach.mesh()).call('resolve', { effect, decision });
  call.io.out(`${effect}: ${decision.kind}`);
}

function decided(call: Call): Decision {
  const output = call.text('output');
  const given: Decision[] = [
    ...(call.flag('retry') ? [{ kind: 'retry' as const }] : []),
    ...(call.flag('fail') ? [{ kind: 'fail' as const }] : []),
    ...(output !== undefined ? [{ kind: 'output' as const, output: typedJson(output, '--output') }] : []),
  ];
  const [decision] = given;
  if (decision === undefined || given.length > 1)
    throw new MeshError('USAGE', 'decide with one of --retry, --fail and --output JSON');
  return decision;
}
