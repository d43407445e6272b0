/** How sessions end, as errors. */
import { MeshError } from '../../../core/errors.ts';
import type { EndReason } from './frames.ts';
import { type McpPeer, nodeText } from './port.ts';

/** The server of `name`, at or for `peer`. */
export interface SessionOf {
  readonly name: string;
  readonly peer: McpPeer;
}

export const endedError = ({ name }: SessionOf, why: string, cause?: unknown): MeshError =>
  new MeshError('NET_MCP_ENDED', `the session with MCP server '${name}' has ended: ${why}`, { cause });

/** What an END of the peer means here. Undefined: that it has no more to say, as it should be. */
export function failureOf(session: SessionOf, reason: EndReason, text: string): MeshError | undefined {
  const { name, peer } = session;
  const node = `node ${nodeText(peer)}`;
  const said = text === '' ? '' : `: ${text}`;
  switch (reason) {
    case 'done':
      return undefined;
    case 'unknown_name':
      return new MeshError('NET_MCP_UNKNOWN', `${node} serves no MCP server '${name}'${said}`);
    case 'not_allowed':
      return new MeshError('NET_MCP_REFUSED', `${node} does not serve '${name}' to this node${said}`);
    case 'full':
      return new MeshError('NET_MCP_BUSY', `${node} has no room for another session of '${name}'${said}`);
    case 'unknown_session':
      return endedError(session, `${node} knows nothing of it any more${said}`);
    case 'violation':
      return endedError(session, `${node} cut this node off${said}`);
    case 'failed':
      return endedError(session, `it failed at ${node}${said}`);
  }
}
