/** Writes mesh.schema.json, which editors complete mesh files with, from the zod schema in core/config/schema.ts. */
import { writeFileSync } from 'node:fs';
import { meshSchemaFile } from '../core/config/schema.ts';

writeFileSync('mesh.schema.json', meshSchemaFile());
