/** What a run of vitest comes to: its numbers, held against how it ended. */
import { readFileSync } from 'node:fs';

export interface Count {
  passed: number;
  failed: number;
  skipped: number;
}
export interface Verdict extends Count {
  /** Names of what failed. */
  readonly failures: readonly string[];
}

interface Result {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly assertionResults: readonly { readonly status: string; readonly fullName: string }[];
  }[];
}

/** `file`: what its JSON reporter wrote. `status`: its exit status. A run that did not end well has at least one failure. */
export function verdictOf(file: string, status: number): Verdict {
  const verdict = read(file);
  if (status === 0 || verdict.failed > 0) return verdict;
  const why = `vitest ended with ${status}, and no test failed: an error outside of tests, which it has printed above`;
  return { ...verdict, failed: 1, failures: [why] };
}

function read(file: string): Verdict {
  try {
    return counted(JSON.parse(readFileSync(file, 'utf8')) as Result);
  } catch (error) {
    return { passed: 0, failed: 1, skipped: 0, failures: [`vitest left no result: ${String(error)}`] };
  }
}

function counted(result: Result): Verdict {
  const failures: string[] = [];
  let unloaded = 0;
  for (const suite of result.testResults) {
    const failed = suite.assertionResults.filter((a) => a.status === 'failed').map((a) => a.fullName);
    failures.push(...failed);
    // A file that cannot even be loaded has no assertions, and counts once.
    if (suite.status !== 'failed' || failed.length > 0) continue;
    unloaded++;
    failures.push(suite.name);
  }
  return {
    passed: result.numPassedTests,
    failed: result.numFailedTests + unloaded,
    skipped: result.numPendingTests + result.numTodoTests,
    failures,
  };
}
