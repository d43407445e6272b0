/** A server as most are today: version 1 of the SDK, as its documentation shows it. */
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';
import { z } from 'zod';

const server = new McpServer({ name: 'probe-v1', version: '1.0.0' });
server.registerTool(
  'add',
  {
    inputSchema: { a: z.number(), b: z.number() },
    outputSchema: { sum: z.number(), meta: z.record(z.string(), z.unknown()) },
    annotations: { readOnlyHint: true },
  },
  ({ a, b }, extra) => {
    const structuredContent = { sum: a + b, meta: { ...extra._meta } };
    return { content: [{ type: 'text', text: JSON.stringify(structuredContent) }], structuredContent };
  },
);
server.registerTool('throw', {}, () => {
  throw new RangeError('out of funds');
});
await server.connect(new StdioServerTransport());
