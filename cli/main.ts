/** The command `reprise`, on a Node that can run it: `bin.ts` has seen to that. */
import { enableCompileCache } from 'node:module';

// Most of a start is compiling: the cache of Node halves it from the second on.
enableCompileCache();
// Node 22 warns of what it has meanwhile made stable, and Node 24 of what `fault.ts` can do without. `persistence/sqlite/driver.ts` keeps the other such warning from people.
const emitWarning = process.emitWarning.bind(process) as (...args: unknown[]) => void;
process.emitWarning = (warning: string | Error, ...rest: unknown[]): void => {
  if (!/\b(?:Type Stripping|stripTypeScriptTypes) is an experimental feature/.test(String(warning)))
    emitWarning(warning, ...rest);
};

const { processIo } = await import('./io.ts');
const io = processIo(() => process.exit(0));
const { main } = await import('./dispatch.ts');
const code = await main(process.argv.slice(2), io);
// Code of users may have left timers and sockets open; what was written goes out first.
await io.flushed();
process.exit(code);
