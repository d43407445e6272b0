/** `reprise export` */
import { createWriteStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Address } from '../../core/address.ts';
import { MeshError } from '../../core/errors.ts';
import type { Inspection } from '../../core/operator/inspection.ts';
import type { Call } from '../command.ts';
import { exportLines } from '../log-file.ts';
import { Reach } from '../reach.ts';
import { signed, signingKey } from '../signature.ts';

export async function run(call: Call): Promise<void> {
  await using reach = new Reach(call);
  const inspect = await reach.inspect();
  const named = await Promise.all(call.args.map((actor) => reach.actor(actor, inspect)));
  const actors = await wanted(inspect, named);
  const out = call.text('out');
  const key = call.text('sign');
  const logs = exportLines(inspect, reach.plan.mesh, actors);
  const lines = Readable.from(withNewlines(key === undefined ? logs : signed(logs, signingKey(key))));
  if (out === undefined) return await pipeline(lines, call.io.stdout, { end: false });
  try {
    await pipeline(lines, createWriteStream(out, { flags: 'wx', mode: 0o600 }));
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause;
    throw new MeshError('USAGE', `${out} is there already: an export overwrites nothing`, { cause });
  }
  call.io.note(`${actors.length} logs in ${out}`);
}

/** Every actor; or these and the children that their charts spawned. */
async function wanted(inspect: Inspection, named: readonly Address[]): Promise<Address[]> {
  const actors: Address[] = [];
  for await (const { actor } of inspect.streams())
    if (named.length === 0 || named.some((of) => actor === of || (actor.startsWith(`${of}/`) && actor.includes('@', of.length))))
      actors.push(actor);
  for (const of of named) await inspect.known(of);
  return actors.toSorted();
}

async function* withNewlines(lines: AsyncIterable<string>): AsyncGenerator<string> {
  for await (const line of lines) yield `${line}\n`;
}
