/** Bytes, as JSON, that go through a gateway at once. docs/limits.md names them. */

/** Of the arguments of one tool call. */
export const ARGS_BYTES_MAX = 1024 * 1024;
/** Of one answer of a tool or a model. */
export const RESULT_BYTES_MAX = 8 * 1024 * 1024;
