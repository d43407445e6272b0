/** `reprise up` */
import { resolve } from 'node:path';
import { errorData } from '../../core/errors.ts';
import type { Call } from '../command.ts';
import { EXIT } from '../exit.ts';
import { liveReport } from '../live-report.ts';
import { loadLogics } from '../logics.ts';
import { type LoadedMesh, meshOf, planOfFile } from '../mesh-file.ts';
import { lineReport, type Report } from '../report.ts';
import { type RunOptions, RunningMesh } from '../running-mesh.ts';
import { StopSignals } from '../stop-signals.ts';
import { FileWatch, ModuleGraph } from '../watch.ts';
import { counted } from '../words.ts';

export async function run(call: Call): Promise<number> {
  const signals = new StopSignals();
  call.io.lasts({ dropped: (lines) => unread(lines, call), gone: call.reprise.text(GONE) });
  const loaded = meshOf(call);
  if (call.flag('watch')) return watched(call, loaded, signals);
  const report = reportOf(call, loaded);
  const running = await RunningMesh.start(loaded, optionsOf(call, report));
  await signals.asked;
  report.stopping();
  await running.stop();
  report.end();
  return EXIT.ok;
}

const GONE = 'nobody reads what this mesh prints any more: it goes on, and `reprise logs` shows what it has to say';

/** In the place of what nobody read. */
function unread(lines: number, { io }: Call): string {
  const text = `${counted(lines, 'line')} of this mesh found no reader in time`;
  return io.isTerminal ? text : JSON.stringify({ ts: Date.now(), type: 'mesh.note', text });
}

function reportOf(call: Call, loaded: LoadedMesh): Report {
  const quiet = call.flag('quiet');
  return call.io.isTerminal
    ? liveReport(call.io, call.reprise, planOfFile(loaded), quiet)
    : lineReport(call.io, call.reprise, quiet);
}

function optionsOf(call: Call, report: Report): RunOptions {
  const old = call.text('old');
  return {
    report,
    reset: call.texts('reset'),
    fork: call.texts('fork'),
    old: old === undefined ? undefined : resolve(old),
    acceptLoss: call.flag('accept-loss'),
  };
}

// ---- --watch -------------------------------------------------------------------------------------------------------------

/** Changed modules are taken up while the mesh runs; a changed mesh file starts it again. */
async function watched(call: Call, first: LoadedMesh, signals: StopSignals): Promise<number> {
  using graph = new ModuleGraph();
  const file = resolve(call.file);
  let loaded = first;
  /** The last one that came up. */
  let good: LoadedMesh | undefined;
  let version = 1;
  for (
    let options = optionsOf(call, reportOf(call, loaded));
    ;
    options = { ...options, reset: [], fork: [], report: reportOf(call, loaded) }
  ) {
    const { report } = options;
    const since = Date.now();
    let running: RunningMesh;
    try {
      running = await RunningMesh.start(loaded, { ...options, version });
    } catch (error) {
      if (good === undefined || good === loaded) throw error;
      tellKept(report, error);
      report.end();
      loaded = good;
      version++;
      continue;
    }
    good = loaded;
    const next = await untilChanged(call, running, report, graph, { file, since }, signals);
    report.stopping();
    await running.stop();
    report.end();
    if (next === undefined) return EXIT.ok;
    loaded = next;
    version = running.nextVersion;
  }
}

/** Resolves with the new mesh file, or with nothing when the mesh shall stop. */
async function untilChanged(
  call: Call,
  running: RunningMesh,
  report: Report,
  graph: ModuleGraph,
  { file, since }: { readonly file: string; readonly since: number },
  signals: StopSignals,
): Promise<LoadedMesh | undefined> {
  const { promise: restart, resolve: restartWith } = Promise.withResolvers<LoadedMesh>();
  let turn = Promise.resolve();
  const modules = running.modules();
  const filesOf = (): ReadonlySet<string> =>
    new Set([file, ...[...modules.values()].flatMap((module) => [...graph.filesOf(module)])]);
  const changed = async (files: ReadonlySet<string>): Promise<void> => {
    if (files.has(file)) {
      const next = await reread(call, report, running.nextVersion);
      if (next !== undefined) return restartWith(next);
    }
    const names = [...modules]
      .filter(([, module]) => [...graph.filesOf(module)].some((part) => files.has(part)))
      .map(([name]) => name);
    const reading = Date.now();
    if (names.length > 0) await running.reload(names);
    watching.watch(filesOf(), reading);
  };
  using watching = new FileWatch((files) => {
    turn = turn.then(() => changed(files)).catch((error: unknown) => report.note(errorData(error).message));
  });
  watching.watch(filesOf(), since);
  const next = await Promise.race([restart, signals.asked.then(() => undefined)]);
  await turn;
  return next;
}

/** Undefined: it, or a module that it names, is wrong, and the mesh goes on as it is. */
async function reread(call: Call, report: Report, version: number): Promise<LoadedMesh | undefined> {
  try {
    const loaded = meshOf(call);
    await loadLogics(planOfFile(loaded), { folder: loaded.folder, version });
    return loaded;
  } catch (error) {
    tellKept(report, error);
    return undefined;
  }
}

const tellKept = (report: Report, error: unknown): void =>
  report.note(`${errorData(error).message}\n  (the mesh goes on as it was)`);
