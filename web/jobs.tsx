import { isBad, isLate, isRun, type Job } from './model.ts';
import { Ago, Countdown, Dots, JobButtons, JobLink, RowWords, RunLink, Spark, StateWord } from './parts.tsx';
import { filter, place } from './route.ts';
import { isLoaded, jobs, now } from './state.ts';
import { mayRun } from './actions.ts';

/** Rows that are drawn at once; more on demand, so that a thousand jobs cost no key stroke. */
const PAGE = 100;

const STATES: Readonly<Record<string, (job: Job) => boolean>> = {
  active: ({ active }) => active.length > 0,
  failing: ({ recent }) => isBad(recent.find((kind) => kind !== 'active')),
  late: (job) => isLate(job, now.value),
  paused: ({ state }) => state === 'paused',
  scheduled: ({ state }) => state === 'scheduled',
  other: ({ state }) => state !== 'scheduled' && state !== 'paused',
};

/** By what a table can be sorted; those that lack it stand last. */
const ORDERS: Readonly<Record<string, (job: Job) => number | string>> = {
  id: ({ id }) => id,
  next: ({ nextAt }) => (nextAt === null ? Number.POSITIVE_INFINITY : Date.parse(nextAt)),
  last: ({ lastRun }) => (lastRun === null ? Number.POSITIVE_INFINITY : -Date.parse(lastRun.claimedAt)),
};

export function Jobs() {
  const { query } = place.value;
  const found = select([...jobs.value.values()], query);
  const most = Number(query.get('rows') ?? PAGE);
  if (!isLoaded.value) return <p class="faint wait">Asking the daemon…</p>;
  return (
    <>
      <h1 class="hidden">Jobs</h1>
      <Filters found={found.length} />
      {found.length === 0 ? (
        <p class="empty">No job is like that.</p>
      ) : (
        <Table found={found.slice(0, most)} />
      )}
      {found.length > most ? (
        <button type="button" onClick={() => filter({ rows: `${most + 5 * PAGE}` })}>
          Show more of {found.length}
        </button>
      ) : undefined}
    </>
  );
}

/** Those that the filters of the address leave, in its order. */
export function select(all: readonly Job[], query: URLSearchParams): Job[] {
  const words = (query.get('q') ?? '').toLowerCase().split(/\s+/).filter(Boolean);
  const isSo = STATES[query.get('state') ?? ''] ?? (() => true);
  const tag = query.get('tag');
  const order = ORDERS[query.get('sort') ?? 'id'] ?? (({ id }: Job) => id);
  return all
    .filter((job) => isSo(job) && (tag === null || job.tags.includes(tag)))
    .filter((job) => {
      const text =
        `${job.id} ${job.description ?? ''} ${job.scheduleInWords} ${job.schedule} ${job.tags.join(' ')}`.toLowerCase();
      return words.every((word) => text.includes(word));
    })
    .sort((one, other) => compare(order(one), order(other)) || compare(one.id, other.id));
}

function compare(one: number | string, other: number | string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}

export function Search() {
  return (
    <input
      id="search"
      type="search"
      placeholder="Search jobs"
      aria-label="Search jobs"
      aria-keyshortcuts="/"
      value={place.value.query.get('q') ?? ''}
      onInput={({ currentTarget }) => filter({ q: currentTarget.value, rows: '' })}
    />
  );
}

function Filters({ found }: { found: number }) {
  const { query } = place.value;
  const tags = [...new Set([...jobs.value.values()].flatMap((job) => job.tags))].sort().slice(0, 20);
  return (
    <div class="filters">
      <Search />
      <select
        aria-label="State"
        value={query.get('state') ?? ''}
        onChange={({ currentTarget }) => filter({ state: currentTarget.value })}
      >
        <option value="">all states</option>
        <option value="active">running</option>
        <option value="failing">failing</option>
        <option value="late">late</option>
        <option value="scheduled">scheduled</option>
        <option value="paused">paused</option>
        <option value="other">disabled, ended, faulted</option>
      </select>
      {tags.map((tag) => (
        <button
          key={tag}
          type="button"
          class="tag"
          aria-pressed={query.get('tag') === tag}
          onClick={() => filter({ tag: query.get('tag') === tag ? '' : tag })}
        >
          {tag}
        </button>
      ))}
      <output class="faint" aria-live="polite">
        {found} of {jobs.value.size}
      </output>
    </div>
  );
}

function Table({ found }: { found: readonly Job[] }) {
  return (
    <div class="scroll">
      <table class="jobs">
        <thead>
          <tr>
            <Head order="id">Job</Head>
            <th scope="col">Schedule</th>
            <Head order="next">Next</Head>
            <Head order="last">Last run</Head>
            <th scope="col">Recent</th>
            <th scope="col">Takes</th>
            {mayRun() ? (
              <th scope="col">
                <span class="hidden">Actions</span>
              </th>
            ) : undefined}
          </tr>
        </thead>
        <tbody>
          {found.map((job) => (
            <JobRow key={job.id} job={job} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Head({ order, children }: { order: string; children: string }) {
  const isOn = (place.value.query.get('sort') ?? 'id') === order;
  return (
    <th scope="col" aria-sort={isOn ? 'ascending' : 'none'}>
      <button type="button" class="sort" onClick={() => filter({ sort: order === 'id' ? '' : order })}>
        {children}
        <span aria-hidden="true">{isOn ? ' ↓' : ''}</span>
      </button>
    </th>
  );
}

function JobRow({ job }: { job: Job }) {
  return (
    <tr class={job.state}>
      <td class="what">
        <JobLink id={job.id} /> <StateWord job={job} />
        <div class="faint">{job.description}</div>
      </td>
      <td class="schedule" data-name="Schedule">
        <span title={`${job.schedule} (${job.timezone})`}>{job.scheduleInWords}</span>
      </td>
      <td class={job.pause === null ? 'next' : 'next faint'} data-name="Next">
        {job.nextAt === null ? <span class="faint">–</span> : <Countdown at={job.nextAt} />}
      </td>
      <td class="last" data-name="Last run">
        <Last job={job} />
      </td>
      <td data-name="Recent">
        <Dots recent={job.recent} />
      </td>
      <td class="takes" data-name="Takes">
        <Spark durations={job.recentDurationsMs} />
      </td>
      {mayRun() ? (
        <td class="act">
          <JobButtons job={job} small />
        </td>
      ) : undefined}
    </tr>
  );
}

function Last({ job: { lastRun } }: { job: Job }) {
  if (lastRun === null || !isRun(lastRun)) return <span class="faint">–</span>;
  return (
    <>
      <RunLink run={lastRun}>
        <RowWords row={lastRun} />
      </RunLink>
      <div class="faint">
        <Ago at={lastRun.startedAt ?? lastRun.claimedAt} />
      </div>
    </>
  );
}
