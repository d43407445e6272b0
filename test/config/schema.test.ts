import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parseMesh } from '../../core/config/load.ts';
import { meshSchemaFile } from '../../core/config/schema.ts';

const root = new URL('../../', import.meta.url);

test('mesh.schema.json is what the schema gives: run scripts/mesh-schema.ts after an edit', () => {
  expect(readFileSync(new URL('mesh.schema.json', root), 'utf8')).toBe(meshSchemaFile());
});

test('it is of the draft that editors know best, closed, and describes itself', () => {
  const schema = JSON.parse(meshSchemaFile()) as {
    $schema: string;
    additionalProperties: unknown;
    properties: Record<string, { description?: string }>;
    definitions: Record<string, { oneOf?: { properties: object; additionalProperties: unknown }[] }>;
  };
  expect(schema.$schema).toBe('http://json-schema.org/draft-07/schema#');
  expect(schema.additionalProperties).toBe(false);
  const variants = schema.definitions['Actor']?.oneOf ?? [];
  expect(variants).toHaveLength(4);
  for (const variant of variants) expect(variant.additionalProperties).toBe(false);
  expect(Object.keys(variants[3]?.properties ?? {})).toContain('children');
});

test('the mesh file of the example is valid', () => {
  const file = new URL('examples/support-desk/mesh.yaml', root);
  expect(parseMesh(readFileSync(file, 'utf8'), 'mesh.yaml').config.mesh).toBe('support-desk');
});
