import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { ActionEffect } from '../../core/effect.ts';
import { type ActionSend, type Afterwards, currentEffect, runAction } from '../../core/kernel/action-run.ts';
import { drive } from './drive.ts';
import { type Args, chart } from './loose.ts';

/** The only effect of a machine on GO: a custom action. */
function actionOf(run: (args: Args) => unknown, parent?: string): ActionEffect {
  const d = drive(chart({ on: { GO: { actions: run } } }), { ...(parent !== undefined && { parent }) });
  return d.send('GO')[0] as ActionEffect;
}

describe('a custom action', () => {
  test('knows its effect id, also after an await; nothing else does', async () => {
    const seen: unknown[] = [];
    const action = actionOf(() => {
      seen.push(currentEffect());
      void turn().then(() => seen.push(currentEffect()));
    });
    runAction(action, 'a!2.0');
    await turn();
    await turn();
    expect([seen, currentEffect()]).toEqual([['a!2.0', 'a!2.0'], undefined]);
  });

  test('gives back what it sends by hand, in order', () => {
    const action = actionOf(({ self, system }) => {
      self.send({ type: 'A', when: new Date(0) });
      system.get('desk/other').send({ type: 'B' });
      self._parent.send({ type: 'C' });
    }, 'p');
    expect(runAction(action, 'a!2.0')).toEqual<ActionSend[]>([
      { target: { kind: 'self' }, event: { type: 'A', when: '1970-01-01T00:00:00.000Z' } },
      { target: { kind: 'address', address: 'desk/other' }, event: { type: 'B' } },
      { target: { kind: 'parent' }, event: { type: 'C' } },
    ]);
  });

  test('that throws has sent nothing', () => {
    const action = actionOf(({ self }) => {
      self.send({ type: 'A' });
      throw new RangeError('no');
    });
    expect(() => runAction(action, 'a!2.0')).toThrow('no');
  });

  test('sends by hand to addresses alone', () => {
    const action = actionOf(({ system }) => system.get('w/a!1').send({ type: 'A' }));
    expect(() => runAction(action, 'a!2.0')).toThrow("'w/a!1' is no actor address");
  });

  test('that is not implemented does nothing', () => {
    expect(runAction({ kind: 'action', type: 'nobody', params: undefined }, 'a!2.0')).toEqual([]);
  });

  test('may run while another one does', () => {
    const inner = actionOf(({ self }) => self.send({ type: 'INNER' }));
    const outer = actionOf(({ self }) => {
      self.send({ type: 'BEFORE' });
      expect(runAction(inner, 'b!2.0').map((s) => s.event.type)).toEqual(['INNER']);
      self.send({ type: 'AFTER', by: currentEffect() });
    });
    expect(runAction(outer, 'a!2.0').map((s) => s.event)).toEqual([{ type: 'BEFORE' }, { type: 'AFTER', by: 'a!2.0' }]);
  });
});

describe('after an action has returned', () => {
  const after = (): { readonly heard: unknown[]; readonly afterwards: Afterwards } => {
    const heard: unknown[] = [];
    return {
      heard,
      afterwards: {
        sent: ({ target, event }) => heard.push([target, event.type]),
        rejected: (error) => heard.push((error as Error).message),
      },
    };
  };

  test('what it sends is told one by one', async () => {
    const { heard, afterwards } = after();
    const action = actionOf(async ({ self, system }) => {
      await turn();
      self.send({ type: 'LATE' });
      system.get('desk/other').send({ type: 'LATE.TOO' });
    });
    expect(runAction(action, 'a!2.0', afterwards)).toEqual([]);
    drive(chart({}), { address: 'other' });
    await turn();
    await turn();
    expect(heard).toEqual([
      [{ kind: 'self' }, 'LATE'],
      [{ kind: 'address', address: 'desk/other' }, 'LATE.TOO'],
    ]);
  });

  test('a promise that is rejected is told too, and is no unhandled rejection', async () => {
    const { heard, afterwards } = after();
    runAction(
      actionOf(async () => {
        await turn();
        throw new RangeError('no');
      }),
      'a!2.0',
      afterwards,
    );
    await turn();
    await turn();
    expect(heard).toEqual(['no']);
  });

  test('a send that no log can hold is refused: outside of steps and actions, and when nobody listens', async () => {
    let self: Args['self'] | undefined;
    let failed: unknown;
    const action = actionOf((args) => {
      self = args.self;
      void turn()
        .then(() => args.self.send({ type: 'LATE' }))
        .catch((error: unknown) => (failed = error));
    });
    runAction(action, 'a!2.0');
    await turn();
    await turn();
    expect(failed).toMatchObject({
      code: 'USAGE',
      message: expect.stringContaining("'LATE' was sent by hand from a outside of a step"),
    });
    expect(() => self?.send({ type: 'NOW' })).toThrow(/invoke promise logic and send on its result/);
  });
});
