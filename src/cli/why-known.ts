/** What is known of a job, gathered from the job file, the history and the daemon. */
import type { Duration, JobDefinition, JobId, Schedule } from '../model.ts';
import type { KnownJob } from '../operator/wording.ts';
import { scheduleOf } from '../schedule/fingerprint.ts';
import type { HistoryReader } from '../store/history.ts';
import { Client } from './client.ts';
import { Failure, isFailure } from './exit.ts';
import { findJobFile } from './find-file.ts';
import { loadJobs } from './job-file.ts';
import { assertKnown } from './known-job.ts';
import { lastFile } from './last-file.ts';
import { runningDaemon } from './past.ts';
import type { Session } from './session.ts';
import { StoredPast } from './stored-past.ts';
import { waitOf, type ToldJob } from './told.ts';
import type { Answer } from './why-answer.ts';

export interface WhyOptions {
  readonly file?: string;
  readonly stateDir?: string;
  readonly tz?: string;
  readonly json?: boolean;
}

interface Origins {
  readonly history: HistoryReader | undefined;
  readonly state: string;
  readonly options: WhyOptions;
  readonly session: Session;
}

/** A job, and the definitions of all others, as far as they are known. */
interface Gathered {
  readonly known: KnownJob;
  readonly definition: (jobId: JobId) => JobDefinition | undefined;
}

/** @throws Failure when the id is unknown, or neither the job file nor the history says what the job's schedule is */
export async function gather(id: JobId, { history, state, options, session }: Origins): Promise<Gathered> {
  const daemon = runningDaemon(state);
  const place = history?.place(id);
  const stored = place === undefined ? undefined : scheduleOf(place.schedule);
  const jobs = await definitions({ file: options.file ?? usualFile(state), stored, session });
  const job = jobs.get(id);
  if (job === undefined) {
    const past = history && new StoredPast(history, state);
    await assertKnown(id, { past, file: options.file, session });
  }
  const pause = history?.pauses().get(id);
  const known = { id, job, schedule: job?.schedule ?? stored, place, pause, daemon };
  return { known, definition: (jobId) => jobs.get(jobId) };
}

/** The newest daemon's, where there is none in the usual places. */
function usualFile(state: string): string | undefined {
  try {
    return findJobFile(undefined);
  } catch (error) {
    const file = lastFile(state);
    if (file === undefined) throw error;
    return file;
  }
}

/** A file that is broken just now is no reason not to answer: the history knows the schedule too. */
async function definitions({
  file,
  stored,
  session,
}: {
  file: string | undefined;
  stored: Schedule | undefined;
  session: Session;
}): Promise<ReadonlyMap<JobId, JobDefinition>> {
  try {
    const { jobs } = await loadJobs(file, session);
    return new Map(jobs.map((job) => [job.id, job]));
  } catch (error) {
    if (!(error instanceof Failure) || stored === undefined) throw error;
    session.err(`tsched: ${error.message}; answering by what the newest daemon knew\n`);
    return new Map();
  }
}

/** Whoever asks wants an answer now. */
const PATIENCE: Duration = 5000;

/** An answer for a slot that waits, with what it waits for; of no other slot the daemon is asked. */
export async function withWait(answer: Answer, session: Session): Promise<Answer> {
  const { known } = answer;
  const { daemon, id } = known;
  if (answer.verdict.reason !== 'waiting' || daemon === undefined || daemon === 'unknown') return answer;
  if (daemon.socket === undefined) return answer;
  try {
    const client = new Client({ socket: daemon.socket }, session);
    const { waitsFor } = await client.get<ToldJob>(`/jobs/${encodeURIComponent(id)}`, PATIENCE);
    return waitsFor === null ? answer : { ...answer, known: { ...known, waitsFor: waitOf(waitsFor) } };
  } catch (error) {
    if (isFailure(error)) return answer;
    throw error;
  }
}
