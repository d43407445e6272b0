/** How quick a log becomes a state again, each digest compared: recovery, `replay` and `verify` all go at this pace. */
import { foldLog, type LogRecord, machineLogic, memory } from 'reprise/testing';
import { startMesh } from 'reprise';
import { small } from '../charts/small.ts';
import type { Measured } from '../lib/scenario.ts';
import { measureEach, type Span } from './meter.ts';

export interface FoldInput extends Span {
  readonly sample: 'fold';
  readonly events: number;
}

/** Sent at once. */
const CHUNK = 500;

export async function fold({ events, ...span }: FoldInput): Promise<Measured> {
  const texts = await logOf(events);
  const logic = machineLogic(small);
  const records = texts.map((text) => JSON.parse(text) as LogRecord);
  const folded = measureEach(() => {
    const { context } = foldLog(logic, 'small', records);
    if ((context as { n: number }).n !== events) throw new Error(`the log folds to ${JSON.stringify(context)}`);
    return records.length;
  }, span);
  const parsed = measureEach(() => {
    for (const text of texts) JSON.parse(text);
    return texts.length;
  }, span);
  return { rate: 1e6 / folded.us, parseUs: parsed.us };
}

/** The records of an actor that a mesh has run, as the store keeps them. */
async function logOf(events: number): Promise<string[]> {
  const texts: string[] = [];
  const mesh = await startMesh(
    { mesh: 'fold', store: 'memory:', actors: { small: { logic: 'small' } } },
    { small },
    {
      store: memory(),
      onRecords: (actor, records) => {
        if (actor === 'small') texts.push(...records.map((record) => JSON.stringify(record)));
      },
    },
  );
  for (let n = 0; n < events; n += CHUNK)
    await Promise.all(Array.from({ length: Math.min(CHUNK, events - n) }, () => mesh.send('small', { type: 'next' })));
  await mesh.stop();
  return texts;
}
