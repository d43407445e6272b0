/** The other side of a sample that takes two processes: `node side.js '{"side":"receiver", ...}'`, over the channel of `fork`. */
import { runSide, type SideInput } from './samples/wire/sides.ts';

process.on('disconnect', () => process.exit());
await runSide(JSON.parse(process.argv[2] ?? '') as SideInput, process.env['BENCH_FOLDER'] ?? '.');
