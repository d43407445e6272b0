/** Who talks to whom at the desk, and in which words. Plain data: everything here goes through logs and mailboxes. */
import type { Claim } from './entities.ts';
import type { Mail } from './mail.ts';
import type { Money } from './money.ts';

export const INTAKE = 'desk/intake';
export const TRIAGE = 'desk/triage';
export const APPROVER = 'desk/approver';
export const caseAddress = (key: string): string => `desk/case/${key}`;

/** Folders as the file server names them: relative to its root. */
export const INBOX = 'inbox';
export const inboxFile = (file: string): string => `${INBOX}/${file}`;
export const outboxFile = (key: string): string => `outbox/${key}.txt`;
export const articleFile = (topic: string): string => `articles/${topic}.md`;

export type Intent = 'refund' | 'billing' | 'technical' | 'spam' | 'unclear';

/** One thing that a mail asks for, with the orders that it is about. */
export interface Request {
  readonly intent: Intent;
  /** Of a technical problem: the article that may help. */
  readonly topic?: string;
  readonly claims: readonly Claim[];
}

/** What triage finds in a mail. */
export interface Triage {
  /** The most important first; never empty. */
  readonly requests: readonly Request[];
  /** 0 to 1, of the first request. */
  readonly confidence: number;
}

export type Verdict =
  | 'refunded'
  | 'already-refunded'
  | 'unknown-order'
  | 'not-yours'
  | 'too-late'
  | 'more-than-paid'
  | 'other-currency'
  | 'not-approved'
  | 'not-decided'
  | 'not-posted'
  | 'no-order';

/** What became of one order that a mail names. */
export interface Ruling {
  readonly order: string;
  readonly verdict: Verdict;
  readonly sum?: Money;
}

/** A specialist's part of a reply. */
export interface Finding {
  /** One word a point, for statistics and for the header of the reply. */
  readonly outcomes: readonly string[];
  readonly paragraphs: readonly string[];
}

/** intake -> case */
export type MailArrived = {
  readonly type: 'mail.arrived';
  readonly mail: Mail;
};
/** case -> intake, once a case, whatever came of it */
export type CaseClosed = {
  readonly type: 'case.closed';
  readonly key: string;
  readonly outcome: string;
};
/** case -> triage pool, as a question; the answer is `triage.found` or `triage.failed` */
export type TriageRequested = {
  readonly type: 'triage.requested';
  readonly subject: string;
  readonly text: string;
};
export type TriageFound = Triage & {
  readonly type: 'triage.found';
};
export type TriageFailed = {
  readonly type: 'triage.failed';
};
/** refund -> approver (and whoever else may decide) */
export type ApprovalRequested = {
  readonly type: 'approval.requested';
  readonly order: string;
  readonly sum: Money;
};
/** approver, or a person at the command line, -> case or refund */
export type ApprovalGiven = {
  readonly type: 'approval.given';
  readonly order: string;
};
export type ApprovalRefused = {
  readonly type: 'approval.refused';
  readonly order: string;
};
