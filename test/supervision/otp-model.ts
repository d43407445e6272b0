/**
 * A plain transcription of the rules of OTP's supervisor (stdlib, OTP 25), written from its behaviour: one mailbox, everything
 * synchronous, a failed start of a restart is cast to itself. Only the window is in ms. `otp-recorded.json` holds what a real one did.
 */
import type { RestartType } from '../../core/supervision/child-spec.ts';
import { type History, type Resolved, type Seen, World } from './histories.ts';

interface Row {
  readonly id: string;
  readonly type: RestartType;
  /** A life, none, or waiting for the next try. */
  pid: number | 'undefined' | 'restarting';
}
type Message = Resolved | { readonly do: 'try_again'; readonly id: string };

export class OtpModel {
  private readonly world: World;
  private readonly history: History;
  private rows: Row[];
  private mailbox: Message[] = [];
  private window: number[] = [];
  private now = 0;
  private ended = false;

  constructor(history: History) {
    this.history = history;
    this.world = new World(history);
    this.rows = history.children.map((c) => ({ id: c.id, type: c.restart, pid: 'undefined' }));
  }

  boot(): Seen {
    if (this.startChildren(this.rows) !== undefined) this.shutdown();
    this.drain();
    return this.seen();
  }

  step(step: History['steps'][number]): Seen {
    this.now += step.afterMs;
    if (!this.ended) this.mailbox.push(...this.world.resolve(step.happen));
    this.drain();
    return this.seen();
  }

  private seen(): Seen {
    const children = this.rows
      .map((r) => (typeof r.pid === 'number' && this.world.isAlive(r.id) ? `${r.id}+` : `${r.id}-`))
      .join(' ');
    return { orders: [...this.world.orders], children, budget: this.window.length, ended: this.ended };
  }

  private drain(): void {
    for (let m = this.mailbox.shift(); m !== undefined && !this.ended; m = this.mailbox.shift()) this.receive(m);
  }

  private receive(m: Message): void {
    const row = this.rows.find((r) => r.id === m.id);
    switch (m.do) {
      case 'exit':
        if (row?.pid === m.life) this.exited(row, m.how);
        return;
      case 'try_again':
        if (row?.pid === 'restarting') this.restart(row);
        return;
      case 'stop':
      case 'remove':
        if (row === undefined) return;
        this.terminate(row);
        this.delete(row);
        if (m.do === 'remove') this.rows = this.rows.filter((r) => r !== row);
        return;
      case 'start':
        if (row?.pid !== 'undefined') return;
        row.pid = this.startOne(row) ?? 'undefined';
        return;
      case 'add': {
        if (row !== undefined) return;
        const added: Row = { id: m.id, type: m.restart, pid: 'undefined' };
        const pid = this.startOne(added);
        if (pid !== undefined) this.rows.push({ ...added, pid });
        return;
      }
    }
  }

  private exited(row: Row, how: string): void {
    if (row.type === 'permanent') return this.restart(row);
    if (how === 'normal' || row.type === 'temporary') return this.delete(row);
    this.restart(row);
  }

  private restart(row: Row): void {
    this.window = [...this.window.filter((at) => this.now <= at + this.history.periodMs), this.now];
    if (this.window.length > this.history.intensity) {
      this.delete(row);
      return this.shutdown();
    }
    if (this.history.strategy === 'one_for_one') {
      const pid = this.startOne(row);
      row.pid = pid ?? 'restarting';
      if (pid === undefined) this.mailbox.push({ do: 'try_again', id: row.id });
      return;
    }
    row.pid = 'undefined';
    const from = this.history.strategy === 'one_for_all' ? 0 : this.rows.indexOf(row);
    const before = this.rows.slice(0, from);
    const group = this.terminateAll(this.rows.slice(from));
    this.rows = [...before, ...group];
    const failed = this.startChildren(group);
    if (failed === undefined) return;
    failed.pid = 'restarting';
    this.mailbox.push({ do: 'try_again', id: failed.id });
  }

  /** In order, up to the first that fails: that one is returned. */
  private startChildren(rows: readonly Row[]): Row | undefined {
    for (const row of rows) {
      const pid = this.startOne(row);
      if (pid === undefined) return row;
      row.pid = pid;
    }
    return undefined;
  }

  private startOne(row: Row): number | undefined {
    const { life, meanwhile } = this.world.start(row.id);
    this.mailbox.push(...meanwhile);
    return life;
  }

  /** In reverse; temporary ones are forgotten. Gives the others, in order. */
  private terminateAll(rows: readonly Row[]): Row[] {
    for (const row of rows.toReversed()) {
      this.terminate(row);
      row.pid = 'undefined';
    }
    return rows.filter((r) => r.type !== 'temporary');
  }

  /** Its exit is taken out of the mailbox. */
  private terminate(row: Row): void {
    const { pid } = row;
    if (typeof pid !== 'number') return;
    this.mailbox.push(...this.world.stop(row.id));
    this.mailbox = this.mailbox.filter((m) => m.do !== 'exit' || m.life !== pid);
  }

  private delete(row: Row): void {
    if (row.type === 'temporary') this.rows = this.rows.filter((r) => r !== row);
    else row.pid = 'undefined';
  }

  private shutdown(): void {
    this.terminateAll(this.rows);
    this.ended = true;
    this.mailbox = [];
  }
}
