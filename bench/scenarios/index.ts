/** All scenarios, in the order in which they run. */
import type { Scenario } from '../lib/scenario.ts';
import { folding } from './fold.ts';
import { growth } from './growth.ts';
import { idling } from './idle.ts';
import { kernels } from './kernel.ts';
import { memory } from './memory.ts';
import { overlays } from './overlay.ts';
import { recovering } from './recovery.ts';
import { rings } from './ring.ts';
import { starting } from './start.ts';
import { stepping } from './steps.ts';
import { transfers } from './transfer.ts';

/** `quick`: small and short, to show that they work. */
export const scenarios = (quick: boolean): readonly Scenario[] => [
  ...rings(quick),
  ...stepping(quick),
  growth(quick),
  starting(),
  memory(quick),
  ...kernels(quick),
  folding(quick),
  idling(quick),
  recovering(quick),
  ...overlays(quick),
  ...transfers(quick),
];
