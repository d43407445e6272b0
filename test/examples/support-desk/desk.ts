/** A desk in plain XState for the tests: stand-ins for what is beyond it, and a clock that moves when told. */
import { type AnyActorRef, type AnyStateMachine, createActor, fromCallback, fromPromise, SimulatedClock } from 'xstate';

/** Lets promises settle until nothing more happens. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 50; i++) await Promise.resolve();
  await new Promise((resolve) => setImmediate(resolve));
}

/** In the place of a tool, a model or a specialist. */
export interface StandIn {
  readonly logic: never;
  /** The inputs of all calls so far. */
  readonly calls: readonly unknown[];
}

/** Answers of a stand-in, one a call; the last one stays. An Error rejects, 'never' hangs. */
export function standIn<Output>(...answers: readonly (Output | Error | 'never' | ((input: never) => Output | Error))[]): StandIn {
  const calls: unknown[] = [];
  const logic = fromPromise<Output, never>(async ({ input }) => {
    calls.push(input);
    const answer = answers[Math.min(calls.length, answers.length) - 1]!;
    if (answer === 'never') return new Promise<Output>(() => undefined);
    const output =
      typeof answer === 'function' ? (answer as (input: never) => Output | Error)(input) : (answer as Output | Error);
    if (output instanceof Error) throw output;
    return output;
  });
  return { logic: logic as never, calls };
}

/** Runs a machine in a system in which each of `others` stands at an address and keeps what it receives. */
export function run(machine: AnyStateMachine, input: unknown, others: readonly string[] = []) {
  const clock = new SimulatedClock();
  const received: Record<string, { type: string; [key: string]: unknown }[]> = {};
  const refs: Record<string, AnyActorRef> = {};
  const started: AnyActorRef[] = [];
  createActor(
    fromCallback(({ self }) => {
      for (const address of others) {
        const keep = (received[address] = [] as { type: string }[]);
        refs[address] = createActor(
          fromCallback(({ receive }) => receive((event) => keep.push(event))),
          { parent: self, systemId: address, id: address },
        ).start();
      }
      started.push(createActor(machine, { parent: self, id: 'it', input } as never).start());
    }),
    { clock },
  ).start();
  return { actor: started[0]!, clock, received, refs };
}
