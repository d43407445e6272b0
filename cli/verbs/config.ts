/** `reprise config validate|schema|print` */
import { meshSchemaFile } from '../../core/config/schema.ts';
import { problemText, suggest } from '../../core/config/problems.ts';
import { redacted } from '../../core/config/secrets.ts';
import { MeshError } from '../../core/errors.ts';
import type { Call } from '../command.ts';
import { loadLogics } from '../logics.ts';
import { meshOf, planOfFile } from '../mesh-file.ts';
import { actorCount, contentsOf } from '../words.ts';

const ACTIONS = ['validate', 'schema', 'print'];

export async function run(call: Call): Promise<void> {
  const action = call.arg(0);
  switch (action) {
    case 'validate':
      return validate(call);
    case 'schema':
      call.io.stdout.write(meshSchemaFile());
      return;
    case 'print':
      return print(call);
    default:
      throw new MeshError('USAGE', `config knows ${ACTIONS.join(', ')}, not '${action}'${suggest(action, ACTIONS)}`);
  }
}

/** The file, and the modules that it names: each must load and pass the lint. */
async function validate(call: Call): Promise<void> {
  const loaded = meshOf(call);
  const plan = planOfFile(loaded);
  await loadLogics(plan, { folder: loaded.folder });
  const { warnings } = plan;
  const counts = { actors: actorCount(plan), tools: plan.tools.length, models: plan.models.length };
  if (call.isJson) return call.io.json({ ok: true, mesh: plan.mesh, ...counts, warnings });
  for (const warning of warnings) call.io.note(`warning: ${problemText(warning)}`);
  call.io.out(`${loaded.file} is right: ${contentsOf(plan)}`);
}

/** With all defaults. Secrets are references; what looks like one all the same is masked. */
function print(call: Call): void {
  const { root: _tree, warnings: _warnings, specHash: _hash, ...plan } = planOfFile(meshOf(call));
  const shown = redacted(plan);
  if (call.isJson) call.io.json(shown);
  else call.io.out(JSON.stringify(shown, undefined, 2));
}
