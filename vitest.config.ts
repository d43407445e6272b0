import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const source = (file: string): string => fileURLToPath(new URL(file, import.meta.url));

export default defineConfig({
  resolve: {
    // The package by its name is this source. By a condition it could be, too, but other packages have one of that name
    // (`eventsource` under the MCP client), whose TypeScript Node refuses to run.
    alias: [
      { find: /^reprise$/, replacement: source('./index.ts') },
      { find: /^reprise\/testing$/, replacement: source('./testing.ts') },
      { find: /^reprise\/conformance$/, replacement: source('./test/conformance/index.ts') },
    ],
  },
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/long/**', 'node_modules/**'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
  },
});
