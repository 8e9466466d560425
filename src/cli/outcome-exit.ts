/** What a run ends with, as an exit code: as `timeout` and `env` of coreutils have them, so that scripts need not learn another set. */
import { constants } from 'node:os';
import type { Outcome } from '../model.ts';
import { exit } from './exit.ts';

/** @param signal by which it was interrupted from here, if it was */
export function outcomeExit(outcome: Outcome, signal?: NodeJS.Signals): number {
  switch (outcome.kind) {
    case 'succeeded':
      return outcome.exitCode ?? 0;
    case 'failed':
      return outcome.exitCode ?? 1;
    case 'killed':
      return signalCode(outcome.signal);
    case 'timed_out':
      return 124;
    case 'threw':
      return 1;
    case 'cancelled':
      return signalCode(signal ?? 'SIGTERM');
    case 'not_started':
      return notStartedCode(outcome.message);
    case 'lost':
      return exit.runFailed;
  }
}

/** By the words of tasks/launch-problem.ts and module-call.ts; a test holds them together. */
function notStartedCode(message: string): number {
  if (/^There is no (?:file|command|module) /.test(message)) return 127;
  return /^The (?:file|command|interpreter) /.test(message) ? 126 : exit.runFailed;
}

function signalCode(signal: string): number {
  return 128 + (constants.signals[signal as NodeJS.Signals] ?? 0);
}
