/** Writes docs/errors.md from the table in core/errors.ts. */
import { writeFileSync } from 'node:fs';
import { CODES } from '../core/errors.ts';

const sections = Object.entries(CODES)
  .toSorted(([a], [b]) => (a < b ? -1 : 1))
  .map(([code, row]) => `## ${code}\n\n${row.meaning}\n\n*What to do:* ${row.cure}${row.retryable ? '\n\nRetryable.' : ''}\n`);
writeFileSync(
  'docs/errors.md',
  `# Errors\n\nEach error has a code, a message that says what happened and where, and a cure. Written from \`core/errors.ts\` by \`node scripts/errors-page.ts\`.\n\n${sections.join('\n')}`,
);
