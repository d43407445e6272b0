import { expect, test } from 'vitest';
import { floodAndDrain } from './outbox.ts';

test('beyond a thousand unacknowledged sends payloads lie in the checkpoint only; all arrive', () =>
  floodAndDrain(2_000, (cell, world) => expect(world.node('n1').status(cell.address)).toMatchObject({ phase: 'running' })));
