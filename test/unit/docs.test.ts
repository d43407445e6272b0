/** What the pages name is there: links, and paths of the project in code spans. Parts of mesh files in them are right. */
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { parseMesh } from '../../core/config/load.ts';
import { planOf } from '../../core/config/plan.ts';

const PATH = /`((?:actors|bench|cli|core|docs|examples|persistence|scripts|telemetry|test|transport)\/[\w./*-]*)`/g;
const LINK = /\]\(([^)#:]+)(?:#[^)]*)?\)/g;

const pages = globSync(['*.md', 'docs/**/*.md', 'examples/**/*.md'], { exclude: ['**/inbox/**', '**/node_modules/**'] });

test.each(pages)('%s names what is there', (page) => {
  const text = readFileSync(page, 'utf8');
  const paths = Array.from(text.matchAll(PATH), ([, path = '']) => path);
  const links = Array.from(text.matchAll(LINK), ([, link = '']) => join(dirname(page), link));
  const lost = [...paths, ...links].filter((path) => (path.includes('*') ? globSync(path).length === 0 : !existsSync(path)));
  expect(lost).toEqual([]);
});

test('there are pages with paths', () => {
  expect(pages).toContain('docs/architecture.md');
  expect(readFileSync('docs/architecture.md', 'utf8').match(PATH)?.length).toBeGreaterThan(10);
});

const YAML = /^```yaml[^\n]*\n([\s\S]*?)^```$/gm;
const parts = pages.flatMap((page) =>
  Array.from(readFileSync(page, 'utf8').matchAll(YAML), ([, text = ''], i) => ({ page, i, text })),
);

test('there are parts of mesh files', () => {
  expect(parts.length).toBeGreaterThan(5);
});

test.each(parts)('$page, fence $i: is right in a mesh file, without a warning', ({ page, text }) => {
  const missing = ['mesh: test', 'actors: { a: { logic: a } }'].filter(
    (line) => !new RegExp(`^${line.slice(0, 6)}`, 'm').test(text),
  );
  const parsed = parseMesh(`${missing.join('\n')}\n${text}`, page);
  expect(planOf(parsed.config, ['a', 'intake', 'triage', 'case'], parsed).warnings).toEqual([]);
});
