import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { inspect } from 'node:util';
import { afterEach, describe, expect, test, type TestContext } from 'vitest';
import type { MeshError } from '../../../core/errors.ts';
import { startProxy, type Proxy } from './proxy.ts';
import { bytesOf } from './recorder.ts';
import { LOOPBACK, WebSocketLab, type Node, type Relay } from './websocket-lab.ts';

const lab = new WebSocketLab();
const proxies: Proxy[] = [];
afterEach(async () => {
  await lab.stop();
  for (const proxy of proxies.splice(0)) proxy.close();
});

async function proxyWith(state?: { credentials?: string }): Promise<Proxy> {
  const proxy = await startProxy(state);
  proxies.push(proxy);
  return proxy;
}

/** A key and a certificate that it signed itself. Skips without openssl. */
function selfSigned(skip: TestContext['skip'], name = `IP:${LOOPBACK}`): { cert: string; key: string } {
  const line = `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=relay -addext subjectAltName=${name} -keyout - -out -`;
  try {
    const both = execFileSync('openssl', line.split(' '), { encoding: 'utf8', stdio: 'pipe' });
    const at = both.indexOf('-----BEGIN CERTIFICATE');
    return { cert: both.slice(at), key: both.slice(0, at) };
  } catch (error) {
    return skip(`openssl does not make a certificate here: ${(error as Error).message}`);
  }
}

async function assertCarries(node: Node, path: string, relay: Relay): Promise<void> {
  await node.events.until(() => node.events.open.includes(path) || node.events.errors.length > 0);
  expect(node.events.errors).toEqual([]);
  node.endpoint.send(path, bytesOf(`by ${path}`));
  await relay.events.until(() => relay.events.texts.includes(`by ${path}`));
  expect(relay.events.texts).toContain(`by ${path}`);
}

const closed = (socket: Socket): Promise<void> =>
  new Promise((resolve) => void socket.on('error', () => undefined).once('close', () => resolve()));

const failure = async ({ events }: Node): Promise<Error> => {
  await events.until(() => events.errors.length > 0);
  expect(events.errors).toMatchObject([{ fault: 'unreachable' }]);
  return events.errors[0]?.cause as Error;
};

describe('TLS', () => {
  test('carries packets where the certificate is trusted', async ({ skip }) => {
    const tls = selfSigned(skip);
    const relay = await lab.relay({}, tls);
    const node = lab.node({ ca: [tls.cert] });
    await assertCarries(node, node.endpoint.dial(relay.url), relay);
  });

  test('is refused where it is not, or is that of another host', async ({ skip }) => {
    const [good, other] = [selfSigned(skip), selfSigned(skip, 'IP:192.0.2.1')];
    const stranger = lab.node();
    stranger.endpoint.dial((await lab.relay({}, good)).url);
    expect(await failure(stranger)).toMatchObject({
      message: expect.stringMatching(/^wss:\/\/127\.0\.0\.1:\d+: self-signed certificate/),
      data: { reason: 'DEPTH_ZERO_SELF_SIGNED_CERT' },
    });
    const misled = lab.node({ ca: [other.cert] });
    misled.endpoint.dial((await lab.relay({}, other)).url);
    expect(await failure(misled)).toMatchObject({
      message: expect.stringMatching(/does not match certificate/),
      data: { reason: 'ERR_TLS_CERT_ALTNAME_INVALID' },
    });
  });

  test('that is not spoken there, and a port that nobody has, are told apart', async () => {
    const [plain, node, late] = [await lab.relay(), lab.node(), lab.node()];
    node.endpoint.dial(plain.url.replace('ws:', 'wss:'));
    expect(await failure(node)).toMatchObject({ data: { reason: expect.stringMatching(/EPROTO|ERR_SSL_WRONG_VERSION_NUMBER/) } });
    late.endpoint.dial('wss://localhost:1');
    expect(await failure(late)).toMatchObject({
      message: expect.stringMatching(/^wss:\/\/localhost:1: .*ECONNREFUSED/),
      data: { reason: 'ECONNREFUSED' },
    });
  });

  test('with a key that is not of the certificate, or is no PEM, is not served, and it is said that this is why', async ({
    skip,
  }) => {
    const [{ cert }, { key }] = [selfSigned(skip), selfSigned(skip)];
    for (const tls of [
      { cert, key },
      { cert: 'x', key: 'x' },
    ])
      await expect(lab.relay({}, tls)).rejects.toMatchObject({
        code: 'TRANSPORT_UNAVAILABLE',
        message: expect.stringContaining('the TLS certificate and its key, both in PEM, cannot be used: '),
      });
  });

  test('handshakes that do not end are ended, and count as connections', async ({ skip }) => {
    const relay = await lab.relay({ limits: { handshakeMs: 100, connections: 1 } }, selfSigned(skip));
    const sockets = [connect(relay.port, LOOPBACK).resume(), connect(relay.port, LOOPBACK).resume()];
    await Promise.all(sockets.map(closed));
    expect([relay.drops.stream_refused, relay.events.open]).toEqual([1, []]);
  });
});

describe('through a proxy', () => {
  test('without credentials, for ws: and wss:', async ({ skip }) => {
    const tls = selfSigned(skip);
    const [proxy, plain, secure] = [await proxyWith(), await lab.relay(), await lab.relay({}, tls)];
    const node = lab.node({ ca: [tls.cert] });
    const options = { proxy: () => `http://${LOOPBACK}:${proxy.port}` };
    await assertCarries(node, node.endpoint.dial(plain.url, options), plain);
    await assertCarries(node, node.endpoint.dial(secure.url, options), secure);
    expect(proxy.requests).toEqual([
      [`${LOOPBACK}:${plain.port}`, undefined],
      [`${LOOPBACK}:${secure.port}`, undefined],
    ]);
  });

  test('a certificate of another host is refused, be it `localhost`', async ({ skip }) => {
    const tls = selfSigned(skip, 'DNS:localhost');
    const [proxy, relay, node] = [await proxyWith(), await lab.relay({}, tls), lab.node({ ca: [tls.cert] })];
    node.endpoint.dial(relay.url, { proxy: () => `http://${LOOPBACK}:${proxy.port}` });
    expect((await failure(node)).message).toMatch(/does not match certificate/);
    expect([proxy.requests.length, relay.events.open]).toEqual([1, []]);
  });

  test('with credentials, which are asked for at each dial', async () => {
    const state = { credentials: 'us er:first%' };
    const [proxy, relay, node] = [await proxyWith(state), await lab.relay(), lab.node()];
    const urls = [`http://us%20er:first%25@${LOOPBACK}:${proxy.port}`, `http://user:second@${LOOPBACK}:${proxy.port}`];
    const options = { proxy: () => urls.shift() };
    await assertCarries(node, node.endpoint.dial(relay.url, options), relay);
    state.credentials = 'user:second';
    await assertCarries(node, node.endpoint.dial(relay.url, options), relay);
    // Undefined: without a proxy.
    await assertCarries(node, node.endpoint.dial(relay.url, options), relay);
    expect(proxy.requests).toHaveLength(2);
  });

  test('credentials are in no error, whatever goes wrong', async () => {
    const [proxy, relay] = [await proxyWith({ credentials: 'another:one' }), await lab.relay()];
    const shown: string[] = [];
    const reasons: unknown[] = [];
    for (const at of [
      `http://secret:hidden@${LOOPBACK}:${proxy.port}`,
      `http://secret:hidden@${LOOPBACK}:1`,
      'ftp://secret:hidden@x',
      'http://secret:hidden@',
      'secret:hidden',
    ]) {
      const node = lab.node();
      node.endpoint.dial(relay.url, { proxy: () => at });
      const error = await failure(node);
      shown.push(error.message);
      reasons.push((error as MeshError).data);
      expect(inspect(error, { depth: 10, showHidden: true })).not.toMatch(/secret|hidden|c2VjcmV0/);
    }
    expect(shown).toEqual([
      `${relay.url}: the proxy ${LOOPBACK}:${proxy.port} answers 407 Proxy Authentication Required`,
      expect.stringMatching(/: the proxy 127\.0\.0\.1:1: .*ECONNREFUSED/),
      ...Array.from({ length: 3 }, () => 'a proxy URL begins with http:// or https://'),
    ]);
    expect(reasons).toEqual([{ reason: 'PROXY_407' }, { reason: 'PROXY' }, undefined, undefined, undefined]);
  });

  test('credentials are in no debug output', async () => {
    const [proxy, relay] = [await proxyWith({ credentials: 'secret:hidden' }), await lab.relay()];
    const script = `
      import { WebSocketEndpoint } from ${JSON.stringify(new URL('../../../transport/overlay/endpoint/websocket.ts', import.meta.url).href)};
      const ended = () => void endpoint.stop();
      const endpoint = new WebSocketEndpoint({ events: { onOpen: ended, onError: ended, onDatagram() {} }, drops: {} });
      endpoint.dial('${relay.url}', { proxy: () => 'http://secret:hidden@${LOOPBACK}:${proxy.port}' });`;
    const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
      env: { ...process.env, DEBUG: '*', NODE_DEBUG: 'http,https,net,tls' },
    });
    const output = (await Promise.all([child.stdout, child.stderr].map(text))).join('');
    expect(output).toContain('https-proxy-agent');
    expect(output).not.toMatch(/secret|hidden|c2VjcmV0/);
    expect(relay.events.open).toHaveLength(1);
  });

  test('one that cannot be asked for fails the dial', async () => {
    const node = lab.node();
    node.endpoint.dial('ws://127.0.0.1:1', {
      proxy: () => {
        throw new Error('no such setting');
      },
    });
    expect((await failure(node)).message).toBe('no such setting');
  });

  test('one that takes the connection and is silent is left in time', async () => {
    const silent = createServer().listen(0, LOOPBACK);
    await once(silent, 'listening');
    const node = lab.node({ limits: { handshakeMs: 100 } });
    node.endpoint.dial('ws://127.0.0.1:1', { proxy: () => `http://${LOOPBACK}:${(silent.address() as AddressInfo).port}` });
    const [socket] = await once(silent, 'connection');
    const closed = once(socket.resume(), 'close');
    expect((await failure(node)).message).toBe('ws://127.0.0.1:1: no answer within 100 ms');
    await closed;
    silent.close();
  });
});
