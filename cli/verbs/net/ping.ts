/** `reprise net ping` */
import { setTimeout as sleep } from 'node:timers/promises';
import { errorData, isMeshError } from '../../../core/errors.ts';
import type { Pong } from '../../../transport/overlay/overlay.ts';
import { type Call, wholeNumber } from '../../command.ts';
import { EXIT } from '../../exit.ts';
import { nodeOf } from '../../net/reach.ts';
import { rttText } from '../../net/render.ts';

const COUNT = 4;
const BETWEEN_MS = 1_000;

/** An answer as the running node gives it: `via` in words. */
type Answer = Omit<Pong, 'path'> & { readonly via: string };

export async function run(call: Call): Promise<number> {
  const { io } = call;
  const peer = call.arg(0);
  const typed = call.text('count');
  const count = typed === undefined ? COUNT : wholeNumber(typed, '-c', 1);
  const node = await nodeOf(call);
  const answers: Answer[] = [];
  const pings: (Answer | { readonly error: string })[] = [];
  for (let n = 1; n <= count; n++) {
    if (n > 1) await sleep(BETWEEN_MS);
    try {
      const answer = await node.call<Answer>('ping', { peer });
      answers.push(answer);
      pings.push(answer);
      if (!call.isJson)
        io.out(`${peer}: ${rttText(answer.rttMs)}, ${answer.kind === 'relayed' ? 'relayed by' : answer.kind} ${answer.via}`);
    } catch (error) {
      // What is wrong with the first is wrong with all; later ones may be lost.
      if (n === 1 || !isMeshError(error, 'NET_PEER_UNREACHABLE')) throw error;
      pings.push({ error: error.code });
      if (!call.isJson) io.out(`${peer}: no answer (${errorData(error).message})`);
    }
  }
  const times = answers.map(({ rttMs }) => rttMs);
  const [least, most] = [Math.min(...times), Math.max(...times)];
  const mean = times.reduce((sum, ms) => sum + ms, 0) / times.length;
  if (call.isJson) io.json({ peer, sent: count, answered: answers.length, leastMs: least, meanMs: mean, mostMs: most, pings });
  else if (count > 1)
    io.note(`${answers.length} of ${count} answered: least ${rttText(least)}, mean ${rttText(mean)}, most ${rttText(most)}`);
  return answers.length === count ? EXIT.ok : EXIT.failure;
}
