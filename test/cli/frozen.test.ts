/** A mesh that runs and does not answer: said, with its process; and what can be read is read. */
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ended, Folder, HELLO, type Up } from './processes.ts';

const greet = '{"type":"greet","name":"Ada"}';

describe('a process that is stopped', () => {
  const folder = new Folder(HELLO);
  let up: Up;
  let said: string;
  beforeAll(async () => {
    up = await folder.up();
    await folder.call('send', 'greeter', greet);
    up.process.kill('SIGSTOP');
    said = `the mesh, process ${up.process.pid}, has not answered for 5 s: it is stopped (SIGSTOP, a debugger), or busy`;
  });
  afterAll(() => folder[Symbol.asyncDispose]());

  test('is no reason not to look', async () => {
    const [ps, tree, logs, state, follow] = await Promise.all([
      folder.call('ps', '--json'),
      folder.call('tree'),
      folder.call('logs'),
      folder.call('state', 'greeter', '--json'),
      folder.call('logs', '--follow'),
    ]);
    expect([ps.code, ps.stderr]).toEqual([0, `${said}\n  this is what its store has\n`]);
    expect(JSON.parse(ps.stdout)).toMatchObject({ running: false, actors: [{ address: '@root' }, { address: 'greeter' }] });
    expect([tree.code, tree.stderr]).toEqual([0, `${said}\n  this is how it was\n`]);
    expect([logs.code, logs.stderr]).toEqual([0, `${said}\n  this is what its records say\n`]);
    expect(logs.stdout).toContain('greeter started');
    expect([state.code, state.stderr]).toEqual([0, `${said}\n  this is what its records say\n`]);
    expect(JSON.parse(state.stdout)).toMatchObject({ context: { greeted: ['Ada'] } });
    // There is nothing to follow.
    expect([follow.code, follow.stderr]).toEqual([1, expect.stringContaining(`MESH_UNRESPONSIVE: ${said}`)]);
  });

  test('is named to whoever wants something of it, with what to do', async () => {
    const [send, stop, doctor] = await Promise.all([
      folder.call('send', 'greeter', greet),
      folder.call('stop', 'greeter'),
      folder.call('doctor', '--json', '--store', 'memory:'),
    ]);
    for (const { code, stderr } of [send, stop]) {
      expect(code).toBe(1);
      expect(stderr).toContain(`MESH_UNRESPONSIVE: ${said}`);
      expect(stderr).toContain(`goes on with \`kill -CONT ${up.process.pid}\``);
    }
    expect(JSON.parse(doctor.stdout)).toMatchObject({
      ok: false,
      checks: expect.arrayContaining([{ name: 'mesh', status: 'failed', message: said }]) as unknown,
    });
  });

  test('goes on when it is let', async () => {
    up.process.kill('SIGCONT');
    expect((await folder.call('send', 'greeter', greet)).code).toBe(0);
    expect((await folder.json<{ running: boolean }>('ps', '--json')).running).toBe(true);
    expect(await up.kill('SIGTERM')).toBe(0);
  });
});

test('logs that are followed end with an error when the mesh is killed, and in words when it stops', async () => {
  await using folder = new Folder(HELLO);
  const endings = [
    ['SIGKILL', 1, /^MESH_NOT_RUNNING: the mesh broke off in the middle of 'logs'/],
    ['SIGTERM', 0, /^hello has stopped\n$/],
  ] as const;
  for (const [signal, exitCode, words] of endings) {
    const up = await folder.up();
    const child = folder.start(['logs', '--follow']);
    const following = ended(child);
    await once(child.stdout as Readable, 'data');
    await up.kill(signal);
    const { code, stdout, stderr } = await following;
    expect(stdout).toContain('node.started');
    expect([code, stderr]).toEqual([exitCode, expect.stringMatching(words)]);
  }
});
