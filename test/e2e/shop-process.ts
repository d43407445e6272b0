/**
 * A node in a process of its own, for tests that kill it: a shop whose orders call a tool, ask a pool, wait for timers and tell a book.
 * Arguments: folder, number of orders. Sends the orders itself, each under its own id, so many at once: then a fast machine is done no
 * sooner than the timers of the orders let it. Says `ready`, and `done` when all are through.
 *
 * `calls.log` in the folder is what the world outside has seen: `begin KEY`, `end KEY`, and `AGAIN KEY` for a call whose result was in
 * the log before this process began: that must never happen.
 */
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type AnyActorRef, assign, fromPromise, type PromiseActorLogic, sendTo, setup } from 'xstate';
import { ask } from '../../actors/ask.ts';
import { startMesh } from '../../cli/start-mesh.ts';
import type { Leaf } from '../../core/logic.ts';
import { sqlite } from '../../persistence/sqlite.ts';

const [folder = '', count = '0'] = process.argv.slice(2);
const ORDERS = Number(count);
const AT_ONCE = 4;
const calls = join(folder, 'calls.log');
const path = join(folder, 'shop.db');
const completed = existsSync(path) ? await completedCalls() : new Set<string>();

/** Effects whose result is in the log. */
async function completedCalls(): Promise<Set<string>> {
  const store = await sqlite({ path, readOnly: true });
  const found = new Set<string>();
  for (const shard of await store.shards())
    for await (const { actor } of store.streams(shard))
      for await (const { meta } of store.read({ shard, actor }, 1)) if (meta.via !== undefined) found.add(meta.via);
  await store.close();
  return found;
}

const tool: Leaf = {
  inDoubt: () => 'retry',
  start(job, deliver) {
    appendFileSync(calls, `${completed.has(job.id) ? 'AGAIN' : 'begin'} ${job.id}\n`);
    const timer = setTimeout(() => {
      appendFileSync(calls, `end ${job.id}\n`);
      deliver({ type: `xstate.done.actor.${job.child}`, output: `did ${JSON.stringify(job.input)}`, actorId: job.child });
    }, 5);
    return { stop: () => clearTimeout(timer), send: () => undefined };
  },
};
const pay: PromiseActorLogic<string, unknown> = Object.assign(
  fromPromise<string, unknown>(() => Promise.reject(new Error('runs as a leaf'))),
  { [Symbol.for('reprise.source')]: { kind: 'leaf', leaf: tool } },
);

const prices = setup({
  types: { context: {} as { asked: number }, events: {} as { type: 'price'; of: string; replyTo: AnyActorRef } },
}).createMachine({
  id: 'prices',
  version: '1',
  context: { asked: 0 },
  on: {
    price: {
      actions: [
        assign({ asked: ({ context }) => context.asked + 1 }),
        sendTo(
          ({ event }) => event.replyTo,
          ({ event }) => ({ type: 'priced', cents: event.of.length * 100 }),
        ),
      ],
    },
  },
});

const book = setup({
  types: { context: {} as { lines: string[] }, events: {} as { type: 'line'; text: string } },
}).createMachine({
  id: 'book',
  version: '1',
  context: { lines: [] },
  on: { line: { actions: assign({ lines: ({ context, event }) => [...context.lines, event.text] }) } },
});

interface Order {
  readonly name: string;
  readonly cents: number;
}
const order = setup({
  types: { context: {} as Order, events: {} as { type: 'order' }, input: {} as { key: string } },
  actors: { price: ask<{ cents: number }>({ to: 'shop/prices', timeoutMs: 60_000 }), pay },
  delays: { pause: 20 },
  actions: {
    tell: sendTo(
      ({ system }) => system.get('shop/book') as AnyActorRef,
      ({ context }, params: { what: string }) => ({ type: 'line', text: `${context.name} ${params.what}` }),
    ),
  },
}).createMachine({
  id: 'order',
  version: '1',
  context: ({ input }) => ({ name: input.key, cents: 0 }),
  initial: 'new',
  states: {
    new: { on: { order: { target: 'pricing', actions: { type: 'tell', params: { what: 'came' } } } } },
    pricing: {
      invoke: {
        id: 'price',
        src: 'price',
        input: ({ context }) => ({ event: { type: 'price', of: context.name } }),
        onDone: { target: 'waiting', actions: assign({ cents: ({ event }) => event.output.cents }) },
      },
    },
    waiting: { after: { pause: 'paying' } },
    paying: {
      invoke: { id: 'pay', src: 'pay', input: ({ context }: { context: Order }) => ({ pay: context.cents }), onDone: 'paid' },
    },
    paid: { type: 'final', entry: { type: 'tell', params: { what: 'paid' } } },
  },
});

const mesh = await startMesh(
  {
    mesh: 'shop',
    store: `sqlite:${path}`,
    actors: {
      shop: {
        kind: 'supervisor',
        children: {
          book: {},
          prices: { kind: 'pool', size: 2 },
          order: { kind: 'keyed' },
        },
      },
    },
  },
  { book, prices, order },
  { folder },
);
process.stdout.write('ready\n');

const sentFile = join(folder, 'sent');
let sent = existsSync(sentFile) ? Number(readFileSync(sentFile, 'utf8')) : 0;
for (let paid = 0; paid < ORDERS; await new Promise((resolve) => setTimeout(resolve, 5))) {
  const { context } = await mesh.ref('shop/book').state();
  paid = (context as { lines: string[] }).lines.filter((line) => line.endsWith('paid')).length;
  for (; sent < Math.min(ORDERS, paid + AT_ONCE); writeFileSync(sentFile, String(++sent)))
    await mesh.send(`shop/order/o${sent}`, { type: 'order' }, { id: `order-${sent}` });
}
await mesh.stop();
process.stdout.write('done\n');
