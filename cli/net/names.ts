/** Names of nodes as people type them. */
import { hostname } from 'node:os';
import { MeshError } from '../../core/errors.ts';
import { NAME } from '../../transport/overlay/trust/encoding.ts';

const NAME_MAX = 63;

/** What was typed, else the name of this machine as far as it is one of a node. Throws USAGE. */
export function typedName(text: string | undefined, machine = hostname()): string {
  if (text !== undefined) {
    if (NAME.test(text)) return text;
    throw new MeshError(
      'USAGE',
      `--name is 1 to ${NAME_MAX} letters, digits and . _ -, with a letter or digit first, not '${text}'`,
    );
  }
  const [first = ''] = machine.split('.');
  const fitted = first
    .replaceAll(/[^A-Za-z0-9_-]/g, '-')
    .replace(/^[_-]+/, '')
    .slice(0, NAME_MAX);
  return fitted === '' ? 'node' : fitted;
}
