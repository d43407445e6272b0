/** What the CLI needs of an overlay: a part, so that tests can stand in for it. */
import type { Overlay, OverlayOptions } from '../../transport/overlay/overlay.ts';

export type NetOverlay = Pick<
  Overlay,
  | 'endpoints'
  | 'webSocket'
  | 'connect'
  | 'send'
  | 'onMessage'
  | 'onUnclaimed'
  | 'onEvent'
  | 'ping'
  | 'peers'
  | 'status'
  | 'members'
  | 'installDenyList'
  | 'reauthorize'
  | 'stop'
>;

export type StartOverlay = (options: OverlayOptions) => Promise<NetOverlay>;
