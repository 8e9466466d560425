import type { Engine } from '../engine/engine.ts';
import type { JobStatus } from '../engine/job-status.ts';
import type { Answer, Timeline } from '../engine/ports-operator.ts';
import type { Bar, BusyMinute, Hours, Lane, LanesQuery, Load, Window } from '../engine/ports-timeline.ts';
import type { Clock } from '../engine/ports.ts';
import type { Duration, Instant } from '../model.ts';
import { compileSchedule, type Trigger } from '../schedule/trigger.ts';
import { placedOf } from '../store/timeline.ts';
import { done } from './answers.ts';
import type { Runs } from './runs.ts';

const MINUTE: Duration = 60_000;
/** Planned times told of all lanes together, and walked for the load: each costs the loop a microsecond or more. */
const MOST_TOLD = 5000;
const MOST_WALKED = 50_000;
/** What the loop is held up by at a time. */
const SLICE: Duration = 5;
/** Parts of a load, and the minutes that are named. */
const MOST_PARTS = 400;
const NAMED = 3;

export interface TimelineParts {
  readonly engine: Engine;
  readonly clock: Clock;
  readonly runs: Runs;
}

/** Runs in time: what was comes from the history, what is to come from the jobs' triggers. */
export class DaemonTimeline implements Timeline {
  readonly #parts: TimelineParts;

  constructor(parts: TimelineParts) {
    this.#parts = parts;
  }

  hours(window: Window): Promise<Answer<Hours>> {
    return this.#parts.runs.ask((history) => history.hours(window));
  }

  async lanes(query: LanesQuery): Promise<Answer<readonly Lane[]>> {
    const { engine, clock, runs } = this.#parts;
    const { since, until, parts } = query;
    const past = await runs.ask((history) => history.lanes(query));
    if (!past.ok) return past;
    const part = (until - since) / parts;
    const from = Math.max(since, clock.now());
    let left = MOST_TOLD;
    return done(
      past.value.map(({ jobId, bars, complete }) => {
        const job = engine.job(jobId);
        const planned = job === undefined ? [] : plannedOf(job, { from, until, part, most: left });
        left -= planned.length;
        return { jobId, bars: bars.map((bar) => freshBar(bar, runs)), planned, complete };
      }),
    );
  }

  async load(window: Window): Promise<Answer<Load>> {
    const { since, until } = window;
    const first = Math.floor(since / MINUTE) * MINUTE;
    const now = this.#parts.clock.now();
    const past =
      since < now
        ? await this.#parts.runs.ask((history) => history.load({ since, until: Math.min(until, now) }))
        : done({ active: [], complete: true });
    if (!past.ok) return past;
    const planned = Array.from({ length: Math.ceil((until - first) / MINUTE) }, () => 0);
    const isWhole = await this.#count(planned, { first, from: Math.max(since, now), until });
    const { active } = past.value;
    const minutes = Math.ceil(planned.length / MOST_PARTS);
    return done({
      step: minutes * MINUTE,
      active: mostOf(active, minutes),
      planned: mostOf(planned, minutes),
      busiest: busiestOf(active, planned, first),
      complete: past.value.complete && isWhole,
    });
  }

  /** Counts planned starts by minute, a slice of the loop's time after another. False: there were too many. */
  async #count(
    minutes: number[],
    { first, from, until }: { first: Instant; from: Instant; until: Instant },
  ): Promise<boolean> {
    const { clock } = this.#parts;
    let walked = 0;
    let began = clock.monotonic();
    for (const [trigger, jobs] of this.#triggers()) {
      for (let at = trigger.next(from - 1); at !== undefined && at < until; at = trigger.next(at)) {
        if ((walked += 1) > MOST_WALKED) return false;
        const minute = Math.floor((at - first) / MINUTE);
        minutes[minute] = (minutes[minute] ?? 0) + jobs;
        if (clock.monotonic() - began < SLICE) continue;
        await new Promise<void>((resolve) => clock.after(0, resolve));
        began = clock.monotonic();
      }
    }
    return true;
  }

  /** How many jobs wait for each. */
  #triggers(): Map<Trigger, number> {
    const found = new Map<Trigger, number>();
    for (const { state, definition } of this.#parts.engine.jobs()) {
      if (state !== 'enabled') continue;
      const trigger = compileSchedule(definition.schedule, definition.id);
      found.set(trigger, (found.get(trigger) ?? 0) + 1);
    }
    return found;
  }
}

/** Its end may be newer than what history knows. */
function freshBar(bar: Bar, runs: Runs): Bar {
  if (bar.kind !== 'active') return bar;
  const run = runs.known(bar.runId);
  if (run === undefined) return bar;
  const { startedAt, finishedAt, kind } = placedOf(run);
  return { ...bar, startedAt, finishedAt, kind };
}

interface Wanted extends Omit<Window, 'since'> {
  readonly from: Instant;
  readonly part: Duration;
  readonly most: number;
}

/** No two in less time than a part of the window. */
function plannedOf(
  { state, pause, definition }: JobStatus,
  { from, until, part, most }: Wanted,
): readonly Instant[] {
  const begin = state === 'paused' ? Math.max(pause?.until ?? until, from) : from;
  const times: Instant[] = [];
  if (state !== 'enabled' && state !== 'paused') return times;
  const trigger = compileSchedule(definition.schedule, definition.id);
  let at = trigger.next(begin - 1);
  while (at !== undefined && at < until && times.length < most) {
    times.push(at);
    at = trigger.next(at + Math.max(Math.ceil(part) - 1, 0));
  }
  return times;
}

/** The most of each so many. */
function mostOf(figures: readonly number[], each: number): number[] {
  return Array.from({ length: Math.ceil(figures.length / each) }, (_, part) =>
    Math.max(...figures.slice(part * each, (part + 1) * each)),
  );
}

function busiestOf(active: readonly number[], planned: readonly number[], first: Instant): BusyMinute[] {
  const all = planned.map((starts, minute): BusyMinute => {
    const [at, runs] = [first + minute * MINUTE, active[minute] ?? 0];
    return starts > runs ? { at, runs: starts, planned: true } : { at, runs, planned: false };
  });
  return all
    .filter(({ runs }) => runs > 1)
    .sort((one, other) => other.runs - one.runs || one.at - other.at)
    .slice(0, NAMED);
}
