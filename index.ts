/**
 * What `import … from 'reprise'` gives: the way to start a mesh, what machines call (tools, models, other actors), ports of models, and
 * the errors. Machines themselves stay plain XState.
 */

// ---- a mesh in code ----------------------------------------------------------------------------------------------------
export { startMesh, type StartOptions } from './cli/start-mesh.ts';
export type { ActorDefinition, ActorLike } from './cli/actor-modules.ts';
export type { ActorConfig, MeshConfig, ModelConfig, SecretRef, ToolServerConfig } from './core/config/schema.ts';
export type { Decision } from './core/cell/decisions.ts';
export type { ListedActor, Mesh, Ref } from './core/mesh.ts';
export type { AskOptions as MeshAskOptions, SendOptions, Sent } from './core/node/front-door.ts';
export type { ActorState, Inspection, StoredActor, StoredLetter } from './core/operator/inspection.ts';
export type { Operations } from './core/operator/operations.ts';
export type { Prunable } from './core/operator/retention.ts';
export type { MigratedState, MigratedTimer, MigrateSnapshot } from './core/operator/migration.ts';
export type { Fork, Upkeep } from './core/operator/upkeep.ts';
export type { LossOptions } from './core/operator/lifecycle.ts';
export type { NodeEvent } from './core/node/news.ts';
export type { StandardSchema } from './core/standard-schema.ts';

// ---- what machines call --------------------------------------------------------------------------------------------------
export { ask, type AskInput, type AskOptions } from './actors/ask.ts';
export {
  anyTool,
  tool,
  type ToolAnnotations,
  type ToolAnswer,
  type ToolDescription,
  toolList,
  type ToolOptions,
  type TypedToolOptions,
} from './actors/tool.ts';
export { model, type ModelOptions } from './actors/model.ts';
export type { AskLogic, RetryPolicy } from './actors/ask-logic.ts';
export { currentEffect } from './core/kernel/action-run.ts';

// ---- models --------------------------------------------------------------------------------------------------------------
export {
  type FilePart,
  type FinishReason,
  type GenerateContext,
  jsonOf,
  type ModelDelta,
  type ModelFailure,
  modelFailed,
  type ModelMessage,
  type ModelPort,
  type ModelRequest,
  type ModelResult,
  type ModelSettings,
  type ModelTool,
  type ModelUsage,
  type ReasoningPart,
  textOf,
  type TextPart,
  type ToolCallPart,
  type ToolResultPart,
  toolCallsOf,
} from './actors/model-port.ts';
export { callsTool, scripted, type ScriptedAnswer, type ScriptedOptions } from './actors/models/scripted.ts';
export { openaiCompatible, type OpenAiCompatibleOptions } from './actors/models/openai-compatible.ts';
export { type AiSdkModel, type AiSdkOptions, fromAiSdk } from './actors/models/ai-sdk.ts';

// ---- logs and errors -----------------------------------------------------------------------------------------------------
export { type Address, type EffectId, segment } from './core/address.ts';
export type { Effect, EventObject } from './core/effect.ts';
export type { View } from './core/logic.ts';
export type { LogRecord } from './core/record.ts';
export type { Frame, FrameOptions } from './core/replay.ts';
export { CODES, type ErrorCode, type ErrorData, isMeshError, MeshError } from './core/errors.ts';

// ---- tracing -------------------------------------------------------------------------------------------------------------
export { openTelemetry, type OpenTelemetryOptions } from './telemetry/opentelemetry.ts';
export type { Tracer } from './core/ports/tracer.ts';
