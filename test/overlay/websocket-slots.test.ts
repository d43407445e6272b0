/** Strangers at a node that is reached by WebSocket alone, with the time to prove oneself cut short. */
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import { framed } from '../../transport/overlay/endpoint/batch.ts';
import { startOverlay } from '../../transport/overlay/overlay.ts';
import { endpointText } from '../../transport/overlay/paths/endpoint.ts';
import { LIMITS, networkOf } from '../../transport/overlay/trust/descriptor.ts';
import { CertificateTrust, PinnedTrust } from '../../transport/overlay/trust/trust.ts';
import { identityOf, seededRandom, toHex } from './identities.ts';

const { PROVED_MS } = vi.hoisted(() => ({ PROVED_MS: 1_000 }));
vi.mock(import('../../transport/overlay/endpoint/websocket-server.ts'), async (original) => {
  const module = await original();
  return { ...module, WEBSOCKET_LIMITS: { ...module.WEBSOCKET_LIMITS, provedMs: PROVED_MS } };
});

const HOST = '127.0.0.1';
const [server, client, ca] = await Promise.all(['slots server', 'slots client', 'slots ca'].map(identityOf));
if (server === undefined || client === undefined || ca === undefined) throw new Error('unreachable');
const listening = { listen: [], webSocket: { host: HOST, port: 0 } } as const;

test('a member keeps its WebSocket, a stranger with garbage does not', async () => {
  const network = networkOf({ name: 'slots', caKeys: [], addressProfile: 'cheap', limits: LIMITS });
  const [ofServer, ofClient] = [new PinnedTrust({ network }), new PinnedTrust({ network })];
  ofServer.pin(client.publicKey);
  ofClient.pin(server.publicKey);
  await using to = await startOverlay({ identity: server, network, trust: ofServer, ...listening });
  const url = `ws://${endpointText(to.webSocket ?? { host: HOST, port: 0 })}`;
  const peers = [{ publicKey: to.publicKey, endpoints: [url] }];
  await using from = await startOverlay({ identity: client, network, trust: ofClient, peers, listen: [] });
  const { path } = await from.connect(to.publicKey);
  expect(path).toMatch(/^ws:/);
  const stranger = new WebSocket(`${url}/overlay`);
  await once(stranger, 'open');
  const random = seededRandom('slots');
  const garbage = setInterval(() => stranger.readyState === WebSocket.OPEN && stranger.send(framed(random(200))), 50);
  await once(stranger, 'close');
  clearInterval(garbage);
  await sleep(PROVED_MS);
  to.onMessage('x', () => undefined);
  await from.send(to.publicKey, 'x', Buffer.of(1));
  expect(from.status().peers).toMatchObject([{ path, kind: 'tcp', state: 'up' }]);
  expect(to.status().drops).toMatchObject({ stream_unproved: 1 });
});

test('a guest proves nothing', async () => {
  const network = networkOf({ name: 'slots-of-guests', caKeys: [ca.publicKey], addressProfile: 'cheap', limits: LIMITS });
  const trust = new CertificateTrust({ network, guests: { admits: () => true } });
  await using to = await startOverlay({ identity: server, network, trust, ...listening });
  const knows = {
    networkId: network.networkId,
    psk: new Uint8Array(32),
    certificate: new Uint8Array([1]),
    authorize: () => ({ type: 'member', roles: ['node'], certificate: undefined, untilMs: Infinity }) as const,
    holds: () => true,
  };
  const peers = [{ publicKey: to.publicKey, endpoints: [`ws://${endpointText(to.webSocket ?? { host: HOST, port: 0 })}`] }];
  await using from = await startOverlay({ identity: client, network, trust: knows, peers, listen: [] });
  const { path } = await from.connect(to.publicKey);
  await vi.waitFor(() => expect(to.status().peers).toMatchObject([{ publicKey: toHex(client.publicKey), roles: [] }]));
  await vi.waitFor(() => expect(to.status().drops.stream_unproved).toBeGreaterThan(0), { timeout: 4_000 });
  // It may come again, by another.
  await vi.waitFor(() => expect(from.status().peers[0]?.path).not.toBe(path), { timeout: 4_000 });
});
