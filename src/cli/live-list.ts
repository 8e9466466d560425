/** What `tsched list` shows where a daemon runs: its jobs as it has them. A file of its own in dist/, see build.ts. */
import type { JobId } from '../model.ts';
import type { LastRuns } from '../store/history.ts';
import { Client, type ClientOptions } from './client.ts';
import { isFailure } from './exit.ts';
import type { Listing } from './list.ts';
import { runningInWords } from './list-past.ts';
import type { ListedJob } from './listed-job.ts';
import type { Session } from './session.ts';
import { daemonOf, instantOf, runOf, type ToldJob, type ToldStatus } from './told.ts';

interface Asking {
  readonly session: Session;
  /** The daemon was named: whatever keeps it from answering is told. Else the file and the history are there to be listed. */
  readonly isNamed: boolean;
}

/** @throws Failure when a daemon that was named does not answer */
export async function liveListing(
  options: ClientOptions,
  { session, isNamed }: Asking,
): Promise<Listing | undefined> {
  try {
    return await listingOf(new Client(options, session), session);
  } catch (error) {
    if (isNamed || !isFailure(error)) throw error;
    return undefined;
  }
}

export async function listingOf(client: Client, { hostTimezone, now }: Session): Promise<Listing> {
  const status = await client.get<ToldStatus>('/status');
  const told: ToldJob[] = [];
  for (let cursor: string | null = ''; cursor !== null;) {
    const after: string = cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`;
    const page: JobPage = await client.get(`/jobs?limit=${PAGE}${after}`);
    told.push(...page.jobs);
    cursor = page.next;
  }
  const zones = new Set(told.map(({ timezone }) => timezone));
  const [zone = hostTimezone] = zones;
  return {
    path: status.file,
    timezone: zones.size === 1 ? zone : hostTimezone,
    jobs: told.map(listed),
    past: {
      jobs: new Map(told.flatMap(history)),
      pauses: new Map(),
      daemon: runningInWords(daemonOf(status), { file: status.file, now }),
    },
  };
}

/** Jobs asked for at once: a page holds up the loop that starts jobs for some milliseconds. */
const PAGE = 200;

interface JobPage {
  readonly jobs: readonly ToldJob[];
  readonly next: string | null;
}

function listed(job: ToldJob): ListedJob {
  const { id, description, tags, enabled, task, params, source, pool, runsOn, waitsFor } = job;
  const { schedule, scheduleInWords, state, timezone, nextAt } = job;
  return {
    id,
    description,
    tags,
    enabled,
    task,
    params,
    source,
    pool,
    runsOn,
    waitsFor: waitsFor?.limit ?? null,
    schedule: { timezone },
    asWritten: schedule,
    inWords: scheduleInWords,
    state,
    otherwise: otherwiseOf(schedule),
    nextAt: instantOf(nextAt) ?? null,
  };
}

function otherwiseOf(schedule: string): string {
  if (schedule.startsWith('after ')) return 'after others';
  return /(?:^|; )startup /.test(schedule) ? 'at start' : 'never';
}

function history({ id, lastRun, recent }: ToldJob): [JobId, LastRuns][] {
  return lastRun === null ? [] : [[id, { last: runOf(lastRun), outcomes: recent }]];
}
