import type { Instant, RunRecord } from '../model.ts';
import { elapsed, outcomeInWords } from '../observe/text.ts';
import { roughly } from '../observe/when.ts';
import { lengthOf } from '../schedule/run-length.ts';

/** How far a run is, or how it ended. */
export function standing(run: RunRecord, now: Instant): string {
  const { attempts, outcome, state, retryAt } = run;
  const tries = attempts.length > 1 ? ` (${attempts.length} attempts)` : '';
  if (outcome !== undefined) {
    const length = lengthOf(run);
    const after = length === undefined || outcome.kind === 'timed_out' ? '' : ` after ${elapsed(length)}`;
    return `it ${outcomeInWords(outcome)}${after}${tries}`.replace('it cancelled', 'it was cancelled');
  }
  if (state === 'retrying') {
    const last = attempts.at(-1)?.outcome;
    const when = retryAt === undefined ? 'soon' : `in ${roughly(retryAt - now)}`;
    return `attempt ${attempts.length} ${last === undefined ? 'ended' : outcomeInWords(last)}; the next one comes ${when}`;
  }
  const since = attempts.at(-1)?.startedAt;
  return since === undefined ? 'it has not begun' : `it has been running for ${roughly(now - since)}${tries}`;
}
