/**
 * What an API, a command or a page may ask of a running daemon. Declared here so that those who ask know nothing of how
 * it is answered; operator.ts answers.
 */
import type {
  Arguments,
  Duration,
  Instant,
  JobDefinition,
  JobId,
  Outcome,
  Pause,
  RunId,
  RunRecord,
} from '../model.ts';
import type { PoolView, Waited } from '../pool.ts';
import type { ClusterOperator } from './ports-cluster.ts';
import type { DaemonFigures, Readiness } from './ports-figures.ts';
import type { Hours, JobDays, Lane, LanesQuery, Load, Window } from './ports-timeline.ts';
import type { SimulationRequest } from './ports-simulate.ts';
import type { Graph } from '../schedule/graph.ts';
import type { SlotAnswer } from './ports-why.ts';
import type { ReloadPlan } from './ports-reload.ts';
import type { ReplayOperator } from './ports-replays.ts';
import type { EngineEvent, HistoryRow } from './ports.ts';
import type { Answer, FileProblem } from './refusal.ts';

export type { Answer, FileProblem, Refusal } from './refusal.ts';
export type { ReloadPlan } from './ports-reload.ts';
export type { SlotAnswer, SlotLink } from './ports-why.ts';

/** `scheduled`: it has a next slot, or runs at a start; `ended`: no slot will come; `faulted`: its trigger was stopped. */
export type JobState = 'scheduled' | 'paused' | 'disabled' | 'ended' | 'faulted';

export const JOB_STATES: readonly JobState[] = ['scheduled', 'paused', 'disabled', 'ended', 'faulted'];

export interface JobView {
  readonly definition: JobDefinition;
  /** The job file, or somebody who added it while the daemon ran. */
  readonly origin: 'file' | 'added';
  /** As the job file has it, and in words. */
  readonly schedule: string;
  readonly scheduleInWords: string;
  readonly state: JobState;
  readonly nextAt: Instant | undefined;
  readonly pause: Pause | undefined;
  /** Why its trigger was stopped, if it was. */
  readonly fault: string | undefined;
  readonly active: readonly RunRecord[];
  /** Slots that wait for their turn. */
  readonly waiting: number;
  /** What the first of them, or a run by hand, waits for, if that is a limit. */
  readonly waitsFor: Waited | undefined;
  /** Its newest run, if history can be read. */
  readonly last: RunRecord | undefined;
  /** Of its newest runs, newest first. */
  readonly recent: readonly (Outcome['kind'] | 'active')[];
  /** From the first start to the end, of those same runs; undefined of one that is not over, or never started. */
  readonly recentDurations: readonly (Duration | undefined)[];
}

/** A coming time. */
export interface NextTime {
  readonly at: Instant;
  /** As the clock on the wall has it then, with the offset. */
  readonly local: string;
  /** What a clock change does to it. */
  readonly note: string | undefined;
}

export interface RunPage {
  readonly rows: readonly HistoryRow[];
  /** Where the next page begins; undefined after the last. */
  readonly next: string | undefined;
  /** Of each run, how many characters of its id tell it from every other's; where that was asked for. */
  readonly uniqueLengths?: ReadonlyMap<RunId, number> | undefined;
}

/** What a row can be asked for by: `failed` is every unsuccessful end but `cancelled`, `active` what is not over. */
export const STATUSES = [
  'succeeded',
  'failed',
  'killed',
  'timed_out',
  'threw',
  'not_started',
  'lost',
  'cancelled',
  'skipped',
  'active',
] as const;
export type Status = (typeof STATUSES)[number];

export interface RunQuery {
  readonly jobId?: JobId | undefined;
  /** By scheduled time, both included. */
  readonly since?: Instant | undefined;
  readonly until?: Instant | undefined;
  readonly statuses?: readonly Status[] | undefined;
  readonly limit: number;
  /** From an earlier page of the same query. */
  readonly cursor?: string | undefined;
  readonly withUniqueLengths?: boolean | undefined;
}

/** The output of one attempt, as it is now. Close it. */
export interface OpenOutput {
  readonly attempt: number;
  readonly size: number;
  /** Bytes from `start` up to, not including, `end`; fewer where the file was cut meanwhile. */
  read(start: number, end: number): AsyncIterable<Uint8Array>;
  close(): Promise<void>;
}

/** A piece of output that came, as text. */
export interface OutputPiece {
  readonly attempt: number;
  /** Bytes of the attempt's output up to the end of this piece. */
  readonly offset: number;
  readonly text: string;
}

/** Where a stream of output goes on. */
export interface OutputPlace {
  readonly attempt: number;
  /** In bytes. */
  readonly offset: number;
}

export interface DaemonStatus {
  /** Of a cluster: the name of this node, which conducts. */
  readonly node: string | undefined;
  readonly version: string;
  readonly pid: number;
  readonly startedAt: Instant;
  readonly stopping: boolean;
  /** The job file, absolute. */
  readonly file: string;
  readonly loadedAt: Instant;
  /** Why what the job file holds now is not what runs. */
  readonly fileProblem: { readonly since: Instant; readonly message: string } | undefined;
  readonly store:
    | { readonly kind: 'well' }
    | { readonly kind: 'memory' }
    | {
        readonly kind: 'degraded';
        readonly since: Instant;
        readonly message: string;
        readonly hint?: string | undefined;
      };
  readonly jobs: Readonly<Record<JobState, number>>;
  /** Whose newest run ended unsuccessfully; undefined where history cannot be read. */
  readonly failing: readonly JobId[] | undefined;
  readonly active: number;
  readonly waiting: number;
  readonly next: { readonly jobId: JobId; readonly at: Instant } | undefined;
}

export interface Validation {
  readonly jobs: number;
  /** What the text would change in place of the job file; undefined where it has errors. */
  readonly plan: ReloadPlan | undefined;
  readonly errors: readonly FileProblem[];
  readonly warnings: readonly FileProblem[];
}

export interface Explanation {
  readonly expression: string;
  readonly words: string;
  readonly timezone: string;
  /** What surprises people though it is right. */
  readonly warnings: readonly string[];
  readonly times: readonly NextTime[];
}

export interface ExplainQuestion {
  readonly expression: string;
  readonly timezone?: string | undefined;
  readonly count: number;
  /** The job id that H is drawn from. */
  readonly id?: string | undefined;
}

/** What happens, as those who watch a daemon are told. */
export type DaemonEvent =
  | EngineEvent
  /** The job file was read again and not taken over. */
  | { readonly kind: 'reload_refused'; readonly cause: string; readonly reason: string }
  /** After such a refusal it holds again what runs. */
  | { readonly kind: 'file_mended'; readonly cause: string };

export interface FeedEntry {
  /** Tells this event from all others, those of earlier daemons too. */
  readonly id: string;
  readonly at: Instant;
  readonly event: DaemonEvent;
}

export interface Subscription {
  /** Events since the one named are no longer known: what was built from them has to be asked for anew. */
  readonly missed: boolean;
  /** The newest event's id: to subscribe after it is to miss nothing. */
  readonly last: string;
  readonly close: () => void;
}

export interface RunRequest {
  /** The same key again is the same run, not another one. */
  readonly key?: string | undefined;
  /** What the task gets beside, or instead of, what its job gives it. */
  readonly given?: Arguments | undefined;
  /** Who asks, for the log. */
  readonly by: string;
}

export interface StopWish {
  /** Waits for no run. */
  readonly now: boolean;
  /** Waits for active runs without a limit. */
  readonly drain: boolean;
}

export interface BegunRun {
  readonly run: RunRecord;
  /** It had been asked for by this key before. */
  readonly replayed: boolean;
}

export interface PauseRequest {
  readonly until?: Instant | undefined;
  /** Instead of `until`. */
  readonly for?: Duration | undefined;
  readonly reason?: string | undefined;
  readonly by: string;
}

export interface AddJobsRequest {
  /** A job file. */
  readonly text: string;
  /** What relative paths in it are relative to; absolute. By default the directory of the daemon's own job file. */
  readonly directory: string | undefined;
  /** Also in place of jobs of the same id. */
  readonly replace: boolean;
  readonly by: string;
}

/** Neither: there were jobs alike. */
export interface AddedJobs {
  readonly added: readonly JobId[];
  readonly changed: readonly JobId[];
}

/** How runs lie in time, past ones and coming ones, of all jobs. */
export interface Timeline {
  hours(window: Window): Promise<Answer<Hours>>;
  lanes(query: LanesQuery): Promise<Answer<readonly Lane[]>>;
  load(window: Window): Promise<Answer<Load>>;
}

/** What may be asked of any daemon, also of a node of a cluster that does not conduct. */
export interface NodeOperator {
  /** Absent: this daemon is alone. */
  readonly cluster?: ClusterOperator | undefined;
  readiness(): Readiness;
  /** Asks it to stop and does not wait for that. */
  stop(request: StopWish & { readonly by: string }): void;
}

/** What an API or a command may ask of a running daemon that decides over jobs. */
export interface Operator extends NodeOperator {
  readonly timeline: Timeline;
  status(): Promise<DaemonStatus>;
  pools(): readonly PoolView[];
  /** By id, those after `after`. */
  jobs(page: { readonly after?: JobId | undefined; readonly limit: number }): Promise<readonly JobView[]>;
  job(jobId: JobId): Promise<Answer<JobView>>;
  next(jobId: JobId, count: number): Answer<readonly NextTime[]>;
  /** Of all jobs that follow, or need, others; or of those that hang together with one. */
  graph(around?: JobId): Answer<Graph>;
  /** Of the newest slot that has come, or of the one at that time; in words for that zone, or for the job's. */
  why(jobId: JobId, at?: Instant, timezone?: string): Promise<Answer<SlotAnswer>>;
  /** The last `count` days of the job's zone, up to today. */
  days(jobId: JobId, count: number): Promise<Answer<JobDays>>;
  runs(query: RunQuery): Promise<Answer<RunPage>>;
  /** Wherever a run is named, the beginning of its id will do if no other run begins so. */
  run(runId: RunId): Promise<Answer<RunRecord>>;
  /** Without `attempt`: of the newest. */
  output(runId: RunId, attempt?: number): Promise<Answer<OpenOutput>>;
  /** All output from a place on, attempt after attempt, until the run is over or `signal` says so. */
  followOutput(
    runId: RunId,
    from: OutputPlace | undefined,
    signal: AbortSignal,
  ): Promise<Answer<AsyncIterable<OutputPiece>>>;
  /** Tells what happens from now on, or from after the event named. */
  subscribe(listener: (entry: FeedEntry) => void, after?: string): Subscription;

  /** Runs the job once, now, beside its schedule. */
  runNow(jobId: JobId, request: RunRequest): Promise<Answer<BegunRun>>;
  /** Runs the job of a run that is over once more, with what that run was given, as a run of its own. */
  retry(runId: RunId, request: RunRequest): Promise<Answer<BegunRun>>;
  cancel(runId: RunId, by: string): Promise<Answer<RunRecord>>;
  readonly replays: ReplayOperator;
  pause(jobId: JobId, request: PauseRequest): Promise<Answer<JobView>>;
  resume(jobId: JobId, by: string): Promise<Answer<JobView>>;
  /** Adds all jobs of a text, or none; the same again changes nothing. They outlive the daemon. */
  addJobs(request: AddJobsRequest): Promise<Answer<AddedJobs>>;
  removeJob(jobId: JobId, by: string): Promise<Answer<JobId>>;
  /** Reads the job file again and takes it over; with `dryRun` only tells what that would change. */
  reload(request: { readonly dryRun: boolean; readonly by: string }): Promise<Answer<ReloadPlan>>;
  /** Checks the text of a job file as if it were the daemon's own. */
  validate(text: string): Promise<Validation>;
  explain(question: ExplainQuestion): Answer<Explanation>;
  /** As JSON: it is made where it does not hold up the loop. */
  simulate(request: SimulationRequest): Promise<Answer<string>>;

  /** For metrics: every job as it stands, without its history. */
  standing(): Iterable<Standing>;
  /** For metrics. */
  figures(): DaemonFigures;
}

/** A job as it stands, in figures. */
export interface Standing {
  readonly jobId: JobId;
  readonly state: JobState;
  readonly nextAt: Instant | undefined;
  readonly active: number;
  readonly waiting: number;
  /** Scheduled time of its newest run that succeeded. */
  readonly lastSuccessAt: Instant | undefined;
}
