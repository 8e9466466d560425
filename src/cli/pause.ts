import type { Duration } from '../model.ts';
import { printable, printableJson } from '../observe/text.ts';
import { fromNow, localDateTime, rfc3339 } from '../observe/when.ts';
import { Client, type ClientOptions } from './client.ts';
import { exit } from './exit.ts';
import type { Session } from './session.ts';
import { instantOf, type ToldJob } from './told.ts';
import { momentOf } from './zones.ts';

export interface ResumeOptions extends ClientOptions {
  readonly json?: boolean;
}

export interface PauseOptions extends ResumeOptions {
  readonly for?: Duration;
  /** As people write it: local to each job where it has no offset. */
  readonly until?: string;
  readonly reason?: string;
}

/** Lets jobs rest. Gives the exit code. */
export async function pause(
  ids: readonly string[],
  options: PauseOptions,
  session: Session,
): Promise<number> {
  const { reason, until } = options;
  return forEach(ids, { options, session }, (job) => ({
    path: 'pause',
    body: {
      ...(reason === undefined ? {} : { reason }),
      ...(until === undefined ? {} : { until: rfc3339(momentOf(until, job.timezone, '--until')) }),
      ...(options.for === undefined ? {} : { for: `${options.for}ms` }),
    },
  }));
}

/** Ends the rest of jobs. Gives the exit code. */
export async function resume(
  ids: readonly string[],
  options: ResumeOptions,
  session: Session,
): Promise<number> {
  return forEach(ids, { options, session }, () => ({ path: 'resume' }));
}

interface Wish {
  readonly path: 'pause' | 'resume';
  readonly body?: object;
}

/** All of them have to be there before anything is done to one. */
async function forEach(
  ids: readonly string[],
  { options, session }: { readonly options: ResumeOptions; readonly session: Session },
  wishFor: (job: ToldJob) => Wish,
): Promise<number> {
  const client = new Client(options, session);
  const wishes: [string, Wish, ToldJob][] = [];
  for (const id of ids) {
    const path = `/jobs/${encodeURIComponent(id)}`;
    const job = await client.get<ToldJob>(path);
    wishes.push([path, wishFor(job), job]);
  }
  const jobs: ToldJob[] = [];
  for (const [path, wish, before] of wishes) {
    const job = await client.post<ToldJob>(`${path}/${wish.path}`, wish.body);
    jobs.push(job);
    if (options.json !== true) session.out(`${toldOf(before, job, session)}\n`);
  }
  if (options.json === true) session.out(`${printableJson({ jobs })}\n`);
  return exit.ok;
}

/** `backup is paused until Tue 2026-11-24 18:00:00 +01:00 (in 2h): moving disks` */
function toldOf(
  before: ToldJob,
  { id, timezone, pause, enabled, nextAt }: ToldJob,
  { now }: Session,
): string {
  const at = (text: string): string => {
    const instant = Date.parse(text);
    return `${localDateTime(instant, timezone)} (${fromNow(instant, now)})`;
  };
  const off = enabled ? '' : '; it is disabled in the job file too';
  if (pause === null) {
    const next = nextAt === null ? '' : `; next ${at(nextAt)}`;
    return `${printable(id)} ${before.pause === null ? 'was not paused' : 'is resumed'}${off}${next}`;
  }
  const end = instantOf(pause.until) === undefined ? '' : ` until ${at(pause.until ?? '')}`;
  const reason = pause.reason === null ? '' : `: ${printable(pause.reason)}`;
  return `${printable(id)} is paused${end}${off}${reason}`;
}
