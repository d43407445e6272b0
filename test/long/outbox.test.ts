import { expect, test } from 'vitest';
import { floodAndDrain } from '../simulation/outbox.ts';

test('beyond 100,000 unacknowledged sends the actor is parked, visibly; all arrive', () =>
  floodAndDrain(50_001, (cell, world) =>
    expect(world.node('n1').status(cell.address)).toMatchObject({
      phase: 'parked',
      reason: expect.stringContaining('OUTBOX_FULL') as unknown,
    }),
  ));
