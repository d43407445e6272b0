/** Schemas of any library that speaks Standard Schema (zod, valibot, arktype). Synchronous ones only: a step waits for nothing. */
import { MeshError } from './errors.ts';

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

/** The value as the schema makes it, or what is wrong with it: `path.to.member: what`. Throws USAGE for a schema that answers later. */
export function validated<Output>(
  schema: StandardSchema<unknown, Output>,
  value: unknown,
  what: string,
): { readonly value: Output; readonly issues?: undefined } | { readonly issues: readonly string[] } {
  const result = schema['~standard'].validate(value);
  if (result instanceof Promise) throw new MeshError('USAGE', `${what}: its schema is asynchronous; use a synchronous one`);
  return result.issues === undefined ? result : { issues: result.issues.map(wording) };
}

function wording({ message, path = [] }: SchemaIssue): string {
  const at = path.map((part) => String(typeof part === 'object' ? part.key : part)).join('.');
  return at === '' ? message : `${at}: ${message}`;
}
