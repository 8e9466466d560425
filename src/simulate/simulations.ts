/** Simulations that a running daemon is asked for: in a thread of their own, one at a time, bounded in time and memory. */
import { dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { LoadedFile, LoadResult } from '../config/load.ts';
import type { Answer } from '../engine/ports-operator.ts';
import type { SimulationRequest } from '../engine/ports-simulate.ts';
import type { Clock } from '../engine/ports.ts';
import type { Duration, JobDefinition } from '../model.ts';
import type { Pools } from '../pool.ts';
import { badFile, done, refuse } from '../operator/answers.ts';
import type { Piece, Result, Task } from './protocol.ts';
import type { SimulationInput } from './simulate.ts';

export interface SimulationsParts {
  readonly clock: Clock;
  readonly database: string | undefined;
  readonly bounds: SimulationInput['bounds'];
  readonly jobs: () => readonly JobDefinition[];
  readonly pools: () => Pools;
  /** Reads a text in place of the job file. */
  readonly load: (text: string) => Promise<LoadResult>;
  readonly withAdded: (file: readonly JobDefinition[]) => readonly JobDefinition[];
}

const DAY: Duration = 86_400_000;
const LONGEST: Duration = 366 * DAY;
/** Runs and skips of one answer: some megabytes of JSON. */
const MOST_ROWS = 20_000;
/** Of the thread's work, then it tells how far it came; and of the thread, then it is ended. */
const PATIENCE: Duration = 20_000;
const HARD_LIMIT: Duration = 60_000;
/** MiB. */
const HEAP = 512;
/** Jobs that cross at once: a millisecond of the loop. */
const PIECE = 200;
/** Of what a task finds around it nothing is needed, and much of it may be large, or secret. */
const NOTHING: Pick<JobDefinition, 'surroundings'> = {
  surroundings: { cwd: '/', env: {}, inheritEnv: true, limits: {} },
};

export class Simulations {
  readonly #parts: SimulationsParts;
  #worker: Worker | undefined;
  #isBusy = false;

  constructor(parts: SimulationsParts) {
    this.#parts = parts;
  }

  /** The result as JSON. */
  async ask({
    from = this.#parts.clock.now(),
    to = from + DAY,
    seed,
    text,
  }: SimulationRequest): Promise<Answer<string>> {
    if (to <= from || to - from > LONGEST) {
      const message = to <= from ? '"to" is not after "from"' : 'the window is longer than 366 days';
      return refuse({ refused: 'past', message });
    }
    if (this.#isBusy) {
      const message = 'another simulation is under way';
      return refuse({ refused: 'too_many', message, hint: 'ask again in a moment' });
    }
    this.#isBusy = true;
    try {
      const set = await this.#set(text);
      if (!set.ok) return set;
      const { database, bounds } = this.#parts;
      const { jobs, pools } = set.value;
      const task = { from, to, seed, bounds, pools, database, most: MOST_ROWS, patience: PATIENCE };
      const result = await this.#play(task, jobs);
      if ('json' in result) return done(result.json);
      return refuse({ refused: 'simulation_failed', message: `the simulation failed: ${result.trouble}` });
    } finally {
      this.#isBusy = false;
    }
  }

  async close(): Promise<void> {
    await this.#worker?.terminate();
  }

  async #set(text: string | undefined): Promise<Answer<Pick<LoadedFile, 'jobs' | 'pools'>>> {
    if (text === undefined) return done({ jobs: this.#parts.jobs(), pools: this.#parts.pools() });
    const result = await this.#parts.load(text);
    if (!result.ok) return refuse(badFile(result));
    const { jobs, pools } = result.file;
    return done({ jobs: this.#parts.withAdded(jobs), pools });
  }

  async #play(task: Task, jobs: readonly JobDefinition[]): Promise<Result> {
    const { clock } = this.#parts;
    const resourceLimits = { maxOldGenerationSizeMb: HEAP };
    const worker = new Worker(program(), { workerData: task, resourceLimits, stdout: false, stderr: false });
    this.#worker = worker;
    const { promise, resolve } = Promise.withResolvers<Result>();
    worker.once('message', (result: Result) => resolve(result));
    worker.once('error', (error) => resolve({ trouble: error.message }));
    worker.once('exit', () => resolve({ trouble: 'it was ended' }));
    // What keeps the daemon alive is its jobs.
    worker.unref();
    const callOff = clock.after(HARD_LIMIT, () => resolve({ trouble: 'it took too long; ask for less' }));
    try {
      for (let at = 0; at < jobs.length; at += PIECE) {
        const piece: Piece = jobs.slice(at, at + PIECE).map((job) => Object.assign({}, job, NOTHING));
        worker.postMessage(piece);
        await new Promise<void>((breathe) => void clock.after(0, breathe));
      }
      worker.postMessage([]);
      return await promise;
    } finally {
      callOff();
      this.#worker = undefined;
      await worker.terminate();
    }
  }
}

/** A source beside this one, or a bundle beside the one this is in. */
function program(): string {
  const here = fileURLToPath(import.meta.url);
  const extension = extname(here);
  return join(dirname(here), extension === '.ts' ? 'thread.ts' : `simulate-thread${extension}`);
}
