import type { RunRecord } from '../model.ts';
import { elapsed, printable, printableJson } from '../observe/text.ts';
import { ago, fromNow, roughly, shortTime } from '../observe/when.ts';
import { Client, type ClientOptions } from './client.ts';
import { show } from './live-view.ts';
import { resultCell } from './results.ts';
import { lengthOf } from '../schedule/run-length.ts';
import type { Session } from './session.ts';
import { table, type Cell } from './table.ts';
import { instantOf, runOf, type ToldJob, type ToldRun, type ToldStatus } from './told.ts';

export interface TopOptions extends ClientOptions {
  readonly json?: boolean;
}

interface Told {
  readonly status: ToldStatus;
  readonly active: readonly ToldRun[];
  readonly jobs: readonly ToldJob[];
  /** There are more jobs than were asked for. */
  readonly next: string | null;
}

/** Jobs that are asked for at once: who has more looks at a part of them. */
const MOST = 200;
const PART = `The first ${MOST} jobs by id; there are more.\n`;

/** What runs, what comes and what fails, as it happens. */
export async function top(options: TopOptions, session: Session): Promise<void> {
  const client = new Client(options, session);
  const ask = async (): Promise<Told> => {
    const [status, { runs }, { jobs, next }] = await Promise.all([
      client.get<ToldStatus>('/status'),
      client.get<{ readonly runs: readonly ToldRun[] }>(`/runs?status=active&limit=${MOST}`),
      client.get<Pick<Told, 'jobs' | 'next'>>(`/jobs?limit=${MOST}`),
    ]);
    return { status, active: runs, jobs, next };
  };
  const draw = ({ status, active, jobs, next }: Told, now: Session): string => {
    if (options.json === true) return `${printableJson({ status, active, jobs })}\n`;
    const parts = [heading(status, now), next === null ? '' : PART, running(active, now), all(jobs, now)];
    return `${parts.filter((part) => part !== '').join('\n')}\n`;
  };
  await show<Told>({ ask, draw }, client, session);
}

function heading(status: ToldStatus, { now, hostTimezone }: Session): string {
  const { version, pid, startedAt, stopping, jobs, active, waiting, failing, next, fileProblem, store } =
    status;
  const count = Object.values(jobs).reduce((sum, each) => sum + each, 0);
  const at = Date.parse(next?.at ?? '');
  const due =
    next === null
      ? 'nothing'
      : `${printable(next.jobId)} ${fromNow(at, now)} (${shortTime(at, hostTimezone, now)})`;
  const state = stopping ? 'stopping' : `running for ${roughly(now - Date.parse(startedAt))}`;
  const lines = [
    `tsched ${printable(version)} ${state}   pid ${pid}   next ${due}`,
    `jobs ${count}   paused ${jobs.paused}   failing ${failing?.length ?? '?'}   active ${active}   waiting ${waiting}`,
    ...(fileProblem === null ? [] : [`! ${printable(fileProblem.message)}`]),
    ...(store.kind === 'degraded' ? [`! history is degraded: ${printable(store.message ?? '')}`] : []),
  ];
  return `${lines.join('\n')}\n`;
}

function running(active: readonly ToldRun[], session: Session): string {
  const runs = active.map(runOf).sort((a, b) => a.claimedAt - b.claimedAt);
  if (runs.length === 0) return '';
  const cells = runs.map((run): Cell[] => [
    { text: run.id },
    { text: printable(run.jobId), style: 'bold' },
    { text: elapsed(session.now - (run.attempts[0]?.startedAt ?? run.claimedAt)) },
    { text: `${Math.max(run.attempts.length, 1)}` },
    resultCell(run, session.now),
  ]);
  return table(['RUN', 'JOB', 'FOR', 'ATT', ''], cells, session.painter('out'));
}

function all(jobs: readonly ToldJob[], session: Session): string {
  const cells = [...jobs].sort(byWeight).map((job) => cellsOf(job, session));
  return table(['ID', 'NEXT', '', 'LAST', 'RESULT', ''], cells, session.painter('out'));
}

function cellsOf(job: ToldJob, session: Session): Cell[] {
  const last = job.lastRun === null ? undefined : runOf(job.lastRun);
  return [
    { text: printable(job.id), style: 'bold' },
    ...nextCells(job, session),
    ...lastCells(last, session),
  ];
}

/** What runs, then what failed, then what comes first. */
function byWeight(a: ToldJob, b: ToldJob): number {
  const heavier = weight(b) - weight(a);
  return heavier === 0 ? (instantOf(a.nextAt) ?? Infinity) - (instantOf(b.nextAt) ?? Infinity) || 0 : heavier;
}

function weight({ active, lastRun }: ToldJob): number {
  const kind = lastRun?.outcome?.kind ?? 'succeeded';
  if (active.length > 0) return 2;
  return kind === 'succeeded' || kind === 'cancelled' ? 0 : 1;
}

function nextCells({ state, nextAt, timezone }: ToldJob, { now }: Session): Cell[] {
  const at = instantOf(nextAt);
  if (state !== 'scheduled') return [{ text: state, style: 'yellow' }, { text: '' }];
  if (at === undefined) return [{ text: 'at start', style: 'dim' }, { text: '' }];
  return [{ text: fromNow(at, now), style: 'green' }, { text: shortTime(at, timezone, now) }];
}

function lastCells(last: RunRecord | undefined, { now }: Session): Cell[] {
  if (last === undefined) return [{ text: 'never', style: 'dim' }];
  const length = lengthOf(last);
  return [
    { text: ago(last.attempts[0]?.startedAt ?? last.claimedAt, now) },
    resultCell(last, now),
    { text: length === undefined ? '' : elapsed(length) },
  ];
}
