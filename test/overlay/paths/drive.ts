/** One `Paths`, driven by hand. */
import { expect } from 'vitest';
import { Paths, type PathOutput } from '../../../transport/overlay/paths/paths.ts';
import { noDrops } from '../../../transport/overlay/drops.ts';
import { seededRandom } from '../identities.ts';

export const OTHER = 'udp:0/192.0.2.9:9';

export type Send = Extract<PathOutput, { type: 'send' }>;

export function newPaths(maxDatagram = 1_200): { paths: Paths; drops: ReturnType<typeof noDrops> } {
  const drops = noDrops();
  return { paths: new Paths({ random: seededRandom(1), maxDatagram, drops }), drops };
}

export const isSend = (output: PathOutput): output is Send => output.type === 'send';
export const sends = (paths: Paths): Send[] => paths.take().filter(isSend);
export const challenges = (paths: Paths, path?: string): Send[] =>
  sends(paths).filter((send) => send.frame.type === 'path_challenge' && (path === undefined || send.path === path));
export const stateOf = (paths: Paths, path: string): string | undefined => paths.view().find((view) => view.path === path)?.state;

/** Ticks whenever one is due until `end`; what went out, with when. */
export function runTo(paths: Paths, end: number): { at: number; output: PathOutput }[] {
  const all: { at: number; output: PathOutput }[] = [];
  for (let at = paths.nextAt(); at <= end; at = paths.nextAt()) {
    paths.tick(at);
    for (const output of paths.take()) all.push({ at, output });
    expect(paths.nextAt()).toBeGreaterThan(at);
  }
  return all;
}

/** The peer's answer to a challenge, by the same path. */
export function answer(paths: Paths, now: number, { path, frame }: Send): void {
  paths.received(now, path, 41, false);
  paths.response(now, path, frame.data);
}

/** `path` is active and valid, with this round-trip time. */
export function begun(path: string, rttMs = 30, maxDatagram = 1_200): ReturnType<typeof newPaths> {
  const made = newPaths(maxDatagram);
  made.paths.begin(0, path, true);
  for (const send of challenges(made.paths)) answer(made.paths, rttMs, send);
  return made;
}

/** Another path becomes valid. */
export function proved(paths: Paths, now: number, path: string, rttMs: number): void {
  paths.probe(now, path);
  for (const send of challenges(paths, path)) answer(paths, now + rttMs, send);
  paths.take();
}

/** Answers each challenge after the round-trip time of its path; Infinity: never. */
export function live(
  paths: Paths,
  from: number,
  to: number,
  rtt: (path: string, at: number) => number,
): { at: number; output: PathOutput }[] {
  const others: { at: number; output: PathOutput }[] = [];
  let due: { at: number; send: Send }[] = [];
  for (let now = from; now <= to;) {
    paths.tick(now);
    for (const { send } of due.filter(({ at }) => at <= now)) answer(paths, now, send);
    due = due.filter(({ at }) => at > now);
    for (const output of paths.take())
      if (!isSend(output)) others.push({ at: now, output });
      else if (output.frame.type === 'path_challenge') due.push({ at: now + rtt(output.path, now), send: output });
    now = Math.max(now + 0.001, Math.min(paths.nextAt(), ...due.map(({ at }) => at)));
  }
  return others;
}
