/** What other sides do. Each says where it is, then answers every question with what it has done so far. */
import { type Carrier, listen } from './ends.ts';
import { flood, type FloodSide } from './flood-side.ts';
import { openOverlay, placeOf, startNode } from './overlay-end.ts';
import { type Tally, tallyOf } from './tally.ts';
import { serveTls } from './tls-end.ts';

export type SideInput =
  /** Takes messages, and gives them back where it is an echo. */
  | { readonly side: 'receiver'; readonly carrier: Carrier; readonly isEcho: boolean }
  /** A relay; its messages are the packets that it has passed on. */
  | { readonly side: 'relay' }
  /** Lets everyone in who has one of these names; messages are handshakes. */
  | { readonly side: 'host'; readonly kind: 'overlay' | 'tls'; readonly names: readonly string[] }
  | FloodSide;

export async function runSide(input: SideInput, folder: string): Promise<void> {
  switch (input.side) {
    case 'receiver':
      return receive(input.carrier, input.isEcho, folder);
    case 'relay': {
      const { overlay, place } = await openOverlay('relay', {});
      return answer(place, () => tallyOf(overlay.status().serves?.packets ?? 0, overlay.status().serves?.bytes ?? 0));
    }
    case 'host':
      return host(input.kind, input.names, folder);
    case 'flood':
      return answer({}, await flood(input));
  }
}

async function receive(carrier: Carrier, isEcho: boolean, folder: string): Promise<void> {
  const { place, end: coming } = await listen(carrier, folder);
  let messages = 0;
  let bytes = 0;
  answer(place, () => tallyOf(messages, bytes));
  const end = await coming;
  end.onMessage = (message) => {
    messages++;
    bytes += message.length;
    if (isEcho) end.send(message);
  };
}

async function host(kind: 'overlay' | 'tls', names: readonly string[], folder: string): Promise<void> {
  let handshakes = 0;
  if (kind === 'tls') {
    const server = await serveTls(folder);
    server.onSocket = (socket) => {
      handshakes++;
      socket.on('error', () => undefined);
    };
    return answer(server.place, () => tallyOf(handshakes, 0));
  }
  const overlay = await startNode('listener', '127.0.0.1', { others: names });
  overlay.onEvent(({ type }) => {
    if (type === 'peer_up') handshakes++;
  });
  return answer(placeOf('listener', overlay), () => tallyOf(handshakes, 0));
}

function answer(place: unknown, tally: () => Tally): void {
  process.on('message', () => process.send?.({ tally: tally() }));
  process.send?.({ ready: place });
}
