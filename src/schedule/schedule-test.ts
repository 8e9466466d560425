/** What a job file promises of its own schedules, held against them: pure, over a window that is said. */
import type { Calendar } from '../calendar.ts';
import type { Duration, Instant, JobId, Schedule } from '../model.ts';
import { entryOf, localDay, WEEKDAYS, weekdayOf } from './calendar.ts';
import { formatDuration } from './duration.ts';
import { slotUpTo } from './previous.ts';
import type { Problem } from './problem.ts';
import { compileSchedule, type Trigger } from './trigger.ts';
import { DAY, fromNominal, zoneOf } from './zone.ts';

export interface ScheduledJob {
  readonly id: JobId;
  readonly schedule: Schedule;
}

export interface ScheduleTest {
  readonly job: ScheduledJob;
  /** The window of all that must never be; slots on its ends are in it. */
  readonly from: Instant;
  readonly to: Instant;
  readonly firesAt: readonly Instant[];
  readonly neverAt: readonly Instant[];
  readonly neverOn?: Calendar;
  /** No slot less than `gap` from one of these; of the job itself: from its own next one. */
  readonly neverWithin?: { readonly gap: Duration; readonly of: readonly ScheduledJob[] };
}

/** One promise that does not hold, by the key that makes it. */
export interface BrokenPromise {
  readonly key: 'fires_at' | 'never_at' | 'never_on' | 'never_within';
  readonly problem: Problem;
}

/** Slots that are compared in one test: a window may be chosen too long. */
const MOST_SLOTS = 200_000;

/** Every promise that does not hold; of those about a window the first slot that breaks them. */
export function brokenPromises(test: ScheduleTest): readonly BrokenPromise[] {
  const { job } = test;
  const trigger = compileSchedule(job.schedule, job.id);
  const fires = (at: Instant): boolean => trigger.next(at - 1) === at;
  const missing = test.firesAt.filter((at) => !fires(at));
  const unwanted = test.neverAt.filter(fires);
  return [
    ...missing.map((at): BrokenPromise => ({ key: 'fires_at', problem: notThen(at, job, trigger) })),
    ...unwanted.map((at): BrokenPromise => ({
      key: 'never_at',
      problem: { message: `${job.id} fires at ${shown(at, job)}` },
    })),
    ...neverOn(test, trigger),
    ...neverWithin(test, trigger),
  ];
}

function notThen(at: Instant, job: ScheduledJob, trigger: Trigger): Problem {
  const beside = [slotUpTo(trigger, at), trigger.next(at)].filter((slot) => slot !== undefined);
  const hint =
    beside.length === 0
      ? 'it never fires'
      : `it fires at ${beside.map((slot) => shown(slot, job)).join(' and ')}`;
  return { message: `${job.id} does not fire at ${shown(at, job)}`, hint };
}

function neverOn({ job, from, to, neverOn: calendar }: ScheduleTest, trigger: Trigger): BrokenPromise[] {
  if (calendar === undefined) return [];
  const zone = zoneOf(job.schedule.timezone);
  const last = localDay(to, zone.at(to).offset);
  for (let day = localDay(from, zone.at(from).offset); day <= last; day += 1) {
    const entry = entryOf(calendar, day);
    if (entry === undefined) continue;
    const reading = fromNominal(zone, day * DAY);
    const start =
      reading.kind === 'once'
        ? reading.instant
        : reading.kind === 'twice'
          ? reading.first
          : reading.span.changedAt;
    const slot = trigger.next(Math.max(start, from) - 1);
    if (slot === undefined || slot > to || localDay(slot, zone.at(slot).offset) !== day) continue;
    const message = `${job.id} fires at ${shown(slot, job)}, which is in ${entry.calendar} (${entry.entry})`;
    return [{ key: 'never_on', problem: { message } }];
  }
  return [];
}

function neverWithin({ job, from, to, neverWithin: rule }: ScheduleTest, trigger: Trigger): BrokenPromise[] {
  if (rule === undefined) return [];
  const { gap } = rule;
  const others = rule.of.map((other) => ({ other, trigger: compileSchedule(other.schedule, other.id) }));
  let left = MOST_SLOTS;
  for (let slot = trigger.next(from - 1); slot !== undefined && slot <= to; slot = trigger.next(slot)) {
    for (const { other, trigger: beside } of others) {
      left -= 1;
      const near = beside.next(other.id === job.id ? slot : slot - gap);
      if (near === undefined || near >= slot + gap) continue;
      const apart = formatDuration(Math.abs(near - slot));
      const message = `${job.id} fires at ${shown(slot, job)}, ${apart} from ${other.id} at ${shown(near, job)}`;
      return [{ key: 'never_within', problem: { message } }];
    }
    if (left <= 0) {
      const hint = 'choose a shorter window by from: and to:';
      return [
        { key: 'never_within', problem: { message: `more than ${MOST_SLOTS} slots are compared`, hint } },
      ];
    }
  }
  return [];
}

/** As the clocks of the job show it. */
function shown(at: Instant, { schedule }: ScheduledJob): string {
  const reading = at + zoneOf(schedule.timezone).at(at).offset;
  const text = new Date(reading).toISOString().replace('T', ' ');
  const end = text.endsWith(':00.000Z') ? 16 : text.endsWith('.000Z') ? 19 : 23;
  return `${WEEKDAYS[weekdayOf(Math.floor(reading / DAY))]?.slice(0, 3)} ${text.slice(0, end)}`;
}
