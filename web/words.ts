/** Times and outcomes as people say them. */
import type { Outcome, Row, Run, Skip } from './model.ts';
import { isRun } from './model.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** e.g. `340 ms`, `4.2 s`, `1 m 05 s`, `2 h 03 m`, `3 d 4 h`. */
export function duration(ms: number): string {
  if (ms < SECOND) return `${Math.round(ms)} ms`;
  if (ms < 10 * SECOND) return `${(Math.floor(ms / 100) / 10).toFixed(1)} s`;
  if (ms % HOUR === 0 && ms < DAY) return `${ms / HOUR} h`;
  if (ms % MINUTE === 0 && ms < HOUR) return `${ms / MINUTE} m`;
  return coarse(ms);
}

/** In whole seconds, as what changes every second. */
export function coarse(ms: number): string {
  if (ms < MINUTE) return `${Math.floor(ms / SECOND)} s`;
  if (ms < HOUR) return `${Math.floor(ms / MINUTE)} m ${two((ms % MINUTE) / SECOND)} s`;
  if (ms < DAY) return `${Math.floor(ms / HOUR)} h ${two((ms % HOUR) / MINUTE)} m`;
  return `${Math.floor(ms / DAY)} d ${Math.floor((ms % DAY) / HOUR)} h`;
}

function two(figure: number): string {
  return `${Math.floor(figure)}`.padStart(2, '0');
}

const time = new Intl.DateTimeFormat(undefined, {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  hourCycle: 'h23',
});
const minute = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
/** e.g. `14:05`. */
export const minuteOf = (at: number): string => minute.format(at);
const day = new Intl.DateTimeFormat(undefined, { month: 'short', day: 'numeric' });
/** e.g. `Mar 28`. */
export const dayOf = (at: number): string => day.format(at);
const dayOfYear = new Intl.DateTimeFormat(undefined, { year: 'numeric', month: 'short', day: 'numeric' });

/** The time alone for today, with the day for any other; seconds that are none only for today. */
export function clock(at: number, now: number): string {
  if (Math.abs(at - now) < DAY && day.format(at) === day.format(now)) return time.format(at);
  const isNear = Math.abs(at - now) < 300 * DAY;
  return `${(isNear ? day : dayOfYear).format(at)} ${(at % MINUTE === 0 ? minute : time).format(at)}`;
}

const CAUSES: Readonly<Record<string, string>> = {
  schedule: 'on schedule',
  catch_up: 'caught up',
  manual: 'by hand',
  retry: 'run again by hand',
  dependency: 'after another job',
};

export function causeWords(cause: string): string {
  return CAUSES[cause] ?? cause;
}

const KINDS: Readonly<Record<string, string>> = {
  succeeded: 'succeeded',
  failed: 'failed',
  killed: 'killed',
  timed_out: 'timed out',
  threw: 'threw',
  not_started: 'not started',
  cancelled: 'cancelled',
  lost: 'lost',
  active: 'running',
  skipped: 'skipped',
};

export function kindWords(kind: string): string {
  return KINDS[kind] ?? kind;
}

/** How a run ended, with the reason. */
export function outcomeWords(outcome: Outcome): string {
  const { kind, exitCode, status, signal, afterMs, message, by } = outcome;
  switch (kind) {
    case 'failed':
      if (status !== undefined) return `failed with status ${status}`;
      return exitCode === undefined ? 'failed' : `failed with exit code ${exitCode}`;
    case 'killed':
      return `killed by ${signal ?? 'a signal'}`;
    case 'timed_out':
      return afterMs === undefined ? 'timed out' : `timed out after ${duration(afterMs)}`;
    case 'threw':
      return message === undefined ? 'threw' : `threw: ${message}`;
    case 'not_started':
      return message === undefined ? 'not started' : `not started: ${message}`;
    case 'cancelled':
      return by === undefined ? 'cancelled' : `cancelled (${by})`;
    case 'lost':
      return message ?? 'lost: it ended while no daemon was there to see how';
    case 'succeeded':
      return 'succeeded';
  }
}

const STATES: Readonly<Record<string, string>> = {
  claimed: 'about to start',
  waiting: 'waits for its pool',
  running: 'running',
  retrying: 'waits for a retry',
};

type Standing = Pick<Run, 'state' | 'attempts' | 'outcome'>;

function isCalledOff({ state, attempts }: Standing): boolean {
  return state === 'running' && (attempts.at(-1)?.cancelledBy ?? null) !== null;
}

/** How a run stands, or a part of one. */
export function runWords(run: Standing & { readonly shards?: Run['shards'] }): string {
  if (run.outcome !== null) return outcomeWords(run.outcome);
  return (run.shards ?? [run]).some(isCalledOff) ? 'being cancelled' : (STATES[run.state] ?? run.state);
}

const SKIPS: Readonly<Record<string, string>> = {
  misfire: 'was due while nobody could start it, and its misfire policy does not catch it up',
  overlap: 'the run before had not ended',
  limit: 'too many runs were active',
  paused: 'the job was paused',
  shutdown: 'the daemon was stopping',
  excluded: 'its calendars exclude the day',
  removed: 'the job left the file, or was rescheduled or disabled',
  claimed_elsewhere: 'another daemon took it',
  dependency: 'the jobs it follows or needs did not end as it wants',
};

export function skipWords({ reason, count }: Skip): string {
  const times = count === null ? 'many slots' : count === 1 ? '' : `${count} slots`;
  return [times, SKIPS[reason] ?? reason].filter(Boolean).join(': ');
}

/** One word for its colour and shape. */
export function toneOf(row: Row): 'good' | 'bad' | 'quiet' | 'active' {
  if (!isRun(row)) return 'quiet';
  if (row.outcome === null) return 'active';
  return toneOfKind(row.outcome.kind);
}

export function toneOfKind(kind: string): 'good' | 'bad' | 'quiet' | 'active' {
  if (kind === 'succeeded') return 'good';
  if (kind === 'active') return 'active';
  return ['cancelled', 'skipped', 'simulated'].includes(kind) ? 'quiet' : 'bad';
}

/** What a run waits for that no node of a cluster has begun; undefined for all others. */
export function awaitsWords({ attempts }: Pick<Run, 'attempts'>): string | undefined {
  const labels = attempts.at(-1)?.awaits ?? undefined;
  if (labels === undefined) return undefined;
  return labels.length === 0 ? 'waits for a node' : `waits for a node with ${labels.join(', ')}`;
}
