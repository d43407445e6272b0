/** The node of a network folder in a program of one's own: what `reprise net up` runs, without the terminal. */
import { assert } from '../../core/errors.ts';
import { type Overlay, startOverlay } from '../../transport/overlay/overlay.ts';
import { proxyOf } from './proxy.ts';

export interface StartNodeOptions {
  /** What a person should know, in a line: such as that this node was revoked. */
  readonly onNote?: (text: string) => void;
}

export interface NetNode extends AsyncDisposable {
  readonly overlay: Overlay;
  /** Says goodbye, and leaves the folder to others. */
  stop(): Promise<void>;
}

/**
 * Runs the node of a folder that `reprise net init` or `reprise net join` has made; certificates and deny lists are kept there. The verbs of
 * `reprise net` work beside it, as beside `net up`; a folder has one of the two at a time.
 *
 * Throws NET_FOLDER_*, NET_UNRESPONSIVE, NET_NETWORK_INVALID, NET_KEY_*, NET_CERTIFICATE_INVALID, NET_AUTHORITY_INVALID, TRANSPORT_UNAVAILABLE,
 * CONTROL_UNSAFE.
 */
export async function startNode(path: string, { onNote = () => undefined }: StartNodeOptions = {}): Promise<NetNode> {
  // Who brings keys of his own does without all of this.
  const [{ NetFolder }, { lockForNode }, { RunningNode }] = await Promise.all([
    import('./folder.ts'),
    import('./reach.ts'),
    import('./running-node.ts'),
  ]);
  const folder = new NetFolder(path);
  await folder.knownNetwork();
  const lock = await lockForNode(folder);
  try {
    const overlays: Overlay[] = [];
    const node = await RunningNode.start(
      folder,
      {
        listen: [],
        webSocket: undefined,
        mustRelay: false,
        proxy: () => proxyOf(process.env),
        onEvent: () => undefined,
        onNote,
        onUnheard: () => undefined,
      },
      async (options) => {
        const overlay = await startOverlay(options);
        overlays.push(overlay);
        return overlay;
      },
    );
    const [overlay] = overlays;
    assert(overlay !== undefined, 'a node that runs has an overlay');
    let stopping: Promise<void> | undefined;
    const stop = (): Promise<void> => (stopping ??= node.stop().finally(() => lock[Symbol.dispose]()));
    return { overlay, stop, [Symbol.asyncDispose]: stop };
  } catch (error) {
    lock[Symbol.dispose]();
    throw error;
  }
}
