import { createSocket } from 'node:dgram';
import { expect, test } from 'vitest';
import { UdpSocket } from '../../../transport/overlay/endpoint/udp-socket.ts';

test('a datagram with a TTL of its own that cannot be sent leaves the TTL of all others as it was', async () => {
  const ttls: number[] = [];
  const socket = new UdpSocket({
    host: '127.0.0.1',
    port: 0,
    create: (options) => {
      const raw = createSocket(options);
      const setTTL = raw.setTTL.bind(raw);
      raw.setTTL = (ttl) => {
        ttls.push(ttl);
        return setTTL(ttl);
      };
      return raw;
    },
    message: () => undefined,
    fault: () => undefined,
    reopened: () => undefined,
  });
  const failure = await new Promise((done) => void socket.send(new Uint8Array(1), 70_000, '127.0.0.1', 2, done));
  socket.close();
  expect(failure).toMatchObject({ code: 'ERR_SOCKET_BAD_PORT' });
  expect(ttls).toEqual([2, 64]);
});
