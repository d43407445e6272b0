/**
 * What `import … from 'reprise/testing'` gives, for tests of machines in a mesh: models that answer from a list or from a log, a store in
 * memory that outlives a mesh, and time that moves when it is told.
 *
 * ```ts
 * const clock = virtualClock();
 * const store = memory({ now: () => clock.now() });
 * await using mesh = await startMesh(config, actors, { store, clock, entropy: seededEntropy(1) });
 * ```
 */
export { callsTool, scripted, type ScriptedAnswer, type ScriptedOptions } from './actors/models/scripted.ts';
export { recorded, type Recording, recordingsOf } from './actors/models/recorded.ts';
export { memory, type MemoryOptions, type MemoryStore } from './persistence/memory.ts';
export { seededEntropy, seededRandom, type Turn, virtualClock, type VirtualClock } from './core/testing/virtual.ts';

// ---- machines as pure steps ----------------------------------------------------------------------------------------------
export { machineLogic, type MachineOptions } from './core/kernel.ts';
export type { ActorEnv, Logic, Step, StepMeta, View } from './core/logic.ts';
export type { Effect, EventObject } from './core/effect.ts';
export type { LogRecord } from './core/record.ts';
export { effectsDigest } from './core/digest.ts';
export { foldLog } from './core/testing/fold-log.ts';
