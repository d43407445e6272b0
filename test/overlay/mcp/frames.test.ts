/** Frames of MCP, and what strangers may make of them. */
import { expect, it } from 'vitest';
import {
  buildMcpFrame,
  isServerName,
  type McpFrame,
  parseMcpFrame,
  TEXT_BYTES_MAX,
} from '../../../transport/overlay/mcp/frames.ts';
import { messagesOf, tooLong } from '../../../transport/overlay/mcp/json-rpc.ts';
import { Lines } from '../../../transport/overlay/mcp/lines.ts';
import { assertWithin, disturbed } from '../wire/hostile.ts';

const id = '0123456789abcdef';
const FRAMES: readonly McpFrame[] = [
  { type: 'open', id, window: 1_048_576, lineMax: 4_194_304, name: 'files.v2-x_y' },
  { type: 'opened', id, window: 1, lineMax: 0xffff_ffff },
  { type: 'data', id, offset: 2 ** 40, bytes: Uint8Array.of(1, 2, 3) },
  { type: 'credit', id, total: 1_000_000 },
  { type: 'ping', id },
  { type: 'end', id, reason: 'failed', text: 'it said “no”' },
  { type: 'who', id, name: 'files' },
  { type: 'here', id, isServed: true },
];

it('each frame goes through bytes and back', () => {
  for (const frame of FRAMES) expect(parseMcpFrame(buildMcpFrame(frame))).toEqual(frame);
});

it('their bytes are what they are', () => {
  expect(FRAMES.map((frame) => Buffer.from(buildMcpFrame(frame)).toString('hex'))).toEqual([
    `01${id}000010000000400066696c65732e76322d785f79`,
    `02${id}01000000ffffffff`,
    `03${id}c000010000000000010203`,
    `04${id}800f4240`,
    `05${id}`,
    `06${id}0669742073616964 20e2809c6e6fe2809d`.replace(' ', ''),
    `07${id}66696c6573`,
    `08${id}01`,
  ]);
});

it('a disturbed one is another frame or none: never an exception, never more than came', () => {
  for (const frame of FRAMES)
    for (const bytes of disturbed(buildMcpFrame(frame))) {
      const parsed = parseMcpFrame(bytes);
      if (parsed === undefined) continue;
      expect(parsed.id).toHaveLength(16);
      // The id and the reason are texts of ours; the text of an END is made of bytes that may be no UTF-8.
      const text = parsed.type === 'end' ? parsed.text.replaceAll('\ufffd', '.') : undefined;
      assertWithin(bytes, { ...parsed, id: '', reason: '', text });
      expect('name' in parsed ? isServerName(parsed.name) : true).toBe(true);
    }
});

it('texts are bounded, and move no cursor', () => {
  const said = parseMcpFrame(buildMcpFrame({ type: 'end', id, reason: 'failed', text: `\u001b[2J\r\n${'x'.repeat(5_000)}` }));
  expect(said).toMatchObject({ text: ` [2J ${'x'.repeat(TEXT_BYTES_MAX - 6)}` });
});

it('lines: cut anywhere, empty, with no end, too long', () => {
  const text = Buffer.from('{"a":1}\n\n{"b":"ö"}\n{');
  for (let cut = 0; cut <= text.length; cut++) {
    const lines = new Lines(20);
    const found = [...(lines.push(text.subarray(0, cut)) ?? []), ...(lines.push(text.subarray(cut)) ?? [])];
    expect(found.map((line) => Buffer.from(line).toString())).toEqual(['{"a":1}', '', '{"b":"ö"}']);
    expect(lines.length).toBe(1);
  }
  const lines = new Lines(8);
  expect(lines.push(Buffer.from('12345678\n1234'))).toHaveLength(1);
  expect(lines.push(Buffer.from('56789'))).toBeUndefined();
});

it('what is no JSON-RPC message', () => {
  const of = (text: string | Uint8Array): unknown => messagesOf(Buffer.from(text));
  for (const text of ['', 'x', '1', 'null', '[]', '{}', '{"jsonrpc":"1.0"}', '[{"jsonrpc":"2.0"},1]', '{"jsonrpc":"2.0"} x'])
    expect(of(text), text).toBeUndefined();
  expect(of(Uint8Array.of(0x22, 0xff, 0x22))).toBeUndefined();
  expect(of('['.repeat(100_000))).toBeUndefined();
  expect(of('{"jsonrpc":"2.0","method":"x"}')).toEqual({ jsonrpc: '2.0', method: 'x' });
  expect(of('[{"jsonrpc":"2.0","id":1}]')).toHaveLength(1);
});

it('who is told that a message is too long', () => {
  const of = (message: object) => tooLong(JSON.stringify({ jsonrpc: '2.0', ...message }), 100, 50);
  expect(of({ id: 7, method: 'x' })).toMatchObject({ to: 'sender', line: expect.stringContaining('"id":7') });
  expect(of({ id: 'a', result: {} })).toMatchObject({ to: 'receiver', line: expect.stringContaining('PAYLOAD_TOO_LARGE') });
  expect(of({ method: 'x' })).toBeUndefined();
  expect(of({ id: { a: 1 }, method: 'x' })).toBeUndefined();
});
