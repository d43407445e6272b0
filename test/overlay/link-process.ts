/**
 * A node of a mesh in a process of its own: `node link-process.ts NAME RELAY`, RELAY as JSON of a `RelayAddress`. It answers each `ping` of a node with
 * `pong`, and its own process id.
 */
import { overlayLink } from '../../transport/overlay/link.ts';
import type { RelayAddress } from '../../transport/overlay/node/ports.ts';
import { certified } from './certified.ts';

const [name = '', relay = ''] = process.argv.slice(2);
const relays = [JSON.parse(relay) as RelayAddress];
const link = overlayLink({ open: (certain) => certified(certain, { relays }) });
link.onMessage('ping', (from) => link.send(from, 'pong', new TextEncoder().encode(`${process.pid}`)));
await link.start(name);
