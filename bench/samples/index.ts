/** The samples by name. Each is loaded in the process that runs it, and no other, so that none pays for its neighbours. */
import { enableCompileCache } from 'node:module';
import type { Measured } from '../lib/scenario.ts';
import type { FirstStepInput } from './first-step.ts';
import type { FoldInput } from './fold.ts';
import type { GrowthBytesInput } from './growth-bytes.ts';
import type { GrowthRateInput } from './growth-rate.ts';
import type { IdleInput } from './idle.ts';
import type { KernelInput } from './kernel.ts';
import type { LimitInput } from './limit.ts';
import type { LongLogInput, RecoveryInput } from './recovery.ts';
import type { RingInput } from './ring.ts';
import type { StepsInput } from './steps.ts';
import type { ConnectInput } from './wire/connect.ts';
import type { EchoInput } from './wire/echo.ts';
import type { FloodedInput } from './wire/flooded.ts';
import type { StreamInput } from './wire/stream.ts';

export type SampleInput =
  | ConnectInput
  | EchoInput
  | FirstStepInput
  | FloodedInput
  | FoldInput
  | GrowthBytesInput
  | GrowthRateInput
  | IdleInput
  | KernelInput
  | LimitInput
  | LongLogInput
  | RecoveryInput
  | RingInput
  | StepsInput
  | StreamInput;

/** `folder`: for its data; it may hold those of samples before it. Throws when what was done was not right, however quick it was. */
export async function runSample(input: SampleInput, folder: string): Promise<Measured> {
  switch (input.sample) {
    case 'connect':
      return (await import('./wire/connect.ts')).connecting(input, folder);
    case 'echo':
      return (await import('./wire/echo.ts')).echo(input, folder);
    case 'first-step':
      if (input.cached === true) enableCompileCache();
      return (await import('./first-step.ts')).firstStep(folder);
    case 'flooded':
      return (await import('./wire/flooded.ts')).flooded(input, folder);
    case 'fold':
      return (await import('./fold.ts')).fold(input);
    case 'growth-bytes':
      return (await import('./growth-bytes.ts')).growthBytes(input, folder);
    case 'growth-rate':
      return (await import('./growth-rate.ts')).growthRate(input, folder);
    case 'idle':
      return (await import('./idle.ts')).idle(input, folder);
    case 'kernel':
      return (await import('./kernel.ts')).kernel(input);
    case 'limit':
      return (await import('./limit.ts')).limit(input, folder);
    case 'long-log':
      return (await import('./recovery.ts')).longLog(input, folder);
    case 'recovery':
      return (await import('./recovery.ts')).recovery(folder);
    case 'ring':
      return (await import('./ring.ts')).ring(input, folder);
    case 'steps':
      return (await import('./steps.ts')).steps(input, folder);
    case 'stream':
      return (await import('./wire/stream.ts')).stream(input, folder);
  }
}
