/** What was, for commands that look back: out of the database of the state directory, or as the daemon of this node tells it. */
import type { HistoryRow } from '../engine/ports.ts';
import type { Instant, JobId, RunId, RunRecord } from '../model.ts';
import type { RowQuery } from '../store/history.ts';
import type { Failure } from './exit.ts';
import type { OpenOutput } from './output-file.ts';
import { clusterDatabase, withHistory } from './past.ts';
import type { Session } from './session.ts';

/** A row of the history, and how programs get it: as the API tells it, with the size of its output on this host. */
export interface PastRow {
  readonly row: HistoryRow;
  shape(): object;
}

/** What jobs are known, by the history or otherwise. */
export interface KnownJobs {
  knows(jobId: JobId): Promise<boolean>;
  jobIds(): Promise<readonly JobId[]>;
}

/** What attempts printed. */
export interface Outputs {
  /** Undefined: there is none, or none any more. Close it. */
  open(run: RunId, attempt: number): Promise<OpenOutput | undefined>;
  /** Calls `grown` when there may be more of the run's output. Undefined: nobody tells, one has to look. Gives what ends that. */
  watch(run: RunId, grown: () => void): (() => void) | undefined;
  /** Where that of the run lies, or lay; for people. */
  where(run: RunId): string;
  /** Whether a daemon is there that goes on with what is not over. */
  isAlive(): boolean;
}

export interface PastSource extends KnownJobs {
  readonly outputs: Outputs;
  /** Whether a daemon has it loaded, or had it when it ended. */
  isLoaded(jobId: JobId): Promise<boolean>;
  /** The zone the job was last loaded with; undefined when it is not loaded. */
  zone(jobId: JobId): Promise<string | undefined>;
  /** As `rows` of a HistoryReader. */
  rows(query: RowQuery): Promise<readonly PastRow[]>;
  /** How many characters of the id, of a run that `rows` has given, tell it from every other run's. */
  uniqueLength(id: RunId): number;
  run(idOrPrefix: RunId): Promise<RunRecord | 'ambiguous' | undefined>;
  latestRun(jobId: JobId): Promise<RunRecord | undefined>;
  /** Why it may tell less than there is; undefined: it tells all. */
  trouble(): Promise<Failure | undefined>;
}

/**
 * Does something with the past; with undefined where there is none yet. The part that asks a daemon is loaded where it is needed.
 * @throws Failure when it is there but cannot be read; 69 where a daemon would have to tell it and none runs
 */
export async function withPast<T>(
  state: string,
  session: Session,
  work: (past: PastSource | undefined) => Promise<T>,
): Promise<T> {
  if (clusterDatabase(state) !== undefined) {
    const { toldPast } = await import('./told-past.ts');
    return work(toldPast(state, session));
  }
  const { StoredPast } = await import('./stored-past.ts');
  return withHistory(state, (history) => work(history && new StoredPast(history, state)));
}

/** As a query of the API has it. */
export function isoOf(at: Instant): string {
  return new Date(at).toISOString();
}
