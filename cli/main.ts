/** The command `reprise`, on a Node that can run it: `bin.ts` has seen to that. */
import { enableCompileCache } from 'node:module';

// Most of a start is compiling: the cache of Node halves it from the second on.
enableCompileCache();
// Node 22 warns of what it has meanwhile made stable. `persistence/sqlite/driver.ts` keeps the other such warning from people.
const emitWarning = process.emitWarning.bind(process) as (...args: unknown[]) => void;
process.emitWarning = (warning: string | Error, ...rest: unknown[]): void => {
  if (!/\bType Stripping is an experimental feature/.test(String(warning))) emitWarning(warning, ...rest);
};
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
