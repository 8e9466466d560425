import type { JobId, RunId, RunRecord } from '../model.ts';
import type { RowQuery } from '../store/history.ts';
import { STATUSES } from '../engine/ports-operator.ts';
import { Client, Refused } from './client.ts';
import { exit, Failure } from './exit.ts';
import type { OpenOutput } from './output-file.ts';
import { clusterDatabase, elsewhere, outputSizeOf, runningDaemon } from './past.ts';
import { isoOf, type Outputs, type PastRow, type PastSource } from './past-source.ts';
import type { Session } from './session.ts';
import { runOf, skipOf, type ToldJob, type ToldRun, type ToldSkip } from './told.ts';

/** Rows asked for at once. */
const PAGE = 1000;
/** Jobs asked for at once: a page holds up the loop that starts jobs for some milliseconds. */
const JOB_PAGE = 200;

interface RunPage {
  readonly runs: readonly (ToldRun | ToldSkip)[];
  readonly next: string | null;
  readonly shortIds?: Readonly<Record<string, string>>;
}

/** @throws Failure (69) when no daemon of this node runs that could tell it */
export function toldPast(state: string, session: Session): ToldPast {
  return new ToldPast(nodeClient(state, session), state);
}

/**
 * The daemon of this node, whose history is in PostgreSQL.
 * @throws Failure (69) when it does not run, or cannot be asked
 */
export function nodeClient(state: string, session: Session): Client {
  const daemon = runningDaemon(state);
  if (daemon === undefined) throw elsewhere(clusterDatabase(state) ?? '');
  const socket = daemon === 'unknown' ? undefined : daemon.socket;
  if (socket === undefined) {
    const hint = 'try again in a moment; or ask another node with --url, where the command has that';
    throw new Failure(exit.unavailable, 'the daemon of this node cannot be asked: it has no socket', hint);
  }
  // Whatever daemon the environment names: this one's history was asked for.
  return new Client({ socket, url: '' }, session);
}

/** The past as the daemon of this node tells it. */
export class ToldPast implements PastSource {
  readonly outputs: Outputs;
  readonly client: Client;
  readonly #state: string;
  readonly #jobs = new Map<JobId, Promise<ToldJob | undefined>>();
  readonly #lengths = new Map<RunId, number>();

  constructor(client: Client, state: string) {
    this.client = client;
    this.#state = state;
    this.outputs = new ToldOutputs(client);
  }

  /** Undefined: the daemon does not have it loaded. */
  job(jobId: JobId): Promise<ToldJob | undefined> {
    const asked =
      this.#jobs.get(jobId) ?? orRefused<ToldJob>(this.client.get(`/jobs/${encodeURIComponent(jobId)}`));
    this.#jobs.set(jobId, asked);
    return asked;
  }

  async knows(jobId: JobId): Promise<boolean> {
    if ((await this.job(jobId)) !== undefined) return true;
    return (await this.rows({ jobId, limit: 1 })).length > 0;
  }

  async jobIds(): Promise<readonly JobId[]> {
    const ids: JobId[] = [];
    for (let cursor: string | null = ''; cursor !== null;) {
      const after: string = cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`;
      const page: { readonly jobs: readonly ToldJob[]; readonly next: string | null } = await this.client.get(
        `/jobs?limit=${JOB_PAGE}${after}`,
      );
      ids.push(...page.jobs.map(({ id }) => id));
      cursor = page.next;
    }
    return ids;
  }

  async isLoaded(jobId: JobId): Promise<boolean> {
    return (await this.job(jobId))?.enabled === true;
  }

  async zone(jobId: JobId): Promise<string | undefined> {
    const job = await this.job(jobId);
    return job?.enabled === true ? job.timezone : undefined;
  }

  async rows({ jobId, since, until, statuses, limit }: RowQuery): Promise<readonly PastRow[]> {
    const query = new URLSearchParams({ short_ids: 'true' });
    if (jobId !== undefined) query.set('job', jobId);
    if (since !== undefined) query.set('since', isoOf(since));
    if (until !== undefined) query.set('until', isoOf(until));
    if (statuses !== undefined) query.set('status', statuses.join(','));
    const rows: PastRow[] = [];
    for (let cursor: string | null = ''; cursor !== null && rows.length < limit;) {
      query.set('limit', String(Math.min(limit - rows.length, PAGE)));
      if (cursor !== '') query.set('cursor', cursor);
      const page: RunPage = await this.client.get(`/runs?${query.toString()}`);
      rows.push(...page.runs.map((told) => this.#row(told)));
      for (const [id, short] of Object.entries(page.shortIds ?? {})) this.#lengths.set(id, short.length);
      cursor = page.next;
    }
    return rows;
  }

  uniqueLength(id: RunId): number {
    return this.#lengths.get(id) ?? id.length;
  }

  async run(idOrPrefix: RunId): Promise<RunRecord | 'ambiguous' | undefined> {
    try {
      const told = await orRefused<ToldRun>(this.client.get(`/runs/${idOrPrefix}`));
      return told && runOf(told);
    } catch (error) {
      if (error instanceof Refused && error.reason === 'ambiguous_run') return 'ambiguous';
      throw error;
    }
  }

  async latestRun(jobId: JobId): Promise<RunRecord | undefined> {
    const job = await this.job(jobId);
    if (job !== undefined) return job.lastRun === null ? undefined : runOf(job.lastRun);
    const statuses = STATUSES.filter((status) => status !== 'skipped');
    const [newest] = await this.rows({ jobId, statuses, limit: 1 });
    return newest !== undefined && 'run' in newest.row ? newest.row.run : undefined;
  }

  /** A job is told without its runs where these cannot be read. */
  async trouble(): Promise<Failure | undefined> {
    try {
      await this.client.get('/runs?limit=1');
      return undefined;
    } catch (error) {
      if (error instanceof Failure) return error;
      throw error;
    }
  }

  #row(told: ToldRun | ToldSkip): PastRow {
    if (told.state === 'skipped') return { row: { skip: skipOf(told) }, shape: () => told };
    return { row: { run: runOf(told) }, shape: () => withSize(told, this.#state) };
  }
}

/** With the size of its output, if that is on this host. */
export function withSize(told: ToldRun, state: string): object {
  return { ...told, outputBytes: outputSizeOf(state, runOf(told)) ?? null };
}

class ToldOutputs implements Outputs {
  readonly #client: Client;

  constructor(client: Client) {
    this.#client = client;
  }

  async open(run: RunId, attempt: number): Promise<OpenOutput | undefined> {
    const path = `/runs/${run}/output?attempt=${attempt}`;
    const size = await orRefused(this.#client.size(path), 'no_output');
    if (size === undefined) return undefined;
    return {
      size,
      read: (from, length) => this.#client.range(path, from, from + length),
      close: () => undefined,
    };
  }

  watch(): undefined {
    return undefined;
  }

  where(): string {
    return 'the node that had it';
  }

  /** Else it could not have been asked. */
  isAlive(): boolean {
    return true;
  }
}

/** Undefined where the daemon says that there is no such thing. */
async function orRefused<T>(asked: Promise<T>, reason?: string): Promise<T | undefined> {
  try {
    return await asked;
  } catch (error) {
    const absent = reason === undefined ? ['unknown_job', 'unknown_run'] : [reason];
    if (error instanceof Refused && absent.includes(error.reason)) return undefined;
    throw error;
  }
}
