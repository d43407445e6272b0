/** The agenda against a plain map of times. */
import { expect, test } from 'vitest';
import { Agenda } from '../../core/agenda.ts';
import { eachSeed } from '../overlay/seeds.ts';
import { randomOf } from '../overlay/session/lab.ts';

test('whoever is due comes once, in the order of time, by the time that it had last', () => {
  for (const seed of eachSeed(20, 2_000)) {
    const random = randomOf(seed);
    const agenda = new Agenda<number>();
    const times = new Map<number, number>();
    for (let now = 0, step = 0; step < 300; step++, now += Math.floor(random() * 4)) {
      for (let i = 0; i < 3; i++) {
        const key = Math.floor(random() * 40);
        const at = random() < 0.2 ? Infinity : now + Math.floor(random() * 50);
        agenda.set(key, at);
        times.set(key, at);
      }
      const gone = Math.floor(random() * 40);
      agenda.delete(gone);
      times.delete(gone);
      const due = agenda.due(now);
      const expected = [...times.values()].filter((at) => at <= now);
      expect(due.map((key) => times.get(key))).toEqual(expected.toSorted((a, b) => a - b));
      expect(new Set(due).size).toBe(due.length);
      for (const key of due) times.delete(key);
      const left = [...times.values()].filter((at) => at < Infinity);
      expect([agenda.size, agenda.nextAt()]).toEqual([left.length, Math.min(Infinity, ...left)]);
    }
  }
});
