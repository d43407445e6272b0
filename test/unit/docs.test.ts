/** What the pages name is there: links, and paths of the project in code spans. */
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';

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
