/** Bytes of JSON that a gateway takes, keeps and hands on. docs/limits.md names them. */

/** Of the arguments of one tool call. */
export const ARGS_BYTES_MAX = 1024 * 1024;
/** Of one request to a model, pictures and documents included. */
export const REQUEST_BYTES_MAX = 16 * 1024 * 1024;
/** Of all calls that a gateway has in hand: they are in its state, and in each of its checkpoints. */
export const IN_HAND_BYTES_MAX = 64 * 1024 * 1024;
/** Of one answer of a tool or a model. */
export const RESULT_BYTES_MAX = 8 * 1024 * 1024;
