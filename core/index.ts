/**
 * What `actors/` may stand on: an explicit list, so that ready-made logic uses nothing of core that a user's own could not.
 * The linter holds `actors/` to this door; what is not named here is core's own business.
 */
export { type Address, checkAddress, type EffectId } from './address.ts';
export { canonical } from './canonical.ts';
export type { Backoff } from './supervision/child-spec.ts';
export type { PlainOrSecret, ToolPolicy, ToolServerPlan } from './config/gateway-plan.ts';
export type { Env } from './config/interpolate.ts';
export type { SecretRef } from './config/schema.ts';
export type { Effect, EventObject } from './effect.ts';
export type { TraceContext } from './envelope.ts';
export { CODES, type ErrorCode, type ErrorData, errorData, isMeshError, MeshError } from './errors.ts';
export { isObject, type JsonObject } from './json.ts';
export type { AskSource, InDoubt, Leaf, LeafHandle, Logic, Source } from './logic.ts';
export type { Clock } from './ports/clock.ts';
export type { LogRecord } from './record.ts';
export { reducer, type ReducerContext } from './reducer.ts';
export { backoffMs } from './supervision/restart-budget.ts';
export { type StandardSchema, validated } from './standard-schema.ts';
