/** What `up` draws on a terminal. */
import { expect, test } from 'vitest';
import { Invocation } from '../../cli/invocation.ts';
import { liveReport } from '../../cli/live-report.ts';
import { planOf } from '../../core/config/plan.ts';
import type { LogRecord } from '../../core/record.ts';
import { screenOf } from './screen.ts';

const plan = planOf({
  mesh: 'desk',
  actors: { intake: { module: './a.ts' }, desk: { kind: 'supervisor', children: { case: { kind: 'keyed', module: './b.ts' } } } },
});
const READY = { mesh: 'desk', pid: 1234, actors: 2, kinds: 1, store: 'desk.db', survives: 'survives kill -9' };

function terminal(rows = 24, columns = 80, quiet = false, reprise = new Invocation({})) {
  const { io, screen } = screenOf(rows, columns);
  return { report: liveReport(io, reprise, plan, quiet), screen };
}
const event = (seq: number, type: string): LogRecord => ({
  v: 1,
  seq,
  epoch: 1,
  kind: 'event',
  event: { type },
  meta: { ts: 1, seed: 0 },
  digest: '',
  effectsDigest: '',
});

test('a line for each declared actor, drawn in its place', () => {
  const { report, screen } = terminal();
  report.event({ type: 'actor.started', actor: 'intake' });
  report.ready(READY);
  report.records('intake', [event(1, 'mail.read'), event(2, 'mail.sent')]);
  report.event({ type: 'actor.started', actor: 'desk/case/7' });
  report.records('desk/case/7', [event(3, 'opened')]);
  report.end();
  expect(screen()).toEqual([
    'desk is up: 1 actor, 1 kind of actor. desk.db survives kill -9.',
    'pid 1234. Ctrl-C stops it; `reprise ps`, `send`, `replay` work beside it.',
    '  intake     seq 2         mail.sent',
    '  desk/case  1 event       1 begun, 0 ended since start',
  ]);
});

test('of a kind of actor, only the events that they took are counted', () => {
  const { report, screen } = terminal();
  report.ready(READY);
  const ready: LogRecord = { v: 1, seq: 3, epoch: 1, kind: 'ready', meta: { ts: 1, seed: 0 } };
  report.records('desk/case/7', [ready, event(4, 'opened')]);
  report.records('desk/case/8', [event(1, 'opened'), { ...ready, seq: 2 }, event(3, 'closed')]);
  report.end();
  expect(screen().at(-1)).toBe('  desk/case  3 events      0 begun, 0 ended since start');
});

test('what needs a person stays above; what is over goes', () => {
  const { report, screen } = terminal();
  report.ready(READY);
  report.event({ type: 'actor.failed', actor: 'intake', error: 'whom?' });
  report.event({ type: 'actor.parked', actor: 'desk/case/7', reason: 'poison' });
  report.note('new code of intake');
  report.end();
  expect(screen().slice(2)).toEqual([
    expect.stringMatching(/desk\/case\/7 parked reason=poison$/),
    'new code of intake',
    expect.stringMatching(/^ {2}intake .* failed: whom\?$/),
    expect.stringMatching(/^ {2}desk\/case .* 1 parked, 0 begun, 0 ended since start$/),
  ]);
});

test('what was parked and goes on is parked no more', () => {
  const { report, screen } = terminal();
  report.ready(READY);
  const failed = { code: 'REPLAY_DIVERGED', reason: 'intake does not fit' };
  report.event({ type: 'actor.parked', actor: 'intake', ...failed });
  report.end();
  expect(screen().slice(2)[0]).toMatch(/^ {2}intake +parked$/);
  const again = terminal();
  again.report.ready(READY);
  again.report.event({ type: 'actor.parked', actor: 'intake', ...failed });
  again.report.event({ type: 'actor.recovered', actor: 'intake', head: 3 });
  again.report.end();
  expect(again.screen().join('\n')).not.toContain('parked');
});

test('commands in what is said can be typed as they stand', () => {
  const { report, screen } = terminal(24, 200, false, new Invocation({ npm_command: 'exec' }, 'b.yaml'));
  report.ready(READY);
  report.note('see `reprise logs`');
  report.event({ type: 'actor.parked', actor: 'intake', reason: 'choose `reprise reset intake`' });
  report.end();
  expect(screen().join('\n')).toMatch(
    /`npx reprise ps -f b\.yaml`[^]*`npx reprise logs --file b\.yaml`[^]*`npx reprise reset intake -f b\.yaml`/,
  );
});

test('a flood of one sort is counted, not told', () => {
  const { report, screen } = terminal();
  report.ready(READY);
  for (let i = 0; i < 1_000; i++) report.event({ type: 'actor.parked', actor: `desk/case/${i}`, reason: 'x' });
  report.event({ type: 'actor.parked', actor: 'intake', reason: 'y' });
  report.end();
  const lines = screen();
  expect(lines.filter((line) => line.includes('reason=x'))).toHaveLength(20);
  expect(lines.filter((line) => line.includes('reason=y'))).toHaveLength(1);
  expect(lines.at(-1)).toContain('1000 parked');
});

test('fits its terminal', () => {
  const small = terminal(5, 40);
  small.report.ready(READY);
  small.report.event({ type: 'actor.failed', actor: 'intake', error: 'x'.repeat(200) });
  small.report.end();
  expect(small.screen().at(-1)).toBe('… and 2 more');
  const narrow = terminal(24, 40);
  narrow.report.ready(READY);
  narrow.report.event({ type: 'actor.failed', actor: 'intake', error: 'x'.repeat(200) });
  narrow.report.end();
  for (const line of narrow.screen().slice(2)) expect(line.length).toBeLessThanOrEqual(40);
});
