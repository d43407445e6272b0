/** Schemas of any library that speaks Standard Schema (zod, valibot, arktype), for what goes to a tool and what comes back. */
import { MeshError } from '../core/index.ts';

/** The part of the standard that is used here. Synchronous only: a step of a chart waits for nothing. */
export interface StandardSchema<Input = unknown, Output = Input> {
  readonly '~standard': {
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>;
    /** For the compiler only. */
    readonly types?: { readonly input: Input; readonly output: Output } | undefined;
  };
}

export type SchemaResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] };

export interface SchemaIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** A finding as text: `path.to.member: what is wrong`. */
const wording = ({ message, path = [] }: SchemaIssue): string => {
  const at = path.map((part) => String(typeof part === 'object' ? part.key : part)).join('.');
  return at === '' ? message : `${at}: ${message}`;
};

/**
 * The value as the schema makes it (defaults filled in, unknown members dropped).
 *
 * Throws: TOOL_FAILED with `data.issues` (texts), `what` in front; USAGE for a schema that answers later.
 */
export function passed<Output>(schema: StandardSchema<unknown, Output>, value: unknown, what: string): Output {
  const result = schema['~standard'].validate(value);
  if (result instanceof Promise) throw new MeshError('USAGE', `${what}: its schema is asynchronous; use a synchronous one`);
  if (result.issues === undefined) return result.value;
  const issues = result.issues.map(wording);
  throw new MeshError('TOOL_FAILED', `${what} do not pass the schema of the code: ${issues.join('; ')}`, {
    data: { issues, retryable: false },
  });
}
