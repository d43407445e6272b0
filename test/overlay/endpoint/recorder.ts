import type { DatagramEvents, EndpointFault, WebSocketEvents } from '../../../transport/overlay/endpoint/events.ts';

/** Keeps what endpoints tell, as texts, and lets tests wait for it. */
export class Recorder implements DatagramEvents, WebSocketEvents {
  /** PATH and what came there, as a text. */
  readonly datagrams: [path: string, text: string][] = [];
  readonly errors: { path: string | undefined; socket: string; fault: EndpointFault; cause: Error }[] = [];
  readonly open: string[] = [];
  changes = 0;
  private waiting: (() => void)[] = [];

  onDatagram(path: string, bytes: Uint8Array): void {
    this.datagrams.push([path, Buffer.from(bytes).toString()]);
    this.wake();
  }

  onError(path: string | undefined, socket: string, fault: EndpointFault, cause: Error): void {
    this.errors.push({ path, socket, fault, cause });
    this.wake();
  }

  onOpen(path: string): void {
    this.open.push(path);
    this.wake();
  }

  onNetworkChanged(): void {
    this.changes += 1;
    this.wake();
  }

  get texts(): readonly string[] {
    return this.datagrams.map(([, text]) => text);
  }

  get faults(): readonly (readonly [path: string | undefined, fault: EndpointFault])[] {
    return this.errors.map(({ path, fault }) => [path, fault]);
  }

  /** Looks after each event; the test times out where it does not come to be. */
  async until(holds: () => boolean): Promise<void> {
    while (!holds()) await new Promise<void>((resolve) => void this.waiting.push(resolve));
  }

  private wake(): void {
    const { waiting } = this;
    this.waiting = [];
    for (const resolve of waiting) resolve();
  }
}

export const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
