/** What the desk reaches beyond itself: files, ledger, model and the triage pool, each by its name in mesh.yaml. */
import { ask, model, tool } from 'reprise';
import { TRIAGE, type TriageFailed, type TriageFound, type TriageRequested } from './messages.ts';
import type { Lookup } from './policy.ts';

export interface Content {
  readonly content: string;
}
export interface PostRefund {
  readonly order: string;
  readonly amount_minor: number;
  readonly currency: string;
  readonly reason: string;
}

export const listFolder = tool<{ path: string }, Content>('files.list_directory', { timeoutMs: 10_000 });
export const readFile = tool<{ path: string }, Content>('files.read_text_file', { timeoutMs: 10_000 });
export const writeFile = tool<{ path: string; content: string }, Content>('files.write_file', { timeoutMs: 10_000 });

export const lookupOrder = tool<{ order: string }, Lookup>('ledger.lookup_order', { timeoutMs: 10_000 });
/** Its gateway adds the idempotency key: the id of the effect, the same before and after a crash. */
export const postRefund = tool<PostRefund, { refund: number }>('ledger.post_refund', { timeoutMs: 10_000 });

export const triageModel = model('triage', { timeoutMs: 60_000, retry: { attempts: 3 } });
export const triagePool = ask<TriageFound | TriageFailed, TriageRequested>({ to: TRIAGE, timeoutMs: 120_000 });
