import type { Instant, JobDefinition } from '../model.ts';
import { printable, printableJson } from '../observe/text.ts';
import { compileSchedule } from '../schedule/trigger.ts';
import { loadJobs, shownPath } from './job-file.ts';
import type { Session } from './session.ts';
import { table, type Cell } from './table.ts';
import { fromNow, localIso, rfc3339, shortTime } from './when.ts';
import { scheduleAsWritten, scheduleInWords } from './words.ts';

export interface ListOptions {
  readonly file?: string;
  readonly tz?: string;
  readonly json?: boolean;
}

/**
 * `scheduled`: it has a next slot, or runs at a start; `disabled`: by its `enabled: false`; `ended`: no slot will come.
 */
type State = 'scheduled' | 'disabled' | 'ended';

interface Row {
  readonly job: JobDefinition;
  readonly state: State;
  readonly nextAt: Instant | undefined;
}

/** Every job: its schedule, when it is next due, its state. */
export async function list(options: ListOptions, session: Session): Promise<void> {
  const file = await loadJobs(options.file, session);
  const rows = file.jobs.map((job) => rowOf(job, session.now));
  if (options.json === true) session.out(asJson(rows));
  else
    session.out(
      asTable(rows, { path: file.path, timezone: options.tz ?? file.timezone, fixed: options.tz }, session),
    );
}

function rowOf(job: JobDefinition, now: Instant): Row {
  if (!job.enabled) return { job, state: 'disabled', nextAt: undefined };
  const nextAt = compileSchedule(job.schedule, job.id).next(now);
  const atStart = job.schedule.triggers.some((trigger) => trigger.kind === 'startup');
  return { job, state: nextAt === undefined && !atStart ? 'ended' : 'scheduled', nextAt };
}

function asJson(rows: readonly Row[]): string {
  const jobs = rows.map(({ job, state, nextAt }) => ({
    id: job.id,
    description: job.description ?? null,
    schedule: scheduleAsWritten(job.schedule, rfc3339),
    scheduleInWords: inWords(job, job.schedule.timezone),
    timezone: job.schedule.timezone,
    nextAt: nextAt === undefined ? null : rfc3339(nextAt),
    nextLocal: nextAt === undefined ? null : localIso(nextAt, job.schedule.timezone),
    state,
    enabled: job.enabled,
    task: job.task.kind,
    tags: job.tags,
    lastRun: null,
  }));
  return `${printableJson({ jobs })}\n`;
}

function inWords(job: JobDefinition, timezone: string): string {
  return scheduleInWords(job.schedule, job.id, (instant) => localIso(instant, timezone).replace('T', ' '));
}

function asTable(
  rows: readonly Row[],
  view: { readonly path: string; readonly timezone: string; readonly fixed: string | undefined },
  session: Session,
): string {
  const zoned = rows.some(({ job }) => job.schedule.timezone !== view.timezone);
  const described = rows.some(({ job }) => job.description !== undefined);
  const heading = [
    'ID',
    'SCHEDULE',
    ...(zoned ? ['ZONE'] : []),
    'NEXT',
    '',
    ...(described ? ['DESCRIPTION'] : []),
  ];
  const cells = rows.map((row): Cell[] => {
    const { job } = row;
    return [
      { text: printable(job.id), style: 'bold' },
      { text: printable(inWords(job, view.fixed ?? job.schedule.timezone)) },
      ...(zoned ? [{ text: job.schedule.timezone, style: 'dim' as const }] : []),
      ...nextCells(row, view.fixed ?? job.schedule.timezone, session.now),
      ...(described ? [{ text: printable(job.description ?? ''), style: 'dim' as const }] : []),
    ];
  });
  const footer = `\n${summary(rows)} in ${shownPath(view.path)}. Times in ${view.fixed ?? "each job's zone"}${zoned || view.fixed !== undefined ? '' : `, ${view.timezone}`}.\n`;
  return `${table(heading, cells, session.painter('out'))}${session.painter('out')('dim', footer)}`;
}

function nextCells({ job, state, nextAt }: Row, timezone: string, now: Instant): Cell[] {
  if (nextAt !== undefined) {
    return [{ text: fromNow(nextAt, now), style: 'green' }, { text: shortTime(nextAt, timezone, now) }];
  }
  if (state === 'disabled') return [{ text: 'disabled', style: 'yellow' }, { text: '' }];
  const startup = job.schedule.triggers.some((trigger) => trigger.kind === 'startup');
  return [{ text: startup ? 'at start' : 'never', style: 'dim' }, { text: '' }];
}

function summary(rows: readonly Row[]): string {
  const disabled = rows.filter(({ state }) => state === 'disabled').length;
  return `${rows.length} job${rows.length === 1 ? '' : 's'}${disabled === 0 ? '' : `, ${disabled} disabled`}`;
}
