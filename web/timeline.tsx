import { useEffect } from 'preact/hooks';
import { Gantt } from './gantt.tsx';
import { Search } from './jobs.tsx';
import type { Bar, Lane } from './model.ts';
import { JobLink, Mark, When } from './parts.tsx';
import { filter, href, place } from './route.ts';
import { isLoaded, now } from './state.ts';
import { ids, keepAsking, known, load, parts, sight, simulate, simulated } from './timeline-data.ts';
import { followClock, goTo, keepAddress, pan, shown, since, until, zoom } from './window.ts';
import { clock, dayOf, duration, kindWords, minuteOf, toneOfKind } from './words.ts';

const HOUR = 3_600_000;
const SPANS = [
  ['1 h', HOUR],
  ['8 h', 8 * HOUR],
  ['1 d', 24 * HOUR],
  ['7 d', 168 * HOUR],
] as const;
/** Rows of the table. */
const MOST = 500;

/** Past runs and planned ones in time, a row a job. */
export function Timeline() {
  useEffect(keepAddress, []);
  useEffect(keepAsking, []);
  if (!isLoaded.value) return <p class="faint wait">Asking the daemon…</p>;
  const isTable = place.value.query.get('as') === 'table';
  return (
    <>
      <h1 class="hidden">Timeline</h1>
      <div class="filters">
        <Search />
        <Tools isTable={isTable} />
      </div>
      <section class="panel wide">
        <header>
          <h2>
            {dayOf(since.value)} {minuteOf(since.value)} –{' '}
            {dayOf(since.value) === dayOf(until.value) ? '' : dayOf(until.value)} {minuteOf(until.value)}
          </h2>
          <Busiest />
        </header>
        {ids.value.length === 0 ? <p class="empty">No job is like that.</p> : isTable ? <Table /> : <Gantt />}
        <Legend />
      </section>
    </>
  );
}

function Tools({ isTable }: { isTable: boolean }) {
  const { since: fixed, span } = shown.value;
  return (
    <>
      <span class="group">
        <button type="button" aria-label="Earlier" onClick={() => pan(-0.5)}>
          ←
        </button>
        <button type="button" aria-pressed={fixed === undefined} onClick={followClock}>
          Now
        </button>
        <button type="button" aria-label="Later" onClick={() => pan(0.5)}>
          →
        </button>
      </span>
      <span class="group">
        <button type="button" aria-label="Zoom out" onClick={() => zoom(2)}>
          −
        </button>
        {SPANS.map(([name, each]) => (
          <button key={name} type="button" aria-pressed={span === each} onClick={() => zoom(each / span)}>
            {name}
          </button>
        ))}
        <button type="button" aria-label="Zoom in" onClick={() => zoom(0.5)}>
          +
        </button>
      </span>
      <button
        type="button"
        aria-pressed={simulated.value !== undefined}
        onClick={() => (simulated.value ? (simulated.value = undefined) : void simulate())}
      >
        Simulate
      </button>
      <button type="button" aria-pressed={isTable} onClick={() => filter({ as: isTable ? '' : 'table' })}>
        Table
      </button>
    </>
  );
}

/** Many runs in one minute are what jitter is for. */
function Busiest() {
  const busiest = load.value?.busiest ?? [];
  return (
    <span class="aside">
      {busiest.length === 0 ? '' : 'busiest: '}
      {busiest.map(({ at, runs, planned }) => (
        <button key={at} type="button" class="plain" onClick={() => goTo(Date.parse(at), HOUR / 2)}>
          {clock(Date.parse(at), now.value).replace(/:00$/, '')} <b>{runs}</b> {planned ? 'planned' : 'runs'}
        </button>
      ))}
    </span>
  );
}

function Legend() {
  const isCut = sight.value.some((id) => known.value.get(id)?.complete === false);
  return (
    <p class="figcaption">
      <span class="legend good">succeeded</span>
      <span class="legend bad">failed</span>
      <span class="legend active">running</span>
      <span class="legend quiet">cancelled</span>
      <span class="legend waited">waited</span>
      <span class="legend planned">planned, with its usual length</span>
      {isCut ? <span>There are more runs than can be shown: zoom in.</span> : undefined}
    </p>
  );
}

/** The same for those who do not see it, or rather read. */
function Table() {
  const wanted = ids.value.slice(0, 100);
  useEffect(() => {
    sight.value = wanted;
    parts.value = 1000;
  }, [wanted.join()]);
  const rows = wanted
    .flatMap((id) => rowsOf(id, known.value.get(id)))
    .filter(({ at, end }) => at < until.value && end >= since.value)
    .sort((one, other) => other.at - one.at);
  const most = rows.length > MOST ? `, the newest ${MOST}` : '';
  return (
    <>
      <p class="faint">
        {rows.length} runs and planned times of {wanted.length} jobs{most}
      </p>
      <div class="scroll">
        <table class="times-table">
          <thead>
            <tr>
              {['Job', 'Due', 'Waited', 'Took', 'Ended'].map((name) => (
                <th key={name} scope="col">
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.slice(0, MOST).map((row) => (
              <TimeRow key={`${row.id} ${row.at} ${row.bar?.runId}`} row={row} />
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}

interface Timed {
  readonly id: string;
  /** When it was, or is, due. */
  readonly at: number;
  readonly end: number;
  /** Undefined: it is planned. */
  readonly bar?: Bar;
}

function rowsOf(id: string, lane: Lane | undefined): Timed[] {
  const past = lane?.bars.map((bar) => {
    const end = bar.finishedAt === null ? now.value : Date.parse(bar.finishedAt);
    return { id, at: Date.parse(bar.scheduledAt), end, bar };
  });
  const planned = lane?.planned.map((at) => ({ id, at: Date.parse(at), end: Date.parse(at) }));
  return [...(past ?? []), ...(planned ?? []).filter(({ at }) => at > now.value)];
}

function TimeRow({ row: { id, at, end, bar } }: { row: Timed }) {
  const start = bar?.startedAt ? Date.parse(bar.startedAt) : undefined;
  const tone = bar === undefined ? 'quiet' : toneOfKind(bar.kind);
  const words = bar === undefined ? 'planned' : kindWords(bar.kind);
  const many = bar !== undefined && bar.runs > 1 ? `, one of ${bar.runs} runs; ${bar.failed} failed` : '';
  return (
    <tr>
      <td>
        <JobLink id={id} />
      </td>
      <td>
        <When at={at} />
      </td>
      <td data-name="waited">{start === undefined ? '–' : duration(Math.max(start - at, 0))}</td>
      <td data-name="took">{start === undefined ? '–' : duration(Math.max(end - start, 0))}</td>
      <td>
        <a class={`outcome ${tone}`} href={bar?.runId ? href('runs', bar.runId) : href('jobs', id)}>
          <Mark tone={tone} />
          {words}
          {many}
        </a>
      </td>
    </tr>
  );
}
