import { describe, expect, test, vi } from 'vitest';
import { MeshError } from '../../../core/errors.ts';
import { noDrops } from '../../../transport/overlay/drops.ts';
import { Members, type MembersOptions } from '../../../transport/overlay/host/members.ts';
import { addressOf } from '../../../transport/overlay/identity/address.ts';
import { Authority } from '../../../transport/overlay/trust/authority.ts';
import { DenyLists } from '../../../transport/overlay/trust/deny-list.ts';
import { LIMITS, networkOf } from '../../../transport/overlay/trust/descriptor.ts';
import { parseInvite } from '../../../transport/overlay/trust/invite.ts';
import { joinRequest, parseJoinAnswer, renewRequest } from '../../../transport/overlay/trust/join.ts';
import { CertificateTrust } from '../../../transport/overlay/trust/trust.ts';
import { identityOf, seededRandom, toHex } from '../identities.ts';

const [ca, home, alice, bob] = await Promise.all(['ca', 'home', 'alice', 'bob'].map((name) => identityOf(name)));
if (ca === undefined || home === undefined || alice === undefined || bob === undefined) throw new Error('unreachable');
const network = networkOf({ name: 'members', caKeys: [ca.publicKey], addressProfile: 'cheap', limits: LIMITS });
const keyOf = ({ publicKey }: { readonly publicKey: Uint8Array }): string => toHex(publicKey) as string;

interface Asked {
  readonly authority: Authority;
  readonly members: Members;
  /** To whom, and what. */
  readonly answers: (readonly [to: string, type: string | undefined])[];
  readonly drops: MembersOptions['drops'];
}

function asked(save: (authority: Authority) => Promise<void>): Asked {
  const authority = new Authority({
    network,
    signer: ca as NonNullable<typeof ca>,
    denyLists: new DenyLists(network),
    random: seededRandom('tokens'),
  });
  const answers: (readonly [string, string | undefined])[] = [];
  const drops = noDrops();
  const members = new Members({
    publicKey: keyOf(home as NonNullable<typeof home>),
    network,
    trust: new CertificateTrust({ network }),
    drops,
    authority,
    saveAuthority: save,
    candidates: () => [],
    ask: () => Promise.resolve(),
    reply: (to, answer) => void answers.push([to, parseJoinAnswer(answer)?.type]),
  });
  return { authority, members, answers, drops };
}

const requestOf = (authority: Authority, name: string): Uint8Array => {
  const at = { relayKey: home.publicKey, endpoints: ['192.0.2.1:1'] };
  return joinRequest(parseInvite(authority.invite(at, Date.now()), Date.now()), name);
};

describe('an authority that is asked for certificates', () => {
  test('what cannot be kept is not given, ends nothing, and is counted', async () => {
    let isFull = true;
    const { authority, members, answers, drops } = asked(() =>
      isFull ? Promise.reject(new MeshError('NET_FOLDER_UNAVAILABLE', 'no space left')) : Promise.resolve(),
    );
    const request = requestOf(authority, 'alice');
    members.received(keyOf(alice), request);
    await expect.poll(() => drops.join_unsaved).toBe(1);
    expect(answers).toEqual([]);
    // Whose invite it is asks again when there is room.
    isFull = false;
    members.received(keyOf(alice), request);
    await expect.poll(() => answers).toEqual([[keyOf(alice), 'granted']]);
  });

  test('states are kept one after the other, in their order', async () => {
    const saves: { readonly used: number; readonly done: () => void }[] = [];
    const { authority, members, answers } = asked(
      (saved) =>
        new Promise((resolve) => {
          const used = saved.state().invites.filter(({ usedBy }) => usedBy !== undefined).length;
          saves.push({ used, done: resolve });
        }),
    );
    members.received(keyOf(alice), requestOf(authority, 'alice'));
    members.received(keyOf(bob), requestOf(authority, 'bob'));
    await expect.poll(() => saves.length).toBe(1);
    await new Promise((resolve) => setTimeout(resolve, 20));
    // An older state that is written later would have the token of bob unused.
    expect(saves.map(({ used }) => used)).toEqual([1]);
    saves[0]?.done();
    await expect.poll(() => saves.map(({ used }) => used)).toEqual([1, 2]);
    saves[1]?.done();
    await expect.poll(() => answers.map(([to]) => to)).toEqual([keyOf(alice), keyOf(bob)]);
  });

  test('a member that asks without end is answered a few times, and keeps nobody else waiting', async () => {
    let saves = 0;
    const { authority, members, answers, drops } = asked(() => Promise.resolve(void saves++));
    const certificate = await authority.issue(alice.publicKey, { name: 'alice' }, Date.now());
    for (let n = 0; n < 1_000; n++) members.received(keyOf(alice), renewRequest(certificate));
    members.received(keyOf(bob), requestOf(authority, 'bob'));
    await expect.poll(() => answers.some(([to]) => to === keyOf(bob))).toBe(true);
    expect(saves).toBeLessThanOrEqual(11);
    expect(drops.join_busy).toBeGreaterThan(900);
  });
});

describe('who asks for certificates', () => {
  /** A node that gives none, and asks alice. */
  function asker(): { members: Members; sent: Uint8Array[]; drops: MembersOptions['drops'] } {
    const [sent, drops]: [Uint8Array[], MembersOptions['drops']] = [[], noDrops()];
    const members = new Members({
      publicKey: keyOf(home as NonNullable<typeof home>),
      network,
      trust: new CertificateTrust({ network }),
      drops,
      candidates: () => [keyOf(alice as NonNullable<typeof alice>)],
      ask: (_, request) => Promise.resolve(void sent.push(request)),
      reply: () => undefined,
    });
    return { members, sent, drops };
  }

  test('twice at once gets the answer to each: the second is sent when the first is answered', async () => {
    const { members, sent, drops } = asker();
    const { authority } = asked(() => Promise.resolve());
    const [one, other] = await Promise.all(
      [alice, bob].map(({ publicKey }) => authority.answer(publicKey, requestOf(authority, 'x'), Date.now())),
    );
    const answers = [1, 2].map((byte) => members.request(Uint8Array.of(byte)));
    await expect.poll(() => sent).toEqual([Uint8Array.of(1)]);
    members.received(keyOf(alice), one as Uint8Array);
    expect(await answers[0]).toEqual(one);
    await expect.poll(() => sent).toEqual([Uint8Array.of(1), Uint8Array.of(2)]);
    members.received(keyOf(alice), other as Uint8Array);
    expect(await answers[1]).toEqual(other);
    expect(drops.join_unheard).toBe(0);
  });

  test('of one who gives none is counted', () => {
    const { members, drops } = asker();
    members.received(keyOf(bob), Uint8Array.of(1));
    expect(drops.join_unheard).toBe(1);
  });
});

test('a certificate that ends with the issuing key is renewed once a minute at most, however near that end is', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'], now: Date.now() });
  try {
    const denyLists = new DenyLists(network);
    const root = new Authority({ network, signer: ca, denyLists, random: seededRandom('root') });
    const issuer = root.certifyIssuer(bob.publicKey, {}, Date.now(), 4 * 60_000);
    const authority = new Authority({ network, signer: bob, issuer, denyLists, random: seededRandom('issuing') });
    const trust = new CertificateTrust({ network, denyLists });
    trust.present(await authority.issue(home.publicKey, {}, Date.now()), home.publicKey, Date.now());
    let renewals = 0;
    const scryptIsDone = (): Promise<unknown> => addressOf(home.publicKey, 'cheap');
    const members = new Members({
      publicKey: keyOf(home),
      network,
      trust,
      drops: noDrops(),
      authority,
      onCertificate: () => (renewals += 1),
      candidates: () => [],
      ask: () => Promise.resolve(),
      reply: () => undefined,
    });
    members.start();
    for (let second = 0; second < 120; second++) {
      await vi.advanceTimersByTimeAsync(1_000);
      // A certificate takes scrypt, on a thread, whose time is real.
      await scryptIsDone();
    }
    members.stop();
    expect(renewals).toBeGreaterThanOrEqual(1);
    expect(renewals).toBeLessThanOrEqual(3);
  } finally {
    vi.useRealTimers();
  }
});
