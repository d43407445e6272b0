/** What a newcomer is told when nobody answers. */
import { expect, test } from 'vitest';
import { askToJoin, type StartNewcomer } from '../../../cli/net/joining.ts';
import { MeshError } from '../../../core/errors.ts';
import type { Identity } from '../../../transport/overlay/identity/identity.ts';
import type { DialFault } from '../../../transport/overlay/host/dials.ts';
import type { Invite } from '../../../transport/overlay/trust/invite.ts';

const key = new Uint8Array(32).fill(7);
const WSS = 'wss://hub.example.org:443';
const INVITE = { relayKey: key, endpoints: ['hub.example.org:7337', WSS], token: key, networkId: key } as unknown as Invite;

async function refusal(dialFaults: readonly DialFault[], cause = 'nobody'): Promise<MeshError> {
  let stops = 0;
  const start: StartNewcomer = () =>
    Promise.resolve({
      requestMembership: () => Promise.reject(new MeshError('NET_PEER_UNREACHABLE', cause)),
      status: () => ({ dialFaults }) as never,
      stop: () => Promise.resolve(void (stops += 1)),
    });
  const error: unknown = await askToJoin({ publicKey: key } as Identity, INVITE, 'alice', start).catch(
    (thrown: unknown) => thrown,
  );
  expect([error, stops]).toMatchObject([{ code: 'NET_PEER_UNREACHABLE' }, 1]);
  return error as MeshError;
}

test('silence has several meanings', async () => {
  expect((await refusal([])).message).toMatch(
    /^no answer from hub\.example\.org:7337, wss:\/\/hub\.example\.org:443: the node that made/,
  );
});

test('what is known of a WebSocket that could not be opened comes before them, with its cure', async () => {
  const message = `${WSS}: self-signed certificate`;
  expect((await refusal([{ url: WSS, message, reason: 'DEPTH_ZERO_SELF_SIGNED_CERT' }])).message).toMatch(
    /443\. wss:\/\/hub\.example\.org:443: self-signed certificate \(.*NODE_EXTRA_CA_CERTS=FILE.*\)\. Else the node that made/,
  );
});

test('that nobody answered is not said twice, and what else is known is', async () => {
  expect((await refusal([], '07070707 did not answer within 10 s')).cause).toBeUndefined();
  expect((await refusal([], 'no way there')).cause).toMatchObject({ message: 'no way there' });
});
