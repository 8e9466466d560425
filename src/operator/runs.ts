import type { Engine } from '../engine/engine.ts';
import type {
  Answer,
  OpenOutput,
  OutputPiece,
  OutputPlace,
  Refusal,
  RunPage,
  RunQuery,
} from '../engine/ports-operator.ts';
import type { HistoryRow } from '../engine/ports.ts';
import type { JobId, RunId, RunRecord } from '../model.ts';
import type { HistorySource, JobHistory } from '../store/history.ts';
import type { OutputFiles } from '../tasks/output-files.ts';
import { done, refuse } from './answers.ts';

/** Runs that are over, kept because history may not have their end yet: it is written behind, and not at all while the disk fails. */
const RECENT = 1000;
/** Runs of a job whose outcomes are told. */
const OUTCOMES = 10;

export interface RunsParts {
  readonly engine: Engine;
  readonly history: HistorySource;
  readonly outputs: OutputFiles;
}

/** Runs wherever they are: active, just over, or in the history. */
export class Runs {
  readonly #parts: RunsParts;
  readonly #recent = new Map<RunId, RunRecord>();

  constructor(parts: RunsParts) {
    this.#parts = parts;
  }

  finished(run: RunRecord): void {
    this.#recent.set(run.id, run);
    for (const id of this.#recent.keys()) {
      if (this.#recent.size <= RECENT) return;
      this.#recent.delete(id);
    }
  }

  /** Its newest state, which history may not have yet. */
  fresh(run: RunRecord): RunRecord {
    return this.known(run.id) ?? run;
  }

  /** A run that is active, or has just ended. */
  known(id: RunId): RunRecord | undefined {
    return this.#parts.engine.run(id) ?? this.#recent.get(id);
  }

  async page(query: RunQuery): Promise<Answer<RunPage>> {
    const page = await this.ask((history) => history.page(query));
    if (!page.ok) return page;
    if (page.value === undefined) {
      const hint = 'take "next" from the page before, of the same query';
      return refuse({ refused: 'bad_cursor', message: 'this is no cursor of ours', hint });
    }
    const { rows, next } = page.value;
    return done({ rows: rows.map((row) => this.freshRow(row)), next });
  }

  /** By its id, or the beginning of it if only one begins so. */
  async find(idOrPrefix: string): Promise<Answer<RunRecord>> {
    const here = this.known(idOrPrefix);
    if (here !== undefined) return done(here);
    if (!/^[0-9a-f][0-9a-f-]{3,35}$/i.test(idOrPrefix)) return refuse(UNKNOWN);
    // A run is in the history before it starts: what has begun is found there too.
    const found = await this.ask((history) => history.run(idOrPrefix.toLowerCase()));
    if (!found.ok) return found;
    if (found.value === 'ambiguous') {
      const message = `several runs begin with "${idOrPrefix}"`;
      return refuse({ refused: 'ambiguous_run', message, hint: 'write more of the id' });
    }
    return found.value === undefined ? refuse(UNKNOWN) : done(this.fresh(found.value));
  }

  /** The newest runs of jobs; empty where history cannot be read: a job is told without it. */
  async of(ids: readonly JobId[]): Promise<ReadonlyMap<JobId, JobHistory>> {
    const known = await this.ask((history) => history.jobs(ids, OUTCOMES));
    return known.ok ? known.value : new Map();
  }

  async output(runId: RunId, attempt?: number): Promise<Answer<OpenOutput>> {
    const run = await this.find(runId);
    if (!run.ok) return run;
    const wanted = attempt ?? Math.max(run.value.attempts.length, 1);
    const output = await this.#parts.outputs.open(run.value.id, wanted);
    if (output !== undefined) return done(output);
    // Its processes have not got as far as opening it.
    const { state, attempts } = run.value;
    if (state !== 'finished' && wanted <= attempts.length + 1) return done(nothingYet(wanted));
    const message = `there is no output of attempt ${wanted} of this run`;
    const hint = "it wrote none, or it was removed: see its job's output.keep";
    return refuse({ refused: 'no_output', message, hint });
  }

  async follow(
    runId: RunId,
    from: OutputPlace | undefined,
    signal: AbortSignal,
  ): Promise<Answer<AsyncIterable<OutputPiece>>> {
    const run = await this.find(runId);
    if (!run.ok) return run;
    const { id } = run.value;
    const progress = (): { attempts: number; over: boolean } => {
      const active = this.#parts.engine.run(id);
      const { attempts } = active ?? this.fresh(run.value);
      return { attempts: Math.max(attempts.length, 1), over: active === undefined };
    };
    return done(this.#parts.outputs.follow(id, from ?? { attempt: 1, offset: 0 }, { progress, signal }));
  }

  async ask<T>(question: (history: HistorySource) => Promise<T>): Promise<Answer<T>> {
    try {
      return done(await question(this.#parts.history));
    } catch (error) {
      const { message, hint } = error as Error & { hint?: string };
      const text = `the history cannot be read: ${message}`;
      return refuse({ refused: 'history_unavailable', message: text, hint });
    }
  }

  /** As `fresh`; a skip is what it is. */
  freshRow(row: HistoryRow): HistoryRow {
    return 'run' in row ? { run: this.fresh(row.run) } : row;
  }
}

const UNKNOWN: Refusal = {
  refused: 'unknown_run',
  message: 'there is no such run',
  hint: 'tsched history, or GET /api/v1/runs, lists them',
};

function nothingYet(attempt: number): OpenOutput {
  return { attempt, size: 0, read: async function* () {}, close: () => Promise.resolve() };
}
