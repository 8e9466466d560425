import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import type { JobId } from '../model.ts';
import { elapsed, printable, printableJson } from '../observe/text.ts';
import { daemonFileIn, readDaemonFile } from '../store/daemon-file.ts';
import type { LastRuns } from '../store/history.ts';
import { fileIfAny, shownPath } from './find-file.ts';
import { fitted, type Concession } from './fit.ts';
import { loadJobs } from './job-file.ts';
import { fileOrLast, stateIfAny } from './last-file.ts';
import type { ListPast } from './list-past.ts';
import { listedJob, type ListedJob } from './listed-job.ts';
import { resultCell } from './results.ts';
import { outcomeShape } from '../http/shapes.ts';
import { lengthOf } from '../schedule/run-length.ts';
import type { Session } from './session.ts';
import { table, type Cell } from './table.ts';
import { ago, fromNow, localIso, rfc3339, shortTime } from '../observe/when.ts';

export interface ListOptions {
  readonly file?: string;
  readonly stateDir?: string;
  readonly tz?: string;
  readonly json?: boolean;
  readonly socket?: string;
  readonly url?: string;
}

export interface Listing {
  readonly path: string;
  /** Of jobs that name none. */
  readonly timezone: string;
  readonly jobs: readonly ListedJob[];
  readonly past: ListPast;
}

/** Every job: its schedule, when it is next due, its state, and what its last runs came to. As the daemon has it, where one runs. */
export async function list(options: ListOptions, session: Session): Promise<void> {
  const listing = (await listingOfDaemon(options, session)) ?? (await listingOfFile(options, session));
  session.out(shownListing(listing, options, session));
}

export function shownListing(listing: Listing, { json, tz }: ListOptions, session: Session): string {
  return json === true ? asJson(listing, tz) : asTable(listing, tz, session);
}

/** Undefined where no daemon is to be asked, or it does not answer. What asks is loaded where there is one. */
async function listingOfDaemon(options: ListOptions, session: Session): Promise<Listing | undefined> {
  const { TSCHED_URL: url = '', TSCHED_SOCKET: socket = '' } = session.environment;
  const isNamed = [options.url, options.socket, url, socket].some((name) => (name ?? '') !== '');
  if (!isNamed && !runsFile(options, session)) return undefined;
  const { liveListing } = await import('./live-list.ts');
  return liveListing(options, { session, isNamed });
}

/** Whether a daemon seems to be there that runs the very file that is meant. */
function runsFile({ file, ...options }: ListOptions, session: Session): boolean {
  const state = stateIfAny(options.stateDir, session.environment);
  const daemon = state === undefined ? undefined : readDaemonFile(daemonFileIn(state));
  if (daemon?.socket === undefined || !existsSync(daemon.socket)) return false;
  // What a node of a cluster runs is in its database, whatever lies here.
  if (daemon.database !== undefined && file === undefined) return true;
  const found = fileIfAny(file);
  return found === undefined || resolve(found) === daemon.file;
}

async function listingOfFile(options: ListOptions, session: Session): Promise<Listing> {
  const { path, timezone, jobs } = await loadJobs(fileOrLast(options, session), session);
  const past = await pastFor(
    path,
    jobs.map(({ id }) => id),
    { options, session },
  );
  if (past.trouble !== undefined)
    session.err(`${session.painter('err')('yellow', 'tsched:')} ${past.trouble}\n`);
  const listed = jobs.map((job) => {
    const isPaused = past.pauses.has(job.id);
    return listedJob(job, { now: session.now, timezone: options.tz, isPaused });
  });
  return { path, timezone, jobs: listed, past };
}

const NO_PAST: ListPast = { jobs: new Map(), pauses: new Map(), daemon: 'No daemon is running.' };

async function pastFor(
  file: string,
  ids: readonly JobId[],
  { options, session }: { readonly options: ListOptions; readonly session: Session },
): Promise<ListPast> {
  const state = stateIfAny(options.stateDir, session.environment);
  if (state === undefined || !existsSync(state)) return NO_PAST;
  const { pastOf } = await import('./list-past.ts');
  return pastOf({ state, file, ids, now: session.now });
}

function asJson({ jobs, past }: Listing, fixed: string | undefined): string {
  const shapes = jobs.map(({ nextAt, schedule: { timezone }, ...job }) => ({
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
    pool: job.pool,
    runsOn: job.runsOn,
    waitsFor: job.waitsFor,
    tags: job.tags,
    params: job.params,
    origin: job.source === null ? 'added' : 'file',
    source: job.source,
    lastRun: lastRun(past.jobs.get(job.id)),
    recent: past.jobs.get(job.id)?.outcomes ?? [],
  }));
  return `${printableJson({ jobs: shapes })}\n`;
}

function lastRun(history: LastRuns | undefined): object | null {
  if (history === undefined) return null;
  const { id, scheduledAt, attempts, finishedAt, outcome } = history.last;
  const startedAt = attempts[0]?.startedAt;
  return {
    id,
    scheduledAt: rfc3339(scheduledAt),
    startedAt: startedAt === undefined ? null : rfc3339(startedAt),
    finishedAt: finishedAt === undefined ? null : rfc3339(finishedAt),
    outcome: outcomeShape(outcome),
  };
}

function asTable(
  { path, timezone, jobs, past }: Listing,
  fixed: string | undefined,
  session: Session,
): string {
  const zoned = fixed === undefined && jobs.some(({ schedule }) => schedule.timezone !== timezone);
  const described = jobs.some(({ description }) => description !== null);
  const hasRun = past.jobs.size > 0;
  const scattered = jobs.some(({ source }) => source?.file !== path);
  const heading = [
    'ID',
    'SCHEDULE',
    ...(zoned ? ['ZONE'] : []),
    'NEXT',
    '',
    ...(hasRun ? ['LAST', '', 'RESULT', '', 'RECENT'] : []),
    ...(scattered ? ['FROM'] : []),
    ...(described ? ['DESCRIPTION'] : []),
  ];
  const cells = jobs.map((job): Cell[] => [
    { text: printable(job.id), style: 'bold' },
    { text: printable(job.inWords) },
    ...(zoned ? [{ text: job.schedule.timezone, style: 'dim' as const }] : []),
    ...nextCells(job, fixed ?? job.schedule.timezone, session.now),
    ...(hasRun ? pastCells(past.jobs.get(job.id), fixed ?? job.schedule.timezone, session.now) : []),
    ...(scattered ? [{ text: whence(job), style: 'dim' as const }] : []),
    ...(described ? [{ text: printable(job.description ?? ''), style: 'dim' as const }] : []),
  ]);
  const times = zoned ? "each job's zone" : (fixed ?? timezone);
  const paint = session.painter('out');
  const { isWhole, ...shown } = fitted({ heading, rows: cells }, session.columns, concessions(heading));
  const more = isWhole ? '' : 'This terminal is too narrow for all of it; in full: tsched list | less -S\n';
  const footer = `\n${summary(jobs, past)} in ${shownPath(path)}. Times in ${times}.  ${past.daemon}\n${more}`;
  return `${table(shown.heading, shown.rows, paint)}${paint('dim', footer)}`;
}

/** What a narrow terminal goes without, the least needed first. */
function concessions(heading: readonly string[]): Concession[] {
  const column = (name: string): number => heading.indexOf(name);
  const after = (name: string): number => (column(name) < 0 ? -1 : column(name) + 1);
  return [
    { column: column('DESCRIPTION'), least: 12 },
    { column: after('LAST') },
    { column: after('RESULT') },
    { column: column('SCHEDULE'), least: 24 },
    { column: column('DESCRIPTION') },
    { column: column('FROM') },
    { column: after('NEXT') },
    { column: column('SCHEDULE'), least: 12 },
  ];
}

/** Told where not all jobs are of the one file that the last line names. */
function whence({ source }: ListedJob): string {
  return source === null ? 'added' : `${shownPath(source.file)}:${source.line}`;
}

function nextCells({ nextAt, state, otherwise, waitsFor }: ListedJob, timezone: string, now: number): Cell[] {
  if (waitsFor !== null) return [{ text: 'waiting', style: 'cyan' }, { text: `for ${printable(waitsFor)}` }];
  if (state === 'disabled' || state === 'paused') return [{ text: state, style: 'yellow' }, { text: '' }];
  if (state === 'faulted') return [{ text: state, style: 'red' }, { text: '' }];
  if (nextAt !== null) {
    return [{ text: fromNow(nextAt, now), style: 'green' }, { text: shortTime(nextAt, timezone, now) }];
  }
  return [{ text: otherwise, style: 'dim' }, { text: '' }];
}

function pastCells(history: LastRuns | undefined, timezone: string, now: number): Cell[] {
  if (history === undefined)
    return [{ text: 'never', style: 'dim' }, { text: '' }, { text: '' }, { text: '' }, { text: '' }];
  const { last, outcomes } = history;
  const at = last.attempts[0]?.startedAt ?? last.claimedAt;
  const length = lengthOf(last);
  return [
    { text: ago(at, now) },
    { text: shortTime(at, timezone, now) },
    resultCell(last, now),
    { text: length === undefined ? '' : elapsed(length) },
    { text: outcomes.map(dot).reverse().join('') },
  ];
}

/** Of a run's outcome; the newest stands last, as on a line of time. */
function dot(outcome: LastRuns['outcomes'][number]): string {
  if (outcome === 'succeeded') return '•';
  if (outcome === 'active') return '…';
  return outcome === 'cancelled' ? '-' : 'x';
}

function summary(jobs: readonly ListedJob[], past: ListPast): string {
  const failing = [...past.jobs.values()].filter(
    ({ outcomes }) => dot(outcomes.find((outcome) => outcome !== 'active') ?? 'active') === 'x',
  ).length;
  const counts = [
    [failing, 'failing'],
    [jobs.filter(({ state }) => state === 'paused').length, 'paused'],
    [jobs.filter(({ state }) => state === 'disabled').length, 'disabled'],
    [jobs.filter(({ source }) => source === null).length, 'added'],
  ].flatMap(([count, word]) => (count === 0 ? [] : [`, ${count} ${word}`]));
  return `${jobs.length} job${jobs.length === 1 ? '' : 's'}${counts.join('')}`;
}
