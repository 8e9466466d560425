/** Words that lines of the log are made of. */
import type { Outcome, RunRecord } from '../model.ts';
import { elapsed, outcomeInWords } from './text.ts';

export function started(run: RunRecord, attempt: number, pid: number | undefined): string {
  const what = attempt > 1 ? `attempt ${attempt} started` : 'started';
  const why =
    run.cause === 'schedule' || attempt > 1
      ? ''
      : `, ${run.cause === 'catch_up' ? 'catching up' : run.cause}`;
  return `${what}${pid === undefined ? '' : ` (pid ${pid}${why})`}`;
}

export function ended(outcome: Outcome, duration: number | undefined): string {
  const told = outcome.kind !== 'timed_out' && outcome.kind !== 'not_started' && duration !== undefined;
  return `${outcomeInWords(outcome)}${told ? ` after ${elapsed(duration)}` : ''}`;
}

export function stopping(active: number): string {
  return active === 0 ? 'stopping' : `stopping: ${count(active, 'run')} still active`;
}

/** Worth a word only when it is more than a timer's usual play. */
export function late(by: number): string {
  return by < 1000 ? '' : `, ${elapsed(by)} late`;
}

export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}

export function iso(instant: number): string {
  return new Date(instant).toISOString().replace('.000Z', 'Z');
}
