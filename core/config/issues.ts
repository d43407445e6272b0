/** Zod's issues as our problems: in our words, one a key, with the known names. Knows nothing about what a mesh file means. */
import type { z } from 'zod';
import { type ConfigPath, type ConfigProblem, suggest, withBlank } from './problems.ts';
import { looksSecret } from './secrets.ts';

/** Characters of a wrong value that a message repeats. */
const TEXT_SHOWN = 60;

interface Shaped {
  readonly _zod: { readonly def: { readonly shape?: Readonly<Record<string, unknown>> } };
}

/** Checks `value` against the schema. Empty: it fits. */
export function shapeProblems(schema: z.ZodType, value: unknown): ConfigProblem[] {
  const known = new Map<string, readonly string[]>();
  const result = schema.safeParse(value, {
    reportInput: true,
    error: (issue) => {
      const shape = (issue.inst as unknown as Shaped | undefined)?._zod.def.shape;
      if (issue.code === 'unrecognized_keys' && shape !== undefined)
        known.set(JSON.stringify(issue.path ?? []), Object.keys(shape));
      return issue.code === 'unrecognized_keys' || issue.code === 'invalid_union' || issue.code === 'invalid_key'
        ? undefined
        : wording(issue);
    },
  });
  return result.success ? [] : result.error.issues.flatMap((issue) => problemsOf(issue, known));
}

function problemsOf(issue: z.core.$ZodIssue, known: ReadonlyMap<string, readonly string[]>): ConfigProblem[] {
  const path = issue.path as ConfigPath;
  switch (issue.code) {
    case 'unrecognized_keys': {
      const names = known.get(JSON.stringify(path)) ?? [];
      return issue.keys.map((key) => ({
        path: [...path, key],
        atKey: true,
        message: `unrecognized key "${key}"${withBlank(key, names) ?? suggest(key, names)}`,
      }));
    }
    case 'invalid_key':
      return [
        { path, atKey: true, message: `"${String(path.at(-1))}" is no name: ${issue.issues[0]?.message ?? issue.message}` },
      ];
    case 'invalid_union': {
      if (!('discriminator' in issue) || issue.discriminator === undefined) return [{ path, message: issue.message }];
      const kinds = ((issue as { options?: readonly unknown[] }).options ?? []).filter((o) => typeof o === 'string');
      const given = (issue.input as Readonly<Record<string, unknown>> | undefined)?.[issue.discriminator];
      return [
        {
          path,
          message:
            typeof given === 'string'
              ? `unknown ${issue.discriminator} "${given}"${suggest(given, kinds)}`
              : `needs a ${issue.discriminator}: ${kinds.join(', ')}`,
        },
      ];
    }
    default:
      return [{ path, message: issue.message }];
  }
}

const WORDS: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  object: 'a map',
  record: 'a map',
  array: 'a list',
};

function wording(issue: z.core.$ZodRawIssue): string | undefined {
  const { input } = issue;
  if (issue.code === 'invalid_type')
    return input === undefined
      ? `is missing: expected ${word(issue.expected)}`
      : `expected ${word(issue.expected)}, got ${given(input)}${isMapOf(issue.expected) ? blankless(input) : ''}`;
  if (issue.code === 'invalid_value') {
    const values = issue.values.map(String);
    return values.length === 1
      ? `expected "${values[0]}", got ${given(input)}`
      : `${given(input)} is none of its values${typeof input === 'string' ? suggest(input, values) : ` (known: ${values.join(', ')})`}`;
  }
  if (issue.code === 'too_small')
    return issue.origin === 'string' ? 'must not be empty' : `must be at least ${issue.minimum}, is ${given(input)}`;
  if (issue.code === 'too_big') return `must be at most ${issue.maximum}, is ${given(input)}`;
  if (issue.code === 'invalid_format' && issue.format === 'url') return `${given(input)} is no http or https address`;
  return undefined;
}

const word = (expected: string): string => WORDS[expected] ?? expected;

const isMapOf = (expected: string): boolean => word(expected) === 'a map';

/** A map whose only key has no blank before its value. */
const blankless = (input: unknown): string => (typeof input === 'string' ? (withBlank(input) ?? '') : '');

function given(input: unknown): string {
  if (input === null) return 'nothing';
  if (Array.isArray(input)) return 'a list';
  if (typeof input === 'object') return 'a map';
  if (typeof input !== 'string') return String(input);
  // What may be a secret is never repeated: messages go to terminals and logs.
  if (looksSecret(input)) return 'a text';
  return input.length > TEXT_SHOWN ? `"${input.slice(0, TEXT_SHOWN)}…"` : `"${input}"`;
}
