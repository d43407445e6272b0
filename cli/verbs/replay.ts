/** `reprise replay`, by hand with `--step` */
import { emitKeypressEvents, type Key } from 'node:readline';
import type { Address } from '../../core/address.ts';
import type { Inspection } from '../../core/operator/inspection.ts';
import type { Frame } from '../../core/replay.ts';
import type { Call } from '../command.ts';
import { EXIT } from '../exit.ts';
import type { Io } from '../io.ts';
import { Reach } from '../reach.ts';
import { frameData, frameLines } from '../render/record.ts';
import { jsonList } from '../render/text.ts';
import { Stepper } from '../stepper.ts';

export async function run(call: Call): Promise<number | void> {
  const wanted = range(call);
  await using reach = new Reach(call);
  const inspect = await reach.inspect(call.arg(0));
  const actor = await reach.actor(call.arg(0), inspect);
  const { io } = call;
  if (call.flag('step') && !call.isJson) {
    if (io.isTerminal && io.stdin.isTTY) return await byHand(call, inspect, actor);
    io.note('this is no terminal: all records follow, without stops');
  }
  const frames = inspect.frames(actor, wanted);
  if (call.isJson) return await jsonList(io, { actor }, 'frames', mapped(frames));
  for await (const frame of frames) for (const line of frameLines(frame, io)) io.out(line);
}

function range(call: Call): { readonly from?: number; readonly to?: number } {
  const from = call.number('from', 1);
  const to = call.number('to', 1);
  return { ...(from !== undefined && { from }), ...(to !== undefined && { to }) };
}

async function* mapped(frames: AsyncIterable<Frame>) {
  for await (const frame of frames) yield frameData(frame);
}

async function byHand(call: Call, inspect: Inspection, actor: Address): Promise<number> {
  const { io } = call;
  const { from = 1, to } = range(call);
  const { head } = await inspect.store.head(inspect.stream(actor));
  const last = Math.min(to ?? head, head);
  const stepper = new Stepper({ io, last, frames: () => inspect.frames(actor, { to: last }) });
  const print = (lines: readonly string[]): void => {
    io.stdout.write(`\r\u001b[K${lines.map((line) => `${line}\n`).join('')}${stepper.prompt}`);
  };
  for await (const name of keys(io, ['g', ...Array.from(String(from)), 'return'])) {
    if (name === 'interrupt') {
      print([]);
      io.out('');
      return EXIT.interrupted;
    }
    const { lines, done } = await stepper.key(name);
    if (done === true) break;
    print(lines);
  }
  io.out('');
  return EXIT.ok;
}

/** Keys as they are pressed, behind those given; ends with the input. */
async function* keys(io: Io, given: readonly string[]): AsyncGenerator<string> {
  yield* given;
  const { stdin } = io;
  const pressed: string[] = [];
  let wake = (): void => undefined;
  let ended = false;
  emitKeypressEvents(stdin);
  stdin.setRawMode(true);
  stdin.on('keypress', (text: string | undefined, key: Key) => {
    pressed.push(key.ctrl === true && key.name === 'c' ? 'interrupt' : (key.name ?? text ?? ''));
    wake();
  });
  stdin.on('end', () => {
    ended = true;
    wake();
  });
  stdin.resume();
  try {
    for (;;) {
      const next = pressed.shift();
      if (next !== undefined) yield next;
      else if (ended) return;
      else await new Promise<void>((resolve) => (wake = resolve));
    }
  } finally {
    stdin.setRawMode(false);
    stdin.pause();
  }
}
