/** `reprise replay`, by hand with `--step` */
import type { Address } from '../../core/address.ts';
import type { Inspection } from '../../core/operator/inspection.ts';
import type { Call } from '../command.ts';
import { EXIT } from '../exit.ts';
import { Keyboard } from '../keyboard.ts';
import { type LivedFrame, PresentLife } from '../present-life.ts';
import { Reach } from '../reach.ts';
import { frameData, frameLines } from '../render/frame.ts';
import { jsonList } from '../render/text.ts';
import { Stepper } from '../stepper.ts';

export async function run(call: Call): Promise<number> {
  const { from, to } = range(call);
  await using reach = new Reach(call);
  const inspect = await reach.inspect(call.arg(0));
  const actor = await reach.actor(call.arg(0), inspect);
  const life = await PresentLife.of(inspect, actor);
  await reach.tellRecords(call);
  const { io } = call;
  if (call.flag('step') && !call.isJson) {
    if (io.isTerminal && io.stdin.isTTY) return await byHand(call, inspect, actor, life);
    io.note('this is no terminal: all records follow, without stops');
  }
  const frames = shown(life.lived(inspect.frames(actor, to === undefined ? {} : { to })), from, life);
  if (call.isJson) await jsonList(io, { actor }, 'frames', mapped(frames, life));
  else
    for await (const frame of frames) {
      for (const line of frameLines(frame, io, life)) io.out(line);
      await io.caughtUp();
    }
  return exitCode(life);
}

const exitCode = ({ parting }: PresentLife): number => (parting === undefined ? EXIT.ok : EXIT.diverged);

function range(call: Call): { readonly from: number; readonly to: number | undefined } {
  return { from: call.number('from', 1) ?? 1, to: call.number('to', 1) };
}

/** Those that were asked for. What diverges below them counts as well: it is what they follow from. */
async function* shown(frames: AsyncIterable<LivedFrame>, from: number, life: PresentLife): AsyncGenerator<LivedFrame> {
  for await (const frame of frames) {
    life.see(frame);
    if (frame.seq >= from) yield frame;
  }
}

async function* mapped(frames: AsyncIterable<LivedFrame>, life: PresentLife) {
  for await (const frame of frames) yield frameData(frame, life);
}

async function byHand(call: Call, inspect: Inspection, actor: Address, life: PresentLife): Promise<number> {
  const { io } = call;
  const { from, to } = range(call);
  const { head } = await inspect.store.head(inspect.stream(actor));
  const last = Math.min(to ?? head, head);
  const stepper = new Stepper({ io, last, life, frames: () => life.lived(inspect.frames(actor, { to: last })) });
  const print = (lines: readonly string[]): void => {
    io.stdout.write(`\r\u001b[K${lines.map((line) => `${line}\n`).join('')}${stepper.prompt}`);
  };
  using keyboard = new Keyboard(io.stdin);
  const walk = async (): Promise<number> => {
    print((await stepper.goTo(from)).lines);
    for await (const name of keyboard.keys()) {
      const { lines, done } = await stepper.key(name);
      if (done === true) break;
      print(lines);
    }
    return exitCode(life);
  };
  // Not only between two keys: the way to a record may be long.
  const code = await Promise.race([walk(), keyboard.interrupted.then(() => EXIT.interrupted)]);
  io.out('');
  return code;
}
