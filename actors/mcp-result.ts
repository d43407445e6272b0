/** What a tool answered, as the output of a call: structured content, else text, else the content as it came. */
import type { CallToolResult } from '@modelcontextprotocol/client';
import { MeshError } from '../core/index.ts';

/** Of what a tool said for itself, in a message; all of it is in the data. */
const REASON_CHARS_MAX = 500;

/**
 * A refusal (`isError`) is an answer of the tool: it is settled, recorded and never tried again. Charts get it as an error, because the
 * output of an invoke is typed by what the tool gives when it works.
 *
 * `result` has no secrets any more: messages quote a part of it, and half a secret is found by nobody.
 *
 * Throws: TOOL_FAILED with `data.content`, read as an output is, when the tool says that it failed; PAYLOAD_TOO_LARGE when the answer
 * is larger than `bytesMax` (the call itself took effect then).
 */
export function toolOutput(tool: string, result: CallToolResult, bytesMax: number): unknown {
  const text = textOf(result.content);
  const output = result.structuredContent === undefined ? (text ?? result.content) : result.structuredContent;
  const json = JSON.stringify(output);
  const bytes = Buffer.byteLength(json);
  if (bytes > bytesMax)
    throw new MeshError(
      'PAYLOAD_TOO_LARGE',
      `'${tool}' answered with ${bytes} bytes, the limit is ${bytesMax}; the call itself took effect`,
      { data: { bytes, retryable: false } },
    );
  // Results go into logs: what JSON keeps of them.
  const content = JSON.parse(json) as unknown;
  if (result.isError === true)
    throw new MeshError('TOOL_FAILED', `'${tool}' failed: ${(text ?? 'no reason given').slice(0, REASON_CHARS_MAX)}`, {
      data: { content, retryable: false },
    });
  return content;
}

/** Undefined unless all of it is text. */
function textOf(content: CallToolResult['content']): string | undefined {
  const texts = content.map((block) => (block.type === 'text' ? block.text : undefined));
  return texts.length > 0 && texts.every((text) => text !== undefined) ? texts.join('\n') : undefined;
}
