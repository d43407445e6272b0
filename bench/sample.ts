/**
 * One sample in a process of its own: `node sample.js '{"sample":"ring", ...}'`. Its first word on stdout may be a mark for the clock of
 * the one who started it; the last line is what it has measured. Then the process kills itself: who has stopped its mesh loses nothing
 * by that, and who has not meant to be killed.
 */
import { type SampleInput, runSample } from './samples/index.ts';

const { argv, env, pid } = process;
const input = JSON.parse(argv[2] ?? '') as SampleInput;
const measured = await runSample(input, env['BENCH_FOLDER'] ?? '.');
const { user, system } = process.cpuUsage();
process.stdout.write(`${JSON.stringify({ measured, cpuMs: (user + system) / 1e3 })}\n`, () => process.kill(pid, 'SIGKILL'));
