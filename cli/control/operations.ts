/** What the CLI may ask of a mesh that runs. Parameters are checked here: whoever connects is this user, but not always this version. */
import type { Address } from '../../core/address.ts';
import { MeshError } from '../../core/errors.ts';
import type { EventObject } from '../../core/effect.ts';
import type { SendOptions } from '../../core/node/front-door.ts';
import type { Mesh } from '../../core/mesh.ts';
import type { Decision } from '../../core/cell/decisions.ts';
import { importLogs } from '../log-file.ts';
import { lossOptions, migrationOf } from '../loss.ts';
import { noticeOf } from '../notice.ts';
import { unhandledText } from '../render/notice.ts';
import type { MeshLog } from './log.ts';
import { storeOperations } from './remote-store.ts';
import type { Operation } from './server.ts';

type Params = Readonly<Record<string, unknown>>;

export interface ControlParts {
  readonly mesh: Mesh;
  readonly log: MeshLog;
  /** Folder that modules are named from. */
  readonly folder: string;
}

export function controlOperations({ mesh, log, folder }: ControlParts): Readonly<Record<string, Operation>> {
  const { operations, upkeep } = mesh;
  const losses = (p: Params) =>
    lossOptions(mesh.inspect, text(p, 'actor'), { old: optional(p, 'old'), acceptLoss: p['acceptLoss'] === true, folder });
  return {
    ...storeOperations(mesh.store),
    hello: () => ({ mesh: mesh.plan.mesh, pid: process.pid, node: mesh.node.node }),
    live: () => mesh.node.live(),
    send: async (p) => {
      const actor = text(p, 'actor');
      const began = (await mesh.inspect.store.head(mesh.inspect.stream(actor))).epoch === 0;
      const sent = await mesh.send(actor, event(p), id(p));
      return { ...sent, began, ...(await noticeOf(mesh.inspect, actor, sent.seq)) };
    },
    ask: (p) => {
      const actor = text(p, 'actor');
      const question = event(p);
      return mesh.ask(actor, question, {
        ...id(p),
        ...(p['timeoutMs'] !== undefined && { timeoutMs: whole(p, 'timeoutMs') }),
        onTaken: async ({ seq }) => {
          const notice = await noticeOf(mesh.inspect, actor, seq);
          if (notice?.handled === false) throw ignored(actor, seq, unhandledText(notice, question.type));
        },
      });
    },
    logs: async (p, { item, signal }) => {
      const query = { last: whole(p, 'last'), actor: optional(p, 'actor'), follow: p['follow'] === true };
      for await (const line of log.read(query, signal)) await item(line);
    },
    resend: (p) => operations.resend(text(p, 'actor'), whole(p, 'seq')),
    resolve: (p) => operations.resolve(text(p, 'effect'), p['decision'] as Decision),
    unpark: (p) => operations.unpark(text(p, 'actor')),
    restart: (p) => operations.restart(text(p, 'actor')),
    stop: (p) => operations.stop(text(p, 'actor')),
    reset: async (p) => upkeep.reset(text(p, 'actor'), await losses(p)),
    migrate: async (p) => upkeep.migrate(text(p, 'actor'), await migrationOf(optional(p, 'with'), folder), await losses(p)),
    fork: (p) =>
      upkeep.fork(text(p, 'actor'), {
        ...(p['at'] !== undefined && { at: whole(p, 'at') }),
        ...(p['as'] !== undefined && { as: text(p, 'as') }),
      }),
    delete: async (p) => upkeep.remove(text(p, 'actor'), await losses(p)),
    prune: async (p) => {
      const what = await upkeep.prunable();
      if (p['dryRun'] !== true) await upkeep.prune(what);
      return what;
    },
    backup: async (p) => {
      await mesh.store.backup(text(p, 'path'));
      return {};
    },
    import: (p) => importLogs(mesh.store, text(p, 'path'), text(p, 'as'), optional(p, 'signer')),
  };
}

/** What did nothing with a question keeps nothing of it either: it has nobody to reply to any more. */
const ignored = (actor: Address, seq: number, why: string): MeshError =>
  new MeshError('ASK_IGNORED', `${actor} took it at seq ${seq} and will not reply: ${why}`, { data: { actor, seq } });

// ---- parameters --------------------------------------------------------------------------------------------------------

function text(params: Params, name: string): string {
  const value = params[name];
  if (typeof value === 'string' && value !== '') return value;
  throw new MeshError('USAGE', `the request needs '${name}'`);
}
const optional = (params: Params, name: string): string | undefined =>
  params[name] === undefined ? undefined : text(params, name);
function whole(params: Params, name: string): number {
  const value = params[name];
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  throw new MeshError('USAGE', `'${name}' of the request is no whole number`);
}
function event(params: Params): EventObject {
  const value = params['event'];
  if (typeof value === 'object' && value !== null && 'type' in value) return value as EventObject;
  throw new MeshError('USAGE', 'the request needs an event with a type');
}
const id = (params: Params): SendOptions => ({
  ...(params['id'] !== undefined && { id: text(params, 'id') }),
  ...(params['made'] === true && { made: true }),
});
