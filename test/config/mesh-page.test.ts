/** docs/mesh-file.md is what the schema says, and its example is a right mesh file. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parseMesh } from '../../core/config/load.ts';
import { planOf } from '../../core/config/plan.ts';
import { meshPage } from '../../scripts/mesh-page.ts';

test('the page is that of the schema', () => {
  expect(readFileSync('docs/mesh-file.md', 'utf8'), 'run `node --conditions=reprise-source scripts/mesh-page.ts`').toBe(
    meshPage(),
  );
});

test('its example loads', () => {
  const [, text = ''] = /```yaml\n([\s\S]*?)```/.exec(meshPage()) ?? [];
  const { config } = parseMesh(text, 'mesh.yaml');
  expect(planOf(config).actors.map((a) => a.address)).toContain('desk/case');
});
