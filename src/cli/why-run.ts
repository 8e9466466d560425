import type { Instant, RunRecord, ShardRecord } from '../model.ts';
import { elapsed, outcomeInWords } from '../observe/text.ts';
import { roughly } from '../observe/when.ts';
import { isCalledOff, shardsInWords } from '../schedule/joint.ts';
import { begunAt, lengthOf } from '../schedule/run-length.ts';

/** How far a run is, or how it ended. */
export function standing(run: RunRecord, now: Instant): string {
  if (run.shards !== undefined) return standingInParts(run, run.shards, now);
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
  const { startedAt: since, awaits } = attempts.at(-1) ?? {};
  if (isCalledOff(run)) return `it is being cancelled${tries}`;
  if (since !== undefined && awaits !== undefined)
    return `it has been waiting for ${nodeWanted(awaits)} for ${roughly(now - since)}${tries}; which there are: tsched nodes`;
  return since === undefined ? 'it has not begun' : `it has been running for ${roughly(now - since)}${tries}`;
}

function standingInParts(run: RunRecord, shards: readonly ShardRecord[], now: Instant): string {
  const { outcome } = run;
  const well = `${shardsInWords(shards)} shards succeeded`;
  if (outcome !== undefined) {
    const length = lengthOf(run);
    const after = length === undefined ? '' : ` after ${elapsed(length)}`;
    return `it ${outcomeInWords(outcome)}${after}; ${well}`.replace('it cancelled', 'it was cancelled');
  }
  const states = (['running', 'retrying', 'waiting'] as const).flatMap((state) => {
    const count = shards.filter((shard) => shard.state === state).length;
    return count === 0 ? [] : [`${count} ${state}`];
  });
  if (isCalledOff(run)) return `it is being cancelled: ${[well, ...states].join(', ')}`;
  const begun = begunAt(run);
  const since = begun === undefined ? '' : ` for ${roughly(now - begun)}`;
  return `it has been under way${since}: ${[well, ...states].join(', ')}`;
}

/** What an attempt waits for that no node has begun. */
function nodeWanted(labels: readonly string[]): string {
  return labels.length === 0 ? 'a node' : `a node with ${labels.join(', ')}`;
}
