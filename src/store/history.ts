/** Questions about what was, and the shape of their answers; who asks need not know where history is kept. */
import type { Duration, Instant, JobId, Outcome, Pause, Place, RunRecord, RunId } from '../model.ts';
import type { HistoryRow } from '../engine/ports.ts';
import type { RunPage, RunQuery, Status } from '../engine/ports-operator.ts';
import type { Hours, Lane, LanesQuery, Load, Window } from '../engine/ports-timeline.ts';

export interface RowQuery {
  readonly jobId?: JobId;
  /** By scheduled time, both included. */
  readonly since?: Instant;
  readonly until?: Instant;
  /** Absent: every one. */
  readonly statuses?: readonly Status[];
  readonly limit: number;
}

/** A few figures of the whole history. */
export interface RunFigures {
  readonly runs: number;
  /** Stretches of skipped slots. */
  readonly skips: number;
  readonly active: number;
  readonly lastRunAt?: Instant;
}

/** What is left of a job's history. */
export interface Kept {
  readonly runs: number;
  /** Stretches of skipped slots. */
  readonly skips: number;
  /** The oldest slot there is a row of, and the oldest that ran. */
  readonly oldest?: Instant;
  readonly oldestRun?: Instant;
}

/** What history knows of a slot, and of its job by that. */
export interface SlotPast {
  readonly row: HistoryRow | undefined;
  readonly kept: Kept;
  /** Where the job stands; undefined while no daemon has it loaded. */
  readonly place: Place | undefined;
}

/** How much history is kept: runs (and stretches of skips) of each job, and how old they get. */
export const USUAL_KEEP = 1000;
export const USUAL_MAX_AGE: Duration = 90 * 24 * 3_600_000;

/** How the last runs of one job ended, newest first. */
export interface LastRuns {
  readonly last: RunRecord;
  readonly outcomes: readonly (Outcome['kind'] | 'active')[];
}

export interface JobHistory extends LastRuns {
  /** From the first start to the end, of those same runs; undefined of one that is not over, or never started. */
  readonly durations: readonly (Duration | undefined)[];
}

/** A stretch of time, e.g. a day. */
export interface Span {
  readonly since: Instant;
  /** Not included. */
  readonly until: Instant;
}

/** What became of a job's slots and runs in a span, by scheduled time. */
export interface SpanCount {
  readonly succeeded: number;
  readonly failed: number;
  readonly cancelled: number;
  readonly active: number;
  /** Slots; undefined: some, of which history does not say how many were in this span. */
  readonly skipped: number | undefined;
}

/** A job's rows, counted. */
export interface CountedSpans {
  /** Of runs that are over, and of skips; by span. */
  readonly counts: readonly SpanCount[];
  readonly unfinished: readonly RunRecord[];
}

/** Reads the history, whether or not a daemon is writing it. */
export interface HistoryReader {
  /** Newest first: of one job by scheduled time, of all by the moment of decision. */
  rows(query: RowQuery): HistoryRow[];
  /** By its id or the beginning of it, if only one begins so; `jobId` for its newest run. */
  run(idOrPrefix: RunId): RunRecord | 'ambiguous' | undefined;
  /** How many characters of the run's id tell it from every other run's. */
  uniqueLength(id: RunId): number;
  latestRun(jobId: JobId): RunRecord | undefined;
  /** Runs that are not over, oldest claim first. */
  unfinished(): RunRecord[];
  /** What became of the slot, or of the stretch it is in; where nothing did, the newest run by hand or of a replay that has its time. */
  slot(jobId: JobId, at: Instant): HistoryRow | undefined;
  /** The newest slot at or before `at` that there is a row of. */
  newestSlot(jobId: JobId, at: Instant): Instant | undefined;
  /** Of those of the jobs that have run. */
  jobs(ids: readonly JobId[], runs: number): Map<JobId, JobHistory>;
  /** Every job that history knows, whether or not it is in a file. */
  jobIds(): JobId[];
  /** Where the job stands; undefined while no daemon has it loaded. */
  place(jobId: JobId): Place | undefined;
  pauses(): Map<JobId, Pause>;
  kept(jobId: JobId): Kept;
  figures(): RunFigures;
  /** Loaded jobs whose newest run that is over was no success, nor cancelled. Looks at each: of 10,000 that takes 20 ms. */
  failing(): readonly JobId[];
  /** Lengths of the last attempts of runs that succeeded, newest first. */
  durations(jobId: JobId, count: number): Duration[];
  close(): void;
}

/** What was, of a job's row of the timeline. */
export type PastLane = Omit<Lane, 'planned'>;

/** Runs that were active, by minute. */
export type PastLoad = Pick<Load, 'active' | 'complete'>;

/** What the API of a daemon asks of the history. Answers come from elsewhere than the loop that starts jobs. */
export interface HistorySource {
  /** Newest first: of one job by scheduled time, of all by the moment of decision. Undefined: the cursor is not one of ours. */
  page(query: RunQuery): Promise<RunPage | undefined>;
  /** By its id or the beginning of it, if only one begins so. */
  run(idOrPrefix: RunId): Promise<RunRecord | 'ambiguous' | undefined>;
  /** Of each id, how many characters of it tell it from every other run's. */
  uniqueLengths(ids: readonly RunId[]): Promise<ReadonlyMap<RunId, number>>;
  /** The newest runs of each job. */
  jobs(ids: readonly JobId[], runs: number): Promise<ReadonlyMap<JobId, JobHistory>>;
  /** As `slot` of a reader. */
  slot(jobId: JobId, at: Instant): Promise<SlotPast>;
  /** The newest slot at or before `at` that there is a row of. */
  newestSlot(jobId: JobId, at: Instant): Promise<Instant | undefined>;
  /** Loaded jobs whose newest run ended unsuccessfully. */
  failing(): Promise<readonly JobId[]>;
  /** Spans in their order, which do not overlap. */
  counts(jobId: JobId, spans: readonly Span[]): Promise<CountedSpans>;
  hours(window: Window): Promise<Hours>;
  /** In the order of the ids asked for. */
  lanes(query: LanesQuery): Promise<readonly PastLane[]>;
  /** Of a window that is over. */
  load(window: Window): Promise<PastLoad>;
  close(): Promise<void>;
}

/** Ends that are neither success nor an operator's or the daemon's own wish. */
export const FAILED: ReadonlySet<string> = new Set([
  'failed',
  'killed',
  'timed_out',
  'threw',
  'not_started',
  'lost',
]);

/** The slot of a run, or the last of a stretch. */
export function newestSlotOf(row: HistoryRow): Instant {
  return 'run' in row ? row.run.scheduledAt : row.skip.through;
}

/** Whose a run is. */
export interface RunOwner {
  readonly jobId: JobId;
  readonly isFinished: boolean;
}
