/** How the CLI ends. Documented in docs/cli.md. */
import { type ErrorCode, isMeshError } from '../core/errors.ts';

export const EXIT = {
  ok: 0,
  /** Something failed. */
  failure: 1,
  /** The command or the mesh file is wrong. */
  usage: 2,
  /** A log and the code do not agree. */
  diverged: 3,
  /** A second signal, or Ctrl-C in a command that goes on until it is stopped. */
  interrupted: 130,
} as const;

const BY_CODE: Partial<Record<ErrorCode, number>> = {
  USAGE: EXIT.usage,
  CONFIG_INVALID: EXIT.usage,
  ADDRESS_INVALID: EXIT.usage,
  LINT_FAILED: EXIT.usage,
  REPLAY_DIVERGED: EXIT.diverged,
  CHECKPOINT_INCOMPATIBLE: EXIT.diverged,
};

export const exitCodeOf = (error: unknown): number => (isMeshError(error) ? (BY_CODE[error.code] ?? EXIT.failure) : EXIT.failure);
