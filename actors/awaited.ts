/** A value that comes and goes, such as a connection: who needs it waits until it is there. */
export class Awaited<T> {
  private value: T | undefined;
  private waiters: ((value: T) => void)[] = [];

  get(): T | undefined {
    return this.value;
  }

  set(value: T): void {
    this.value = value;
    for (const waiter of this.waiters.splice(0)) waiter(value);
  }

  clear(): void {
    this.value = undefined;
  }

  /** Rejects with the signal's reason when it aborts first. */
  async when(signal: AbortSignal): Promise<T> {
    signal.throwIfAborted();
    if (this.value !== undefined) return this.value;
    return new Promise((resolve, reject) => {
      const settle = (value: T): void => {
        signal.removeEventListener('abort', abort);
        resolve(value);
      };
      const abort = (): void => {
        this.waiters = this.waiters.filter((w) => w !== settle);
        reject(signal.reason as Error);
      };
      signal.addEventListener('abort', abort, { once: true });
      this.waiters.push(settle);
    });
  }
}
