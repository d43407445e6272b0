/** What a tool gateway decides, as pure steps: policies, tries, pauses, deadlines, repeated keys, bounds. */
import { describe, expect, it } from 'vitest';
import { Calls, EMPTY_BOOK, IN_HAND_MAX, SETTLED_MAX } from '../../actors/call-book.ts';
import { ARGS_BYTES_MAX, IN_HAND_BYTES_MAX } from '../../actors/limits.ts';
import { ASKING_MAX, type GatewayTerms, toolGateway, type ToolGatewayState } from '../../actors/mcp-gateway.ts';
import type { ToolCall } from '../../actors/tool.ts';
import { GatewayDrive, NO_LEAF } from './gateway-drive.ts';

const TERMS: GatewayTerms = { tools: {}, timeoutMs: 5_000, concurrency: 16 };
const TOOLS = [
  { name: 'read', inputSchema: {}, annotations: { readOnlyHint: true } },
  { name: 'set', inputSchema: {}, annotations: { readOnlyHint: false, idempotentHint: true } },
  { name: 'post', inputSchema: {}, annotations: { readOnlyHint: false, destructiveHint: true } },
  { name: 'bare', inputSchema: {} },
];
const IDENTITY = { name: 'desk', version: '1', protocol: '2025-11-25' };

class Gateway extends GatewayDrive {
  constructor(terms: Partial<GatewayTerms> = {}) {
    super(toolGateway({ server: 'desk', leaves: { connection: NO_LEAF, call: NO_LEAF } }), 'tools/desk');
    this.event({ type: 'reprise.mcp.opening', terms: { ...TERMS, ...terms } });
  }

  static up(terms: Partial<GatewayTerms> = {}): Gateway {
    return new Gateway(terms).connect();
  }
  connect(): this {
    return this.event({ type: 'reprise.mcp.connected', identity: IDENTITY, tools: TOOLS });
  }
  down(message = 'it is gone'): this {
    return this.event({ type: 'reprise.mcp.down', error: { name: 'MeshError', message }, againMs: 200 });
  }
  /** Called by `caller!1.0` unless told. */
  call(name: string, more: Partial<ToolCall> & { caller?: string } = {}): this {
    const { caller = 'caller', ...rest } = more;
    const key = `${caller}!1.0`;
    return this.event({
      type: 'reprise.call',
      name,
      args: { a: 1 },
      key,
      deadlineMs: 60_000,
      policy: {},
      replyTo: { id: key },
      ...rest,
    });
  }
  get gateway(): ToolGatewayState {
    return this.state as ToolGatewayState;
  }
}

const lost = (sent: boolean) => ({ code: 'MCP_FAILED' as const, message: 'connection lost', data: { sent, retryable: true } });

describe('what a call in doubt means', () => {
  const policyOf = (gateway: Gateway): unknown => gateway.started[0]?.input['inDoubt'];

  it.each([
    ['read', 'retry'],
    ['set', 'retry'],
    ['post', 'park'],
    ['bare', 'park'],
  ])('%s is %s by its annotations', (name, policy) => {
    expect(policyOf(Gateway.up().call(name))).toBe(policy);
  });

  it('the code wins over the annotations, the config over both', () => {
    expect(policyOf(Gateway.up().call('post', { policy: { inDoubt: 'fail' } }))).toBe('fail');
    const strict = Gateway.up({ tools: { read: { inDoubt: 'park' } } });
    expect(policyOf(strict.call('read', { policy: { inDoubt: 'retry' } }))).toBe('park');
  });

  it('ask needs a tool to ask; without one a person decides', () => {
    expect(policyOf(Gateway.up({ tools: { post: { inDoubt: 'ask' } } }).call('post'))).toBe('park');
    const query = { tool: 'find', keyArgument: 'key' };
    const gateway = Gateway.up({ tools: { post: { inDoubt: 'ask', query, keyArgument: 'idempotency_key' } } }).call('post');
    expect(gateway.started[0]?.input).toMatchObject({ inDoubt: 'ask', query, keyArgument: 'idempotency_key' });
  });

  it('terms of an edited mesh file hold from the next start on, not before', () => {
    const gateway = Gateway.up({ concurrency: 1 }).call('post').call('post', { caller: 'other' });
    expect(gateway.started).toEqual([]);
    gateway
      .event({ type: 'reprise.mcp.opening', terms: { ...TERMS, concurrency: 1, tools: { post: { inDoubt: 'fail' } } } })
      .connect();
    expect(gateway.done('caller!1.0#1', 1).started[0]?.input['inDoubt']).toBe('fail');
  });
});

describe('a call', () => {
  it('is given key, limits and what is left of its deadline, and its result is the reply', () => {
    const gateway = Gateway.up().call('read', { timeoutMs: 700 });
    expect(gateway.started).toEqual([
      {
        child: 'caller!1.0#1',
        input: { name: 'read', args: { a: 1 }, key: 'caller!1.0', timeoutMs: 700, remainingMs: 60_000, inDoubt: 'retry' },
      },
    ]);
    expect(gateway.done('caller!1.0#1', { found: 3 }).replies).toEqual([{ to: 'caller!1.0', output: { found: 3 } }]);
  });

  it('of a tool that the server has not got fails with the names of those it has', () => {
    const [reply] = Gateway.up().call('rm').replies;
    expect(reply?.error).toMatchObject({ code: 'TOOL_FAILED', message: expect.stringContaining('read, set, post, bare') });
  });

  it('waits until the server is there', () => {
    const gateway = new Gateway().call('read');
    expect(gateway.started).toEqual([]);
    expect(gateway.connect().started).toHaveLength(1);
  });

  it('that waited in vain fails with the reason for which there is no server', () => {
    const gateway = new Gateway().down('no such file').call('read').fire('deadline caller!1.0');
    expect(gateway.replies[0]?.error).toMatchObject({ code: 'MCP_FAILED', message: expect.stringContaining('no such file') });
  });

  it('at most as many at once as the config says, first come first served', () => {
    const gateway = Gateway.up({ concurrency: 2 });
    for (const caller of ['a', 'b', 'c', 'd']) gateway.call('read', { caller });
    expect(gateway.gateway.book.running).toBe(2);
    expect(gateway.done('b!1.0#1', 1).started.map((s) => s.child)).toEqual(['c!1.0#1']);
    expect(gateway.failed('a!1.0#1', { code: 'TOOL_FAILED', message: 'no' }).started.map((s) => s.child)).toEqual(['d!1.0#1']);
  });

  it('beyond the bound is refused as BUSY', () => {
    const gateway = new Gateway();
    for (let i = 0; i < IN_HAND_MAX; i++) gateway.call('read', { caller: `c${i}` });
    expect(gateway.call('read', { caller: 'late' }).replies).toMatchObject([{ to: 'late!1.0', error: { code: 'BUSY' } }]);
  });
});

describe('the size of what is in hand', () => {
  it('of one call is looked at when it comes, whether or not there is a server', () => {
    const gateway = new Gateway().call('read', { args: { text: 'ü'.repeat(ARGS_BYTES_MAX / 2) } });
    expect(gateway.replies).toMatchObject([
      { to: 'caller!1.0', error: { code: 'PAYLOAD_TOO_LARGE', data: { sent: false, retryable: false } } },
    ]);
    expect(gateway.gateway.book.calls).toEqual({});
    expect(gateway.call('read', { args: { text: 'x'.repeat(ARGS_BYTES_MAX - 100) } }).replies).toEqual([]);
  });

  it('of all calls is bounded; one that ends makes room', () => {
    const text = 'x'.repeat(ARGS_BYTES_MAX - 100);
    const calls = new Calls(
      EMPTY_BOOK,
      { src: 'call', inputBytesMax: ARGS_BYTES_MAX, timeoutCode: 'TOOL_TIMEOUT' },
      { ts: 0, random: () => 0 },
    );
    const take = (n: number): boolean => {
      const key = `c${n}!1.0`;
      return calls.accept({ type: 'reprise.call', key, deadlineMs: 1_000, replyTo: { id: key } }, 'it', { text });
    };
    let taken = 0;
    while (take(taken)) taken++;
    expect(taken).toBe(IN_HAND_BYTES_MAX / ARGS_BYTES_MAX);
    expect(calls.effects.at(-1)).toMatchObject({ to: { address: `c${taken}!1.0` }, event: { error: { code: 'BUSY' } } });
    calls.cancel('c0!1.0');
    expect([take(taken), take(taken + 1)]).toEqual([true, false]);
  });
});

describe('tries', () => {
  it('a transient failure is tried again after growing pauses, three times in all', () => {
    const gateway = Gateway.up().call('read');
    const pauses: number[] = [];
    for (let i = 1; i <= 2; i++) {
      gateway.failed(`caller!1.0#${i}`, lost(true));
      pauses.push(gateway.timers[0]?.delay ?? 0);
      gateway.fire('again caller!1.0');
      expect(gateway.started[0]?.child).toBe(`caller!1.0#${i + 1}`);
    }
    expect(pauses[0]).toBeGreaterThanOrEqual(250);
    expect(pauses[0]).toBeLessThanOrEqual(500);
    expect(pauses[1]).toBeGreaterThanOrEqual(500);
    expect(gateway.failed('caller!1.0#3', lost(true)).replies[0]?.error?.code).toBe('MCP_FAILED');
  });

  it('one that may have taken effect is not, unless it may be repeated', () => {
    const gateway = Gateway.up().call('post');
    expect(gateway.failed('caller!1.0#1', lost(true)).replies[0]?.error?.code).toBe('MCP_FAILED');
  });

  it('one that was certainly not sent always is, and is no try', () => {
    const gateway = Gateway.up().call('post', { policy: { attempts: 1 } });
    for (let i = 1; i <= 5; i++) {
      gateway.failed(`caller!1.0#${i}`, lost(false)).fire('again caller!1.0');
      expect(gateway.started).toHaveLength(1);
    }
  });

  it('what the tool refused is an answer and never tried again', () => {
    const error = { code: 'TOOL_FAILED' as const, message: 'no funds', data: { retryable: false, content: 'no funds' } };
    expect(Gateway.up().call('read').failed('caller!1.0#1', error).replies[0]?.error).toMatchObject(error);
  });

  it('a pause is never shorter than the other side asked for, and none goes beyond the deadline', () => {
    const busy = (retryAfterMs: number) => ({ ...lost(false), data: { sent: false, retryable: true, retryAfterMs } });
    const gateway = Gateway.up().call('read').failed('caller!1.0#1', busy(9_000));
    expect(gateway.timers[0]?.delay).toBe(9_000);
    const impatient = Gateway.up().call('read').failed('caller!1.0#1', busy(61_000));
    expect(impatient.replies[0]?.error?.code).toBe('MCP_FAILED');
  });

  it('the attempts of the call are kept', () => {
    const gateway = Gateway.up().call('read', { policy: { attempts: 1 } });
    expect(gateway.failed('caller!1.0#1', lost(true)).replies[0]?.error?.code).toBe('MCP_FAILED');
  });
});

describe('a key that comes again', () => {
  it('while its call runs, adds a caller to it', () => {
    const gateway = Gateway.up()
      .call('post')
      .call('post', { replyTo: { id: 'second!9.0' } });
    expect(gateway.started).toEqual([]);
    expect(gateway.done('caller!1.0#1', 'posted').replies.map((r) => r.to)).toEqual(['caller!1.0', 'second!9.0']);
  });

  it('after its call ended, gets the same answer, failures included', () => {
    const gateway = Gateway.up().call('post').done('caller!1.0#1', 'posted').call('post');
    expect(gateway.started).toEqual([]);
    expect(gateway.replies).toEqual([{ to: 'caller!1.0', output: 'posted' }]);
    const refused = Gateway.up().call('post').failed('caller!1.0#1', { code: 'TOOL_FAILED', message: 'no' }).call('post');
    expect(refused.replies[0]?.error?.message).toBe('no');
  });

  it('is known for an hour, and for a bounded number of calls', () => {
    const gateway = Gateway.up().call('post').done('caller!1.0#1', 'posted');
    gateway.now += 3_600_001;
    gateway.call('read', { caller: 'other' }).done('other!1.0#1', 1);
    expect(gateway.gateway.book.settled.map((s) => s.key)).toEqual(['other!1.0']);
    for (let i = 0; i < SETTLED_MAX + 5; i++) gateway.call('read', { caller: `c${i}` }).done(`c${i}!1.0#1`, i);
    expect(gateway.gateway.book.settled).toHaveLength(SETTLED_MAX);
  });

  it('large answers are kept up to four MiB together, the latest first', () => {
    const gateway = Gateway.up();
    for (let i = 0; i < 6; i++) gateway.call('read', { caller: `c${i}` }).done(`c${i}!1.0#1`, 'x'.repeat(1_300_000));
    expect(gateway.gateway.book.settled.map((s) => s.key)).toEqual(['c3!1.0', 'c4!1.0', 'c5!1.0']);
  });
});

describe('a deadline', () => {
  it('stops a call that may be repeated, and says whether it may have taken effect', () => {
    const read = Gateway.up().call('read');
    read.fire('deadline caller!1.0');
    expect(read.stopped).toEqual(['caller!1.0#1']);
    expect(read.replies[0]?.error).toMatchObject({ code: 'TOOL_TIMEOUT', data: { inDoubt: false } });
    const gateway = Gateway.up({ tools: { post: { inDoubt: 'fail' } } })
      .call('post')
      .fire('deadline caller!1.0');
    expect(gateway.replies[0]?.error).toMatchObject({ code: 'TOOL_TIMEOUT', data: { inDoubt: true } });
  });

  it('leaves a call in doubt where a person sees it; its slot is free, its later end is kept for its key', () => {
    const gateway = Gateway.up({ concurrency: 1 }).call('post').fire('deadline caller!1.0');
    expect(gateway.stopped).toEqual([]);
    expect(gateway.replies[0]?.error).toMatchObject({ code: 'TOOL_TIMEOUT', data: { inDoubt: true } });
    expect(gateway.call('post', { caller: 'next' }).started).toHaveLength(1);
    expect(gateway.done('caller!1.0#1', 'posted after all').replies).toEqual([]);
    expect(gateway.call('post').replies).toEqual([{ to: 'caller!1.0', output: 'posted after all' }]);
  });
});

describe('a call whose caller gave up', () => {
  const cancel = { type: 'reprise.cancel', key: 'caller!1.0' };

  it('never begins when it has not begun', () => {
    const gateway = new Gateway().call('post').event(cancel).connect();
    expect(gateway.started).toEqual([]);
    expect(gateway.gateway.book.calls).toEqual({});
  });

  it('never begins again when it pauses', () => {
    const gateway = Gateway.up().call('read').failed('caller!1.0#1', lost(true));
    const again = gateway.timers[0]?.event;
    expect(gateway.event(cancel).replies).toEqual([]);
    expect(gateway.event(again ?? { type: 'none' }).started).toEqual([]);
  });

  it('is aborted when it runs and may be repeated', () => {
    const gateway = Gateway.up().call('read').event(cancel);
    expect(gateway.stopped).toEqual(['caller!1.0#1']);
    expect(gateway.gateway.book.running).toBe(0);
  });

  it('runs on when nobody would know whether it took effect', () => {
    const gateway = Gateway.up({ concurrency: 1 }).call('post').event(cancel);
    expect(gateway.stopped).toEqual([]);
    expect(gateway.call('post', { caller: 'next' }).started).toHaveLength(1);
    expect(gateway.done('caller!1.0#1', 1).replies).toEqual([]);
  });

  it('that is unknown is no matter', () => {
    expect(Gateway.up().event({ type: 'reprise.cancel', key: 'nobody!1.0' }).effects).toEqual([]);
  });
});

describe('the list of tools', () => {
  const ask = { type: 'reprise.tools', key: 'c!1.0', deadlineMs: 1_000, replyTo: { id: 'c!1.0' } };

  it('is given at once when it is known, later when it is not', () => {
    expect(Gateway.up().event(ask).replies).toEqual([{ to: 'c!1.0', output: TOOLS }]);
    const gateway = new Gateway().event(ask);
    expect(gateway.replies).toEqual([]);
    expect(gateway.connect().replies).toEqual([{ to: 'c!1.0', output: TOOLS }]);
  });

  it('that does not come is an error with its reason', () => {
    const gateway = new Gateway().down('no such file').event(ask).fire('list c!1.0');
    expect(gateway.replies[0]?.error).toMatchObject({ code: 'MCP_FAILED', message: expect.stringContaining('no such file') });
  });

  it('is waited for by so many, and by each once', () => {
    const gateway = new Gateway();
    const by = (n: number) => ({ ...ask, key: `c${n}!1.0`, replyTo: { id: `c${n}!1.0` } });
    for (let n = 0; n < ASKING_MAX; n++) gateway.event(by(n)).event(by(0));
    expect(gateway.event(by(ASKING_MAX)).replies).toMatchObject([{ to: `c${ASKING_MAX}!1.0`, error: { code: 'BUSY' } }]);
    expect(gateway.connect().replies).toHaveLength(ASKING_MAX);
  });

  it('changes when the server says so', () => {
    const gateway = Gateway.up().event({ type: 'reprise.mcp.tools', tools: [{ name: 'new', inputSchema: {} }] });
    expect(gateway.call('read').replies[0]?.error?.code).toBe('TOOL_FAILED');
    expect(gateway.call('new', { caller: 'b' }).started).toHaveLength(1);
  });
});

it('a lost connection holds new calls back until it is there again; a restarted gateway knows the tools of its log', () => {
  const gateway = Gateway.up().down().call('read');
  expect(gateway.started).toEqual([]);
  gateway.event({ type: 'reprise.mcp.opening', terms: TERMS });
  expect(gateway.gateway).toMatchObject({ status: 'starting', losses: 1 });
  expect(gateway.event({ type: 'reprise.mcp.connected', identity: IDENTITY }).started).toHaveLength(1);
});

it('its connection is opened again should it end', () => {
  const gateway = Gateway.up().event({ type: 'xstate.error.actor.connection', error: {}, actorId: 'connection' }).fire('reopen');
  expect(gateway.effects).toContainEqual(expect.objectContaining({ kind: 'spawn', child: 'connection' }));
});

it('the same log folds to the same state', () => {
  const first = Gateway.up({ concurrency: 1 });
  first.call('read').call('post', { caller: 'b' }).failed('caller!1.0#1', lost(true)).fire('again caller!1.0');
  first.done('b!1.0#1', { posted: true }).down().connect();
  const second = new GatewayDrive(toolGateway({ server: 'desk', leaves: { connection: NO_LEAF, call: NO_LEAF } }), 'tools/desk');
  for (const { event, ts } of first.log) {
    second.now = ts;
    second.event(event);
  }
  expect(second.digest).toBe(first.digest);
});
