/** What a tool answered, as the output of a call: structured content, else text, else the content as it came. */
import type { CallToolResult } from '@modelcontextprotocol/client';
import { MeshError } from '../core/errors.ts';

/**
 * Throws: TOOL_FAILED with `data.content` when the tool says that it failed; PAYLOAD_TOO_LARGE when the answer is larger than `bytesMax`
 * (the call itself took effect then).
 */
export function toolOutput(tool: string, result: CallToolResult, bytesMax: number): unknown {
  const { content } = result;
  const bytes = Buffer.byteLength(JSON.stringify(result.structuredContent ?? content));
  if (bytes > bytesMax) {
    throw new MeshError(
      'PAYLOAD_TOO_LARGE',
      `'${tool}' answered with ${bytes} bytes, the limit is ${bytesMax}; the call itself took effect`,
      { data: { bytes, retryable: false } },
    );
  }
  if (result.isError === true)
    throw new MeshError('TOOL_FAILED', `'${tool}' failed: ${textOf(content) ?? 'no reason given'}`, {
      data: { content: plain(content), retryable: false },
    });
  return plain(result.structuredContent ?? textOf(content) ?? content);
}

/** Undefined unless all of it is text. */
function textOf(content: CallToolResult['content']): string | undefined {
  const texts = content.map((block) => (block.type === 'text' ? block.text : undefined));
  return texts.length > 0 && texts.every((text) => text !== undefined) ? texts.join('\n') : undefined;
}

/** What JSON keeps of it: results go into logs. */
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value)) as unknown;
