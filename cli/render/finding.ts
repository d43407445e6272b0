/** Findings of a doctor as lines, and as JSON. */
import type { Call } from '../command.ts';
import type { Finding } from '../doctor.ts';
import type { Style } from '../io.ts';

const MARKS: Readonly<Record<Finding['status'], readonly [string, Style]>> = {
  ok: ['ok', 'green'],
  warning: ['warning', 'yellow'],
  failed: ['failed', 'red'],
  skipped: ['skipped', 'dim'],
};

export function findingText({ name, status, message }: Finding, { io, reprise }: Call): string {
  const [mark, style] = MARKS[status];
  return `${io.paint(style, mark.padEnd(8))} ${name.padEnd(20)} ${reprise.text(message)}`;
}

/** With its commands as they have to be typed. */
export const typedFinding = (finding: Finding, { reprise }: Call): Finding => ({
  ...finding,
  message: reprise.text(finding.message),
});
