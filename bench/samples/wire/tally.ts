/** What one side has done up to a moment. Two of them are apart by what was measured. */
export interface Tally {
  readonly messages: number;
  readonly bytes: number;
  /** User and system time of the process, us. */
  readonly cpuUs: number;
  readonly rssMb: number;
  /** When it was asked, ms of its own clock. */
  readonly at: number;
}

export function tallyOf(messages: number, bytes: number): Tally {
  const { user, system } = process.cpuUsage();
  return { messages, bytes, cpuUs: user + system, rssMb: process.memoryUsage().rss / 1e6, at: performance.now() };
}

export interface Difference {
  readonly messages: number;
  readonly bytes: number;
  readonly cpuUs: number;
  readonly ms: number;
}

export const between = (from: Tally, to: Tally): Difference => ({
  messages: to.messages - from.messages,
  bytes: to.bytes - from.bytes,
  cpuUs: to.cpuUs - from.cpuUs,
  ms: to.at - from.at,
});
