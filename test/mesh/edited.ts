/** One agent before and after an edit: an order that is checked, waits for its payment and is packed. */
import { assign, fromPromise, setup } from 'xstate';

export type OrderEvent = { type: 'paid'; sum: number } | { type: 'cancel' } | { type: 'packed' };

interface Options {
  /** Sum from which it counts as paid. */
  readonly price?: number;
  /** ms of the wait for the payment. */
  readonly patience?: number;
  /** Name of the state in which it is packed. */
  readonly packing?: string;
  /** Name of the state in which it waits for its payment. */
  readonly unpaid?: string;
  /** Id and source of what packs. */
  readonly invoke?: { readonly id: string; readonly src: string };
  /** A state more, which the log has never been in. */
  readonly returned?: boolean;
  /** It does not wait for its payment for ever. */
  readonly impatient?: boolean;
}

/** Packing never ends by itself: the test sends `packed`. */
const pack = fromPromise(() => new Promise<void>(() => undefined));

export function order(options: Options = {}) {
  const {
    price = 10,
    patience = 3_600_000,
    packing = 'packing',
    unpaid = 'unpaid',
    invoke = { id: 'pack', src: 'pack' },
    returned = false,
    impatient = false,
  } = options;
  return setup({
    types: { context: {} as { paid: number }, events: {} as OrderEvent },
    actors: { [invoke.src]: pack },
    delays: { patience },
    guards: { isEnough: ({ context }) => context.paid >= price },
    actions: { count: assign({ paid: ({ context, event }) => context.paid + (event.type === 'paid' ? event.sum : 0) }) },
  }).createMachine({
    id: 'order',
    version: JSON.stringify(options),
    context: { paid: 0 },
    initial: unpaid,
    states: {
      [unpaid]: {
        on: { paid: { actions: 'count', target: 'checking' }, cancel: 'canceled' },
        ...(impatient && { after: { patience: 'canceled' } }),
      },
      checking: { always: [{ guard: 'isEnough', target: packing }, { target: unpaid }] },
      [packing]: { invoke: { ...invoke, input: {} }, on: { packed: 'sent' } },
      sent: { ...(returned && { on: { cancel: 'returned' } }) },
      canceled: { type: 'final' },
      ...(returned && { returned: { type: 'final' as const } }),
    },
  } as never);
}
