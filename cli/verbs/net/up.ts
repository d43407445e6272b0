/** `reprise net up` and `reprise net relay` */
import { MeshError } from '../../../core/errors.ts';
import { startOverlay } from '../../../transport/overlay/overlay.ts';
import type { Call } from '../../command.ts';
import { EXIT } from '../../exit.ts';
import { lostAuthority } from '../../net/authority-key.ts';
import { elsewhereText, typedListen } from '../../net/endpoints.ts';
import { jsonReport, lineReport, type NetReport } from '../../net/report.ts';
import { liveReport } from '../../net/live-report.ts';
import { proxyOf } from '../../net/proxy.ts';
import { folderOf, lockForNode } from '../../net/reach.ts';
import { RelaySilence } from '../../net/relay-silence.ts';
import { RunningNode } from '../../net/running-node.ts';
import type { WebSocketPlan } from '../../net/start-options.ts';
import { StopSignals } from '../../stop-signals.ts';
import { counted } from '../../words.ts';

/** ms between two looks at what is shown live. */
const SHOW_MS = 500;

export const run = (call: Call): Promise<number> => runs(call, false);
export const relay = (call: Call): Promise<number> => runs(call, true);

async function runs(call: Call, mustRelay: boolean): Promise<number> {
  const { io } = call;
  const listen = call.texts('listen').map((text) => typedListen(text));
  const webSocket = webSocketOf(call);
  io.lasts({
    dropped: (lines) => `${counted(lines, 'line')} of this node found no reader in time`,
    gone: call.reprise.text('nobody reads what this node prints any more: it goes on, and `reprise net peers` shows how it is'),
  });
  const report = reportOf(call);
  const folder = folderOf(call);
  await folder.knownNetwork();
  using _lock = await lockForNode(folder);
  const node = await RunningNode.start(
    folder,
    {
      listen,
      webSocket,
      mustRelay,
      proxy: () => proxyOf(io.env),
      onEvent: (event, names) => report.event(event, names),
      onNote: (text) => report.note(text),
      onUnheard: (message) => report.unheard(message),
    },
    startOverlay,
  );
  // Before this a signal ends the process as it is: nothing was said to anybody yet.
  const signals = new StopSignals();
  const started = node.status();
  report.ready(started);
  if (started.elsewhere.length > 0) report.note(elsewhereText(started.elsewhere, started.endpoints));
  const lost = await lostAuthority(folder);
  if (lost !== undefined) report.note(lost);
  const silence = new RelaySilence();
  const showing = setInterval(() => {
    const status = node.status();
    report.show(status);
    const text = silence.look(performance.now(), status.relays);
    if (text !== undefined) report.note(text);
  }, SHOW_MS);
  await signals.asked;
  clearInterval(showing);
  report.stopping();
  await node.stop();
  report.end();
  return EXIT.ok;
}

function reportOf({ io, isJson, reprise }: Call): NetReport {
  if (isJson) return jsonReport(io, reprise);
  return io.isTerminal ? liveReport(io, reprise) : lineReport(io, reprise);
}

/** Throws USAGE. */
function webSocketOf(call: Call): WebSocketPlan | undefined {
  const [text, cert, key] = [call.text('ws'), call.text('tls-cert'), call.text('tls-key')];
  if ((cert === undefined) !== (key === undefined)) throw new MeshError('USAGE', '--tls-cert and --tls-key go together');
  if (text === undefined) {
    if (cert !== undefined) throw new MeshError('USAGE', '--tls-cert goes with --ws');
    return undefined;
  }
  return { ...typedListen(text, '--ws'), tls: cert === undefined || key === undefined ? undefined : { cert, key } };
}
