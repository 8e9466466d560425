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
import { OutputElsewhere, type OutputFiles } from '../engine/ports-output.ts';
import { shardRun } from '../schedule/joint.ts';
import { partsOfId, shardId } from '../shard.ts';
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
    const fresh = rows.map((row) => this.freshRow(row));
    if (query.withUniqueLengths !== true) return done({ rows: fresh, next });
    const ids = rows.flatMap((row) => ('run' in row ? [row.run.id] : []));
    const uniqueLengths = await this.ask((history) => history.uniqueLengths(ids));
    return uniqueLengths.ok ? done({ rows: fresh, next, uniqueLengths: uniqueLengths.value }) : uniqueLengths;
  }

  /** By its id, or the beginning of it if only one begins so; with `.3` a part of it, as a run. */
  async find(id: string): Promise<Answer<RunRecord>> {
    const { run, index } = partsOfId(id);
    const found = await this.#whole(run);
    if (!found.ok || index === undefined) return found;
    const part = shardRun(found.value, index);
    return part === undefined ? refuse(UNKNOWN) : done(part);
  }

  async #whole(idOrPrefix: string): Promise<Answer<RunRecord>> {
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
    if (run.value.shards !== undefined) return refuse(inParts(run.value));
    const wanted = attempt ?? Math.max(run.value.attempts.length, 1);
    const output = await this.#open(run.value.id, wanted);
    if (output instanceof OutputElsewhere) {
      const message = `the output of attempt ${wanted} of this run cannot be read now: ${output.message}`;
      return refuse({ refused: 'output_away', message, hint: 'ask again when that node is there again' });
    }
    if (output !== undefined) return done(output);
    // Its processes have not got as far as opening it.
    const { state, attempts } = run.value;
    if (state !== 'finished' && wanted <= attempts.length + 1) return done(nothingYet(wanted));
    const message = `there is no output of attempt ${wanted} of this run`;
    const hint = "it wrote none, or it was removed: see its job's output.keep";
    return refuse({ refused: 'no_output', message, hint });
  }

  async #open(runId: RunId, attempt: number): Promise<OpenOutput | OutputElsewhere | undefined> {
    try {
      return await this.#parts.outputs.open(runId, attempt);
    } catch (error) {
      if (error instanceof OutputElsewhere) return error;
      throw error;
    }
  }

  /** A run in parts prints nothing itself: of it there is the end alone. */
  async follow(
    runId: RunId,
    from: OutputPlace | undefined,
    signal: AbortSignal,
  ): Promise<Answer<AsyncIterable<OutputPiece>>> {
    const run = await this.find(runId);
    if (!run.ok) return run;
    const { id } = run.value;
    const progress = (): { attempts: number; over: boolean } => {
      const active = this.#active(id);
      const { attempts } = active ?? this.#ended(run.value);
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

  /** A run, or a part of one, that is not over. */
  #active(id: RunId): RunRecord | undefined {
    const { run, index } = partsOfId(id);
    const active = this.#parts.engine.run(run);
    if (index === undefined) return active;
    const part = active && shardRun(active, index);
    return part?.state === 'finished' ? undefined : part;
  }

  /** The newest state of what has just ended. */
  #ended(known: RunRecord): RunRecord {
    const { run, index } = partsOfId(known.id);
    const ended = this.known(run);
    if (ended === undefined) return known;
    return index === undefined ? ended : (shardRun(ended, index) ?? known);
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

/** Each part has output of its own. */
function inParts({ id, shards = [] }: RunRecord): Refusal {
  const first = shardId(id, shards[0]?.index ?? 0);
  const message = `this run has ${shards.length} shards, each with output of its own`;
  return { refused: 'no_output', message, hint: `ask for that of one of them, as ${first}` };
}

function nothingYet(attempt: number): OpenOutput {
  return { attempt, size: 0, read: async function* () {}, close: () => Promise.resolve() };
}
