/** The MCP part of a node, with the clock and the randomness of this machine. */
import { randomBytes } from 'node:crypto';
import { type McpOptions, OverlayMcp } from '../../../transport/overlay/mcp/overlay-mcp.ts';
import type { McpOverlay } from '../../../transport/overlay/mcp/port.ts';
import type { Network } from '../../../transport/overlay/trust/descriptor.ts';
import { systemClock } from '../../system.ts';

/** One for each overlay: it has the channels that begin with `mcp/`. `network`: that of the overlay. */
export const overlayMcp = (overlay: McpOverlay, { limits }: Network, own: Pick<McpOptions, 'limits'> = {}): OverlayMcp =>
  new OverlayMcp(overlay, { ...own, clock: systemClock(), random: randomBytes, messageBytesMax: limits.messageBytesMax });
