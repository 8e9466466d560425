import { useSignal, useSignalEffect } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { ApiProblem, ask, segment } from './api.ts';
import { Calendar } from './calendar.tsx';
import { LinkFacts, type Links } from './links.tsx';
import { type Definition, type Job, type JobDay, type JobDetail, type NextTime, type Row } from './model.ts';
import { Countdown, Dots, Fact, JobButtons, Panel, StateWord, When } from './parts.tsx';
import { href, place } from './route.ts';
import { History } from './history.tsx';
import { Scatter } from './scatter.tsx';
import { jobs } from './state.ts';
import { duration } from './words.ts';

/** Rows of history that one job's page looks at. */
const LOOKED_AT = 500;

interface Known extends Links {
  readonly detail: JobDetail;
  readonly times: readonly NextTime[];
  readonly rows: readonly Row[];
  readonly calendar: { readonly timezone: string; readonly days: readonly JobDay[] };
}

/** With the rows of one day, or the newest. */
async function loadJob(id: string, day: string | null): Promise<Known> {
  const path = `jobs/${segment(id)}`;
  const [detail, { times }, calendar, { links }] = await Promise.all([
    ask<JobDetail>(path),
    ask<{ times: NextTime[] }>(`${path}/next?n=10`),
    ask<Known['calendar']>(`${path}/days?n=371`),
    ask<Links>(`graph?job=${segment(id)}`),
  ]);
  const { since, until } = calendar.days.find((known) => known.day === day) ?? {};
  // The end of a day is not of it; the end of what can be asked for is.
  const span =
    until === undefined ? '' : `&since=${since}&until=${new Date(Date.parse(until) - 1).toISOString()}`;
  const { runs } = await ask<{ runs: Row[] }>(`runs?job=${segment(id)}&limit=${LOOKED_AT}${span}`);
  return { detail, times, calendar, links, rows: day !== null && span === '' ? [] : runs };
}

export function JobPage({ id }: { id: string }) {
  const known = useSignal<Known | undefined>(undefined);
  const trouble = useSignal('');
  const wanted = useRef('');
  // Whatever happens to the job makes another of it in `jobs`.
  const job = jobs.value.get(id);
  const day = place.value.query.get('day');
  useEffect(() => {
    const asked = `${id} ${day}`;
    wanted.current = asked;
    loadJob(id, day).then(
      (loaded) => {
        if (wanted.current === asked) known.value = loaded;
      },
      (error: unknown) => {
        trouble.value = error instanceof ApiProblem ? error.message : '';
      },
    );
  }, [id, job, day]);
  useSignalEffect(() => {
    if (known.value !== undefined) trouble.value = '';
  });
  if (trouble.value !== '') return <p class="empty">{trouble.value}</p>;
  if (known.value === undefined || known.value.detail.id !== id)
    return <p class="faint wait">Asking the daemon…</p>;
  return <View job={job ?? known.value.detail} known={known.value} />;
}

function View({ job, known: { detail, times, rows, calendar, links } }: { job: Job; known: Known }) {
  const { definition } = detail;
  return (
    <>
      <p class="path">
        <a href={href('jobs')}>Jobs</a> /
      </p>
      <div class="title">
        <h1 class="id">{job.id}</h1>
        <StateWord job={job} />
        <JobButtons job={job} />
      </div>
      {job.description === null ? undefined : <p class="lead">{job.description}</p>}
      {job.fault === null ? undefined : <p class="trouble-box">{job.fault}</p>}
      <dl class="facts">
        <Fact name="Schedule">{job.scheduleInWords}</Fact>
        <Fact name={job.pause === null ? 'Next' : 'Next, skipped'}>
          {job.nextAt === null ? '–' : <Countdown at={job.nextAt} />}
        </Fact>
        <LinkFacts id={job.id} links={links} />
        <Fact name="Recent">
          <Dots recent={job.recent} />
        </Fact>
        {job.pause === null ? undefined : (
          <Fact name="Paused">
            since <When at={job.pause.since} />
            {job.pause.until === null ? (
              ''
            ) : (
              <>
                {' '}
                until <When at={job.pause.until} />
              </>
            )}{' '}
            {job.pause.reason}
          </Fact>
        )}
      </dl>
      <div class="columns">
        <div>
          <Panel title="Durations">
            <Scatter rows={rows} timeout={definition.timeoutMs} />
          </Panel>
          <Panel title="The last year" aside={calendar.timezone}>
            <Calendar known={calendar} />
          </Panel>
          <History id={job.id} rows={rows} most={LOOKED_AT} />
        </div>
        <div>
          <Coming times={times} timezone={job.timezone} />
          <Panel title="What it does" aside={sourceOf(job)}>
            <Task task={definition.task} />
            <Terms definition={definition} job={job} />
          </Panel>
        </div>
      </div>
    </>
  );
}

function sourceOf({ source }: Job): string {
  if (source === null) return 'added while the daemon runs';
  return `${source.file.split('/').at(-1) ?? ''}:${source.line}`;
}

function Coming({ times, timezone }: { times: readonly NextTime[]; timezone: string }) {
  return (
    <Panel title="Next ten times" aside={timezone}>
      {times.length === 0 ? <p class="faint">None will come.</p> : undefined}
      <ol class="list times">
        {times.map(({ at, local, note }) => (
          <li key={at} class={note === null ? '' : 'noted'}>
            <time dateTime={at} title={at}>
              {local.replace('T', ' ')}
            </time>
            <Countdown at={at} />
            {note === null ? undefined : <em>{note}</em>}
          </li>
        ))}
      </ol>
    </Panel>
  );
}

function Task({ task }: { task: Definition['task'] }) {
  if (task.kind === 'run') return <pre class="code">{task.script}</pre>;
  if (task.kind === 'command') return <pre class="code">{task.argv?.map(quoted).join(' ')}</pre>;
  if (task.kind === 'http') return <pre class="code">{`${task.method} ${task.url}`}</pre>;
  return (
    <pre class="code">
      {task.path} ({task.export})
    </pre>
  );
}

function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}

function Terms({
  definition: { cwd, env, user, timeoutMs, retry, misfire, overlap, maxInstances },
  job,
}: {
  definition: Definition;
  job: Job;
}) {
  return (
    <dl class="terms">
      <Fact name="as written">{job.schedule}</Fact>
      <Fact name="directory">{cwd}</Fact>
      {env.length === 0 ? undefined : <Fact name="variables">{env.join(', ')}</Fact>}
      {user === null ? undefined : <Fact name="user">{user}</Fact>}
      <Fact name="time-out">{timeoutMs === null ? 'none' : duration(timeoutMs)}</Fact>
      <Fact name="retries">
        {retry.limit === 0 ? 'none' : `${retry.limit}, ${retry.backoff} from ${duration(retry.delayMs)}`}
      </Fact>
      <Fact name="missed times">
        {misfire.run}
        {misfire.graceMs === null ? '' : `, within ${duration(misfire.graceMs)}`}
      </Fact>
      <Fact name="overlap">
        {overlap}
        {maxInstances > 1 ? `, up to ${maxInstances}` : ''}
      </Fact>
      {job.tags.length === 0 ? undefined : <Fact name="tags">{job.tags.join(', ')}</Fact>}
      <Fact name="defined in">
        {job.source === null ? sourceOf(job) : `${job.source.file}:${job.source.line}`}
      </Fact>
    </dl>
  );
}
