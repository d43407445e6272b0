/** Tells a person who runs a node that no relay answers, once each time: what is said of it else are states, and those go on for ever. */
import { isName, type RelayRow } from './status.ts';

/** ms of silence: several attempts, and a reconnect of a relay that was started again. */
const SILENCE_MS = 15_000;

export class RelaySilence {
  private since: number | undefined;
  private isTold = false;

  /** `now` in ms, of a clock that does not go back. Undefined: there is nothing to say, or it was said. */
  look(now: number, relays: readonly RelayRow[]): string | undefined {
    if (relays.length === 0 || relays.some(({ state, kind }) => state === 'registered' && kind !== undefined)) {
      this.since = undefined;
      this.isTold = false;
      return undefined;
    }
    this.since ??= now;
    if (this.isTold || now < this.since + SILENCE_MS) return undefined;
    this.isTold = true;
    const names = relays.map((relay) => {
      const name = isName(relay.name) ? relay.name : (relay.endpoints[0] ?? relay.name);
      return relay.parted === undefined ? name : `${name} (${relay.parted})`;
    });
    return `no relay serves this node: ${names.join(', ')}. \`reprise net doctor\` says what may be in the way; it is tried again meanwhile`;
  }
}
