import { computed, useSignalEffect } from '@preact/signals';
import { Bars, Delays } from './bars.tsx';
import { expectedOf, isBad, isLate, lengthOf, type Job, type Run } from './model.ts';
import { Ago, Countdown, JobLink, Mark, Panel, RunLink, When } from './parts.tsx';
import { href } from './route.ts';
import { failures, hours, isLoaded, jobs, loadHours, now, runs, status, thisHour } from './state.ts';
import { awaitsWords, clock, coarse, duration, runWords } from './words.ts';

const DAY = 24 * 3_600_000;
const MOST_SHOWN = 8;
/** Between two looks at the hours: they are counted anew each time. Milliseconds. */
const SELDOM = 10_000;

const all = computed(() => [...jobs.value.values()]);
const active = computed(() => all.value.flatMap((job) => job.active));
const failing = computed(() =>
  all.value.filter(({ recent }) => isBad(recent.find((kind) => kind !== 'active'))),
);
const paused = computed(() => all.value.filter(({ state }) => state === 'paused'));
const late = computed(() => all.value.filter((job) => isLate(job, now.value)));
const looks = computed(() => Math.floor(now.value / SELDOM));

/** The runs that were known when they were counted last. */
let counted: unknown;

export function Overview() {
  useSignalEffect(() => {
    void looks.value;
    if (!isLoaded.value || document.hidden) return;
    const isOfNow = Date.parse(hours.peek()?.hours.at(-1)?.at ?? '') === thisHour.peek();
    if (isOfNow && counted === runs.peek()) return;
    counted = runs.peek();
    // What was not answered is asked for again; that the daemon is gone, the stream tells.
    loadHours().catch(() => (counted = undefined));
  });
  if (status.value === undefined) return <p class="faint wait">Asking the daemon…</p>;
  return (
    <>
      <h1 class="hidden">Overview</h1>
      <Troubles />
      <Counters />
      <div class="columns">
        <div>
          <Running />
          <Failures />
        </div>
        <Coming />
      </div>
      <div class="columns even">
        <Panel title="Runs per hour" aside={<CountedFrom />}>
          {hours.value === undefined ? <p class="chart" /> : <Bars hours={hours.value.hours} />}
        </Panel>
        <Panel title="Start delay">
          {hours.value === undefined ? <p class="chart" /> : <Delays hours={hours.value.hours} />}
        </Panel>
      </div>
    </>
  );
}

function CountedFrom() {
  const from = hours.value?.countedFrom;
  return from ? <>too many to count: those since {clock(Date.parse(from), now.value)}</> : undefined;
}

/** What is wrong with the daemon itself. */
function Troubles() {
  const { fileProblem, store, stopping } = status.value ?? {};
  return (
    <>
      {fileProblem ? (
        <div class="trouble-box" role="alert">
          <b>The job file is broken, and the jobs before that edit go on.</b>
          <pre>{fileProblem.message}</pre>
        </div>
      ) : undefined}
      {store?.kind === 'degraded' ? (
        <div class="trouble-box" role="alert">
          <b>The history cannot be written; jobs go on.</b> {store.message} {store.hint}
        </div>
      ) : undefined}
      {stopping === true ? (
        <div class="trouble-box" role="alert">
          The daemon is stopping.
        </div>
      ) : undefined}
    </>
  );
}

/** Before every job is known, the daemon's own figures. */
function Counters() {
  const told = status.value;
  const known = isLoaded.value;
  const sum = Object.values(told?.jobs ?? {}).reduce((one, other) => one + other, 0);
  const counts = [
    ['jobs', known ? all.value.length : sum, '', ''],
    ['running', known ? active.value.length : told?.active, 'active', 'active'],
    ['failing', known ? failing.value.length : told?.failing?.length, 'failing', 'bad'],
    ['late', known ? late.value.length : told?.waiting, 'late', 'warn'],
    ['paused', known ? paused.value.length : told?.jobs.paused, 'paused', 'warn'],
  ] as const;
  return (
    <ul class="counters">
      {counts.map(([name, count = 0, state, tone]) => (
        <li key={name} class={count > 0 ? tone : 'none'}>
          <a href={href('jobs') + (state === '' ? '' : `?state=${state}`)}>
            <b>{count}</b> <span>{name}</span>
          </a>
        </li>
      ))}
    </ul>
  );
}

function Running() {
  const some = active.value.slice(0, MOST_SHOWN);
  return (
    <Panel
      title="Running now"
      aside={active.value.length > MOST_SHOWN ? `${active.value.length}` : undefined}
    >
      {some.length === 0 ? <p class="faint">{isLoaded.value ? 'Nothing runs.' : 'Asking…'}</p> : undefined}
      <ul class="list">
        {some.map((run) => (
          <RunningRow key={run.id} run={run} />
        ))}
      </ul>
    </Panel>
  );
}

function RunningRow({ run }: { run: Run }) {
  const elapsed = lengthOf(run, now.value) ?? 0;
  const expected = expectedOf(jobs.value.get(run.jobId));
  return (
    <li class="running">
      <Mark tone="active" />
      <JobLink id={run.jobId} />
      <RunLink run={run}>
        {coarse(elapsed)}
        {expected === undefined ? '' : ` of about ${duration(expected)}`}
        {run.state === 'retrying' ? ', waits for a retry' : ''}
        {awaitsWords(run) === undefined ? '' : `, ${awaitsWords(run)}`}
      </RunLink>
      <progress
        aria-label={`${run.jobId}: elapsed against expected`}
        max={1}
        value={expected === undefined ? 0 : Math.min(elapsed / Math.max(expected, 1), 1)}
        class={expected !== undefined && elapsed > 2 * expected ? 'over' : ''}
      />
    </li>
  );
}

/** One row a job: its newest failure, and how many there were. */
function Failures() {
  const byJob = Map.groupBy(failures.value ?? [], ({ jobId }) => jobId);
  const some = [...byJob.values()].slice(0, MOST_SHOWN);
  const count = hours.value?.hours.reduce((sum, { failed }) => sum + failed, 0) ?? 0;
  const aside = some.length === 0 ? undefined : `${Math.max(count, failures.value?.length ?? 0)} in 24 h`;
  return (
    <Panel title="Last failures" aside={aside}>
      {some.length === 0 ? (
        <p class="faint">{failures.value === undefined ? 'Asking…' : 'None in the last 24 hours.'}</p>
      ) : undefined}
      <ul class="list">
        {some.map(([run, ...before]) =>
          run === undefined ? undefined : <Failure key={run.id} run={run} before={before.length} />,
        )}
      </ul>
    </Panel>
  );
}

function Failure({ run, before }: { run: Run; before: number }) {
  const job = jobs.value.get(run.jobId);
  const isOverNow = job?.recent.find((kind) => kind !== 'active') === 'succeeded';
  return (
    <li class="failure">
      <Mark tone="bad" />
      <JobLink id={run.jobId} />
      <span class="faint">
        <Ago at={run.finishedAt ?? run.claimedAt} />
      </span>
      <RunLink run={run}>
        {runWords(run)}
        <span class="faint">
          {before === 0 ? '' : `, and ${before} more before`}
          {isOverNow ? '; it has succeeded since' : ''}
        </span>
      </RunLink>
    </li>
  );
}

function Coming() {
  const due = all.value
    .filter((job): job is Job & { nextAt: string } => job.nextAt !== null && job.pause === null)
    .filter(({ nextAt }) => Date.parse(nextAt) < now.value + DAY)
    .sort((one, other) => Date.parse(one.nextAt) - Date.parse(other.nextAt));
  const some = due.slice(0, 2 * MOST_SHOWN);
  return (
    <Panel title="Next 24 hours" aside={due.length > some.length ? `${due.length} jobs` : undefined}>
      {some.length === 0 ? <p class="faint">{isLoaded.value ? 'Nothing is due.' : 'Asking…'}</p> : undefined}
      <ol class="list">
        {some.map((job) => (
          <li key={job.id} class="coming">
            <Countdown at={job.nextAt} />
            <JobLink id={job.id} />
            <When at={job.nextAt} />
          </li>
        ))}
      </ol>
    </Panel>
  );
}
