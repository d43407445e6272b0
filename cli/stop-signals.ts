/** SIGTERM and SIGINT: the first asks for a clean stop, a later one ends the process. */
import { EXIT } from './exit.ts';

/** ms. `npm run` passes on a signal that the terminal has sent to both already: such an echo is no second thought. */
const ECHO_MS = 500;

export class StopSignals {
  /** Resolves at the first. */
  readonly asked: Promise<void>;
  private readonly ask: () => void;
  private readonly onSignal = (): void => this.received();
  private first: number | undefined;

  constructor() {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.asked = promise;
    this.ask = resolve;
    process.on('SIGINT', this.onSignal);
    process.on('SIGTERM', this.onSignal);
  }

  private received(): void {
    const now = performance.now();
    if (this.first === undefined) {
      this.first = now;
      this.ask();
    } else if (now - this.first > ECHO_MS) process.exit(EXIT.interrupted);
  }
}
