/** What the API tells (src/http/shapes.ts). Instants are RFC 3339. */

export type Scope = 'open' | 'read' | 'run' | 'admin';

export interface Session {
  readonly by: string;
  readonly scope: Scope;
}

export type Kind =
  | 'succeeded'
  | 'failed'
  | 'killed'
  | 'timed_out'
  | 'threw'
  | 'not_started'
  | 'cancelled'
  | 'lost';

export interface Outcome {
  readonly kind: Kind;
  readonly exitCode?: number;
  readonly status?: number;
  readonly signal?: string;
  readonly afterMs?: number;
  readonly message?: string;
  readonly hint?: string;
  readonly by?: string;
}

export interface Attempt {
  readonly number: number;
  readonly startedAt: string;
  readonly finishedAt: string | null;
  readonly durationMs: number | null;
  /** Of a cluster. */
  readonly node: string | null;
  /** Of a cluster, while no node has begun it: the labels that it needs of one. */
  readonly awaits: readonly string[] | null;
  readonly pid: number | null;
  readonly cancelledBy: string | null;
  readonly outcome: Outcome | null;
}

export interface Run {
  readonly id: string;
  readonly jobId: string;
  readonly scheduledAt: string;
  readonly claimedAt: string;
  readonly startedAt: string | null;
  readonly finishedAt: string | null;
  readonly cause: string;
  readonly state: 'claimed' | 'waiting' | 'running' | 'retrying' | 'finished';
  readonly retryAt: string | null;
  readonly outcome: Outcome | null;
  readonly attempts: readonly Attempt[];
  /** Of a run in parts. */
  readonly shards: readonly Shard[] | null;
}

export interface Shard {
  readonly id: string;
  readonly index: number;
  readonly matrix: Readonly<Record<string, string>> | null;
  readonly state: Run['state'];
  readonly outcome: Outcome | null;
  readonly attempts: readonly Attempt[];
}

export interface Skip {
  readonly jobId: string;
  readonly scheduledAt: string;
  readonly through: string;
  readonly count: number | null;
  readonly state: 'skipped';
  readonly reason: string;
  readonly at: string;
}

export type Row = Run | Skip;

export interface Pause {
  readonly since: string;
  readonly until: string | null;
  readonly reason: string | null;
}

export type JobState = 'scheduled' | 'paused' | 'disabled' | 'ended' | 'faulted';

export interface Params {
  readonly properties: Readonly<
    Record<
      string,
      {
        readonly type: string;
        readonly description?: string;
        readonly default?: unknown;
        readonly enum?: readonly unknown[];
      }
    >
  >;
  readonly required?: readonly string[];
}

export interface Job {
  readonly id: string;
  readonly description: string | null;
  readonly schedule: string;
  readonly scheduleInWords: string;
  readonly timezone: string;
  readonly nextAt: string | null;
  readonly state: JobState;
  readonly pause: Pause | null;
  readonly fault: string | null;
  readonly task: string;
  readonly tags: readonly string[];
  /** What its runs may be given, as JSON Schema; null: anything. */
  readonly params: Params | null;
  readonly origin: 'file' | 'added';
  /** Null for a job that was added. */
  readonly source: { readonly file: string; readonly line: number } | null;
  readonly active: readonly Run[];
  readonly waiting: number;
  readonly lastRun: Run | null;
  /** Newest first. */
  readonly recent: readonly (Kind | 'active')[];
  /** Of those same runs; null of one that is not over, or never started. */
  readonly recentDurationsMs: readonly (number | null)[];
}

export interface Definition {
  readonly task: {
    readonly kind: string;
    readonly script?: string;
    readonly argv?: readonly string[];
    readonly path?: string;
    readonly export?: string;
    readonly isolation?: string;
    /** Names of what it is given. */
    readonly with?: readonly string[];
    readonly method?: string;
    readonly url?: string;
  };
  readonly cwd: string;
  readonly env: readonly string[];
  readonly user: string | null;
  readonly group: string | null;
  readonly timeoutMs: number | null;
  readonly retry: { readonly limit: number; readonly backoff: string; readonly delayMs: number };
  readonly misfire: { readonly run: string; readonly graceMs: number | null; readonly max: number };
  readonly overlap: string;
  readonly maxInstances: number;
  readonly onShutdown: string;
  readonly priority: number;
  readonly output: { readonly maxSize: number; readonly keep: number };
}

export interface JobDetail extends Job {
  readonly definition: Definition;
}

/** What was on one day of the job's calendar. */
export interface JobDay {
  readonly day: string;
  readonly since: string;
  /** Not included. */
  readonly until: string;
  readonly succeeded: number;
  readonly failed: number;
  readonly cancelled: number;
  readonly active: number;
  /** Null: some. */
  readonly skipped: number | null;
}

export interface NextTime {
  readonly at: string;
  readonly local: string;
  readonly note: string | null;
}

/** What became of the slots and runs that were scheduled in an hour. */
export interface Hour {
  readonly at: string;
  readonly succeeded: number;
  readonly failed: number;
  readonly cancelled: number;
  readonly active: number;
  readonly skipped: number;
  readonly delayMs: { readonly p50: number; readonly p99: number } | null;
}

export interface Hours {
  readonly hours: readonly Hour[];
  /** Not null: what was claimed before is not counted. */
  readonly countedFrom: string | null;
}

/** One run, or several short ones that are too close together to be told apart. */
export interface Bar {
  readonly runId: string;
  readonly scheduledAt: string;
  readonly startedAt: string | null;
  readonly finishedAt: string | null;
  /** `simulated`: it is to come, and what it is to be like was played. */
  readonly kind: Kind | 'active' | 'simulated';
  readonly runs: number;
  readonly failed: number;
}

/** A job's row of the timeline. */
export interface Lane {
  readonly jobId: string;
  readonly bars: readonly Bar[];
  readonly planned: readonly string[];
  readonly complete: boolean;
}

export interface Load {
  readonly stepMs: number;
  readonly active: readonly number[];
  readonly planned: readonly number[];
  readonly busiest: readonly { readonly at: string; readonly runs: number; readonly planned: boolean }[];
}

export interface Status {
  readonly version: string;
  readonly startedAt: string;
  readonly stopping: boolean;
  readonly file: string;
  readonly loadedAt: string;
  readonly fileProblem: { readonly since: string; readonly message: string } | null;
  readonly store: { readonly kind: string; readonly message?: string; readonly hint?: string };
  readonly jobs: Readonly<Record<JobState, number>>;
  /** Ids; null where history cannot be read. */
  readonly failing: readonly string[] | null;
  readonly active: number;
  readonly waiting: number;
  /** Whether it is a node of one. */
  readonly cluster: boolean;
}

export interface FileProblem {
  readonly severity: 'error' | 'warning';
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly message: string;
  readonly hint: string | null;
  /** The line, with a caret. */
  readonly frame: string | null;
}

export function isRun(row: Row): row is Run {
  return row.state !== 'skipped';
}

/** An end that somebody should look at. */
export function isBad(kind: Kind | 'active' | undefined): boolean {
  return kind !== undefined && kind !== 'succeeded' && kind !== 'cancelled' && kind !== 'active';
}

export function isOver(run: Run): boolean {
  return run.state === 'finished';
}

/** From its first start to its end, or until now. Milliseconds; undefined before it started. */
export function lengthOf(run: Run, now: number): number | undefined {
  if (run.startedAt === null) return undefined;
  const end = run.finishedAt === null ? now : Date.parse(run.finishedAt);
  return Math.max(end - Date.parse(run.startedAt), 0);
}

/** Of sorted figures; undefined when there are none. */
export function quantile(sorted: readonly number[], part: number): number | undefined {
  return sorted[Math.min(Math.floor(sorted.length * part), sorted.length - 1)];
}

/** How long the job's runs usually take: half of the last ones that succeeded took less. */
export function expectedOf(job: Job | undefined): number | undefined {
  if (job === undefined) return undefined;
  const { recent, recentDurationsMs } = job;
  const known = recentDurationsMs.filter((each, index) => each !== null && recent[index] === 'succeeded');
  return quantile(
    (known as number[]).sort((one, other) => one - other),
    0.5,
  );
}

/** Milliseconds after it was due from which on nobody calls it on time. */
const LATE = 5000;

/** Due, and not begun: nothing started it, or it waits for its turn. */
export function isLate({ nextAt, state, waiting }: Job, now: number): boolean {
  return waiting > 0 || (state === 'scheduled' && nextAt !== null && Date.parse(nextAt) < now - LATE);
}
