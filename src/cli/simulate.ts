import type { Instant, JobDefinition } from '../model.ts';
import { simulationShape } from '../http/simulation-shape.ts';
import { elapsed, printable, printableJson } from '../observe/text.ts';
import { localDateTime } from '../observe/when.ts';
import { formatDuration } from '../schedule/duration.ts';
import { reportOf, type JobReport, type Report } from '../simulate/report.ts';
import { MOST_LENGTHS, simulate, type Simulation } from '../simulate/simulate.ts';
import { LEGEND, timelines } from '../simulate/timeline.ts';
import { exit, Failure } from './exit.ts';
import { loadMeant } from './meant-file.ts';
import type { HistoryReader } from '../store/history.ts';
import { clusterDatabase, withHistory } from './past.ts';
import type { Session } from './session.ts';
import { stateDirectory } from './state-directory.ts';
import { table } from './table.ts';
import { momentOf } from './zones.ts';

export interface SimulateOptions {
  readonly file?: string;
  readonly stateDir?: string;
  readonly from?: string;
  readonly to?: string;
  readonly maxConcurrentRuns: number;
  readonly assume: number;
  readonly seed?: number;
  readonly fail?: readonly string[];
  readonly tz?: string;
  readonly json?: boolean;
}

const DAY = 86_400_000;
/** Runs and skips: some 300 MB. */
const MOST_ROWS = 500_000;
/** Jobs that are shown, those that are busy longest. */
const MOST_SHOWN = 60;
const TIMELINE = 48;

/** Plays a window of the job file and tells what stands out. */
export async function simulateWindow(options: SimulateOptions, session: Session): Promise<void> {
  const file = await loadMeant(options, session);
  const timezone = options.tz ?? file.timezone;
  const from = options.from === undefined ? session.now : momentOf(options.from, timezone, '--from');
  const to = options.to === undefined ? from + DAY : momentOf(options.to, timezone, '--to');
  if (to <= from) throw new Failure(exit.usage, '--to is not after --from');
  const unknown = options.fail?.find((id) => !file.jobs.some((job) => job.id === id));
  if (unknown !== undefined) throw new Failure(exit.usage, `--fail: there is no job "${printable(unknown)}"`);
  const state = stateDirectory(options.stateDir, session.environment);
  const simulation = await withLengths(state, session, (history) =>
    simulate({
      jobs: file.jobs,
      from,
      to,
      lengths: (jobId) => history?.durations(jobId, MOST_LENGTHS) ?? [],
      assumed: options.assume,
      seed: options.seed,
      failing: new Set(options.fail),
      pauses: history?.pauses() ?? new Map(),
      pools: file.pools,
      bounds: {
        maxConcurrentRuns:
          options.maxConcurrentRuns === 0 ? Number.POSITIVE_INFINITY : options.maxConcurrentRuns,
      },
      most: MOST_ROWS,
    }),
  );
  const report = reportOf(simulation, file.jobs);
  session.out(
    options.json === true
      ? `${printableJson(simulationShape(simulation, report))}\n`
      : asText({ simulation, report, jobs: file.jobs, assumed: options.assume, timezone }, session),
  );
}

/** How long runs took is in the history; without that, a node of a cluster can simulate too, and says what it takes them for. */
function withLengths<T>(
  state: string,
  session: Session,
  work: (history: HistoryReader | undefined) => T | Promise<T>,
): Promise<T> {
  if (clusterDatabase(state) === undefined) return withHistory(state, work);
  session.err(
    "tsched: this host's history is in PostgreSQL: every run is taken to last as long as --assume says, and no job to be paused\n",
  );
  return Promise.resolve(work(undefined));
}

interface Shown {
  readonly simulation: Simulation;
  readonly report: Report;
  readonly jobs: readonly JobDefinition[];
  readonly assumed: number;
  readonly timezone: string;
}

function asText(shown: Shown, session: Session): string {
  const { simulation, report, timezone } = shown;
  const time = (at: Instant): string => localDateTime(at, timezone);
  const { from, to } = simulation;
  const runs = simulation.rows.filter((row) => 'run' in row).length;
  const head = `${time(from)} to ${time(to)}   ${timezone}   ${elapsed(to - from)}\n${runs} runs of ${report.jobs.filter((job) => job.runs > 0).length} jobs\n`;
  const notes = [
    ...(simulation.isWhole
      ? []
      : [`it ends here: more than ${MOST_ROWS} runs and skips; choose a shorter window`]),
    ...assumedNote(simulation, shown.assumed),
    ...report.busiest.map(({ at, active, jobs }) => `busiest: ${time(at)}   ${active} runs: ${named(jobs)}`),
    ...report.clockChanges.map(
      ({ at, timezone: zone, by }) =>
        `clocks in ${zone} go ${by > 0 ? 'forward' : 'back'} by ${formatDuration(Math.abs(by))}: ${time(at)}`,
    ),
  ];
  return `${head}\n${jobTable(shown, session)}\n${notes.map((note) => `${printable(note)}\n`).join('')}`;
}

function assumedNote({ assumed: jobs }: Simulation, assumed: number): string[] {
  return jobs.length === 0
    ? []
    : [`history has no length of ${named(jobs)}: ${formatDuration(assumed)} is assumed (--assume)`];
}

function jobTable({ simulation, report }: Shown, session: Session): string {
  const paint = session.painter('out');
  const lines = timelines(simulation, TIMELINE);
  const busiest = new Set(report.jobs.toSorted((a, b) => b.busy - a.busy).slice(0, MOST_SHOWN));
  const shown = report.jobs.filter((job) => busiest.has(job));
  if (shown.length === 0) return 'No slot comes in that time.\n';
  const rows = shown.map((job) => [
    { text: printable(job.jobId), style: 'bold' as const },
    { text: String(job.runs) },
    { text: waits(job), style: 'yellow' as const },
    { text: skips(job), style: 'yellow' as const },
    { text: job.busy === 0 ? '' : elapsed(job.busy) },
    { text: lines.get(job.jobId) ?? '', style: 'green' as const },
  ]);
  const more = report.jobs.length - shown.length;
  const rest = more === 0 ? '' : `and ${more} more jobs, less busy (--json has all)\n`;
  const heading = ['ID', 'RUNS', 'WAITED', 'SKIPPED', 'BUSY', ''];
  return `${table(heading, rows, paint)}${rest}${paint('dim', LEGEND)}\n`;
}

function waits({ waited, longestWait }: JobReport): string {
  return waited === 0 ? '' : `${waited} (up to ${elapsed(longestWait)})`;
}

function skips({ skipped }: JobReport): string {
  return Object.entries(skipped)
    .map(([reason, count]) => `${count} ${reason}`)
    .join(', ');
}

function named(ids: readonly string[]): string {
  return ids.length > 8 ? `${ids.slice(0, 8).join(', ')} and ${ids.length - 8} more` : ids.join(', ');
}
