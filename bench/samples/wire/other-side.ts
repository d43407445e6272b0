/** The process at the other side, seen from the sample: it is started, asked what it has done, and gone with the sample. */
import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import type { Tally } from './tally.ts';
import type { SideInput } from './sides.ts';

type Said = { readonly ready: unknown } | { readonly tally: Tally } | { readonly failed: string };

export class OtherSide {
  private readonly child: ChildProcess;
  private readonly said: Said[] = [];
  private wake: () => void = () => undefined;

  private constructor(child: ChildProcess) {
    this.child = child;
    child.on('message', (said: Said) => {
      this.said.push(said);
      this.wake();
    });
    child.on('exit', (code, signal) => {
      this.said.push({ failed: `the other side ended with ${code ?? signal}` });
      this.wake();
    });
  }

  /** What it says first is where it is found. */
  static async start(input: SideInput, folder: string): Promise<{ readonly side: OtherSide; readonly place: unknown }> {
    // From bench/samples/wire/, or from bench/dist/samples/wire/.
    const extension = import.meta.filename.slice(import.meta.filename.lastIndexOf('.'));
    const child = fork(join(import.meta.dirname, '..', '..', `side${extension}`), [JSON.stringify(input)], {
      env: { ...process.env, BENCH_FOLDER: folder },
      serialization: 'json',
    });
    const side = new OtherSide(child);
    const said = await side.next();
    if (!('ready' in said)) throw new Error('the other side did not say where it is');
    return { side, place: said.ready };
  }

  /** What it has done so far. */
  async tally(): Promise<Tally> {
    this.child.send('tally');
    const said = await this.next();
    if (!('tally' in said)) throw new Error('the other side did not say what it has done');
    return said.tally;
  }

  private async next(): Promise<Said> {
    while (this.said.length === 0)
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    const said = this.said.shift() as Said;
    if ('failed' in said) throw new Error(said.failed);
    return said;
  }
}
