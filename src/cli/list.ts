import { printable, printableJson } from '../observe/text.ts';
import { shownPath } from './find-file.ts';
import { loadJobs } from './job-file.ts';
import { listedJob, type ListedJob } from './listed-job.ts';
import type { Session } from './session.ts';
import { table, type Cell } from './table.ts';
import { fromNow, localIso, rfc3339, shortTime } from '../observe/when.ts';

export interface ListOptions {
  readonly file?: string;
  readonly tz?: string;
  readonly json?: boolean;
}

interface Listing {
  readonly path: string;
  /** Of jobs that name none. */
  readonly timezone: string;
  readonly jobs: readonly ListedJob[];
}

/** Every job: its schedule, when it is next due, its state. */
export async function list(options: ListOptions, session: Session): Promise<void> {
  const { path, timezone, jobs } = await loadJobs(options.file, session);
  const listed = jobs.map((job) => listedJob(job, session.now, options.tz));
  const listing = { path, timezone, jobs: listed };
  session.out(options.json === true ? asJson(listing, options.tz) : asTable(listing, options.tz, session));
}

function asJson(listing: Listing, fixed: string | undefined): string {
  const jobs = listing.jobs.map(({ nextAt, schedule: { timezone }, ...job }) => ({
    id: job.id,
    description: job.description,
    schedule: job.asWritten,
    scheduleInWords: job.inWords,
    timezone,
    nextAt: nextAt === null ? null : rfc3339(nextAt),
    nextLocal: nextAt === null ? null : localIso(nextAt, fixed ?? timezone),
    state: job.state,
    enabled: job.enabled,
    task: job.task,
    tags: job.tags,
    lastRun: null,
  }));
  return `${printableJson({ jobs })}\n`;
}

function asTable({ path, timezone, jobs }: Listing, fixed: string | undefined, session: Session): string {
  const zoned = fixed === undefined && jobs.some(({ schedule }) => schedule.timezone !== timezone);
  const described = jobs.some(({ description }) => description !== null);
  const heading = [
    'ID',
    'SCHEDULE',
    ...(zoned ? ['ZONE'] : []),
    'NEXT',
    '',
    ...(described ? ['DESCRIPTION'] : []),
  ];
  const cells = jobs.map((job): Cell[] => [
    { text: printable(job.id), style: 'bold' },
    { text: printable(job.inWords) },
    ...(zoned ? [{ text: job.schedule.timezone, style: 'dim' as const }] : []),
    ...nextCells(job, fixed ?? job.schedule.timezone, session.now),
    ...(described ? [{ text: printable(job.description ?? ''), style: 'dim' as const }] : []),
  ]);
  const times = zoned ? "each job's zone" : (fixed ?? timezone);
  const paint = session.painter('out');
  return `${table(heading, cells, paint)}${paint('dim', `\n${summary(jobs)} in ${shownPath(path)}. Times in ${times}.\n`)}`;
}

function nextCells({ nextAt, state, atStart }: ListedJob, timezone: string, now: number): Cell[] {
  if (nextAt !== null) {
    return [{ text: fromNow(nextAt, now), style: 'green' }, { text: shortTime(nextAt, timezone, now) }];
  }
  if (state === 'disabled') return [{ text: 'disabled', style: 'yellow' }, { text: '' }];
  return [{ text: atStart ? 'at start' : 'never', style: 'dim' }, { text: '' }];
}

function summary(jobs: readonly ListedJob[]): string {
  const disabled = jobs.filter(({ state }) => state === 'disabled').length;
  return `${jobs.length} job${jobs.length === 1 ? '' : 's'}${disabled === 0 ? '' : `, ${disabled} disabled`}`;
}
