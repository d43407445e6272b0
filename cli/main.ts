#!/usr/bin/env node
/** The command `reprise`. */
import { enableCompileCache } from 'node:module';
import { onlyOurSource } from './source-condition.ts';

// Most of a start is compiling: the cache of Node halves it from the second on.
enableCompileCache();
onlyOurSource();
// Whoever reads our output may stop reading: that is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

const { main } = await import('./dispatch.ts');
const { processIo } = await import('./io.ts');
const code = await main(process.argv.slice(2), processIo());
// Code of users may have left timers and sockets open; what was written goes out first.
process.stdout.write('', () => process.exit(code));
