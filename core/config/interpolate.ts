/**
 * `${VAR}` and `${VAR:-default}` in the strings of a mesh file; `$${` is a literal `${`. The environment comes as a record: nothing
 * is read here. A value that a secret's name promises is refused, because it would stand in plans, records and logs.
 */
import { suggest } from './problems.ts';
import { isSecretName } from './secret-names.ts';

export type Env = Readonly<Record<string, string | undefined>>;

const PLACE = /\$\$\{|\$\{([^}]*)\}/g;
const VARIABLE = /^([A-Za-z_][A-Za-z0-9_]*)(?::-([\s\S]*))?$/;

export interface Interpolated {
  readonly text: string;
  readonly problems: readonly string[];
  /** The whole text was one placeholder. */
  readonly whole: boolean;
}

/** Undefined: there is nothing to fill in. */
export function interpolate(text: string, env: Env): Interpolated | undefined {
  if (!text.includes('${')) return undefined;
  const problems: string[] = [];
  const filled = text.replace(PLACE, (place, inner: string | undefined) => {
    if (inner === undefined) return '${';
    const [, variable, fallback] = VARIABLE.exec(inner) ?? [];
    if (variable === undefined)
      problems.push(`"${place}" is no placeholder: write \${NAME} or \${NAME:-default}, or $\${ for a literal \${`);
    else if (isSecretName(variable))
      problems.push(
        `\${${variable}} would copy a secret into the config: write { env: ${variable} } where tools or models take one`,
      );
    else if (env[variable] === undefined && fallback === undefined)
      problems.push(`\${${variable}} is not set${hint(variable, env)}; set it, or write \${${variable}:-default}`);
    else return env[variable] ?? fallback ?? '';
    return place;
  });
  return { text: filled, problems, whole: /^\$\{[^}]*\}$/.test(text) };
}

function hint(variable: string, env: Env): string {
  const near = suggest(variable, Object.keys(env));
  return near.startsWith(' (did') ? near : '';
}

const NUMBER = /^-?\d+(?:\.\d+)?$/;

/** What an unquoted YAML scalar of this text would be, for numbers and booleans. */
export function plainScalar(text: string): string | number | boolean {
  if (NUMBER.test(text)) return Number(text);
  return text === 'true' || text === 'false' ? text === 'true' : text;
}
