/** The jobs of a daemon: those of its job file and those that were added while it ran. The latter win where an id is in both. */
import type { Diagnostic } from './config/diagnostic.ts';
import { loadDocuments, readAddition, type Addition } from './config/added.ts';
import { besideAdded, circleError, dependents } from './config/added-links.ts';
import type { LoadOptions, LoadResult } from './config/load.ts';
import type { Clock, Store } from './engine/ports.ts';
import type { JobDefinition, JobId } from './model.ts';

/** What came of a request to add jobs. Nothing is added unless all of them can be. */
export type AddResult =
  | { readonly kind: 'added'; readonly added: readonly JobId[]; readonly changed: readonly JobId[] }
  /** Jobs alike are there already. */
  | { readonly kind: 'unchanged' }
  /** The job file defines them, or they were added otherwise, and `replace` was not asked for. */
  | { readonly kind: 'conflict'; readonly inFile: readonly JobId[]; readonly added: readonly JobId[] }
  | { readonly kind: 'invalid'; readonly problem: Addition & { readonly ok: false } };

export type RemoveResult =
  | { readonly kind: 'removed' }
  /** None was added under this id. */
  | { readonly kind: 'unknown' }
  /** These added jobs follow or need it, and the job file has none of its id. */
  | { readonly kind: 'needed'; readonly by: readonly JobId[] }
  /** With the one of the job file in its place jobs would wait for one another. */
  | { readonly kind: 'circle'; readonly message: string };

export interface AddRequest {
  /** A job file. */
  readonly text: string;
  /** What relative paths in it are relative to. */
  readonly directory: string;
  /** Also in place of jobs of the same id. */
  readonly replace: boolean;
}

interface Kept {
  readonly definition: JobDefinition;
  readonly document: string;
  readonly directory: string;
}

export class JobSet {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #added = new Map<JobId, Kept>();
  #file: readonly JobDefinition[];

  constructor(parts: {
    readonly store: Store;
    readonly clock: Clock;
    readonly file: readonly JobDefinition[];
  }) {
    this.#store = parts.store;
    this.#clock = parts.clock;
    this.#file = parts.file;
  }

  /** Takes up what was added to earlier daemons. Gives what cannot be loaded any more; it stays in the store. */
  async takeUp(
    options: LoadOptions,
  ): Promise<readonly { readonly jobId: JobId; readonly error: Diagnostic }[]> {
    const kept = await this.#store.added();
    const { jobs, refused } = await loadDocuments(kept, options);
    for (const definition of jobs) {
      const { document = '', directory = '' } = kept.get(definition.id) ?? {};
      this.#added.set(definition.id, { definition, document, directory });
    }
    return [...refused, ...this.#dropCircles()];
  }

  /** All of them, as the engine is to have them. */
  get jobs(): readonly JobDefinition[] {
    return this.withAdded(this.#file);
  }

  /** As `jobs`, should these be the ones of the file. */
  withAdded(file: readonly JobDefinition[]): readonly JobDefinition[] {
    return together(file, this.#added);
  }

  /** What was read of the job file, held against the jobs that were added. */
  check(result: LoadResult): LoadResult {
    if (!result.ok || this.#added.size === 0) return result;
    return besideAdded(result, {
      jobs: this.withAdded(result.file.jobs),
      added: new Set(this.#added.keys()),
    });
  }

  isAdded(jobId: JobId): boolean {
    return this.#added.has(jobId);
  }

  /** The job file has changed. */
  load(file: readonly JobDefinition[]): void {
    this.#file = file;
  }

  /** Adds all jobs of a text, or none. They are kept once this resolves; the engine is not told. */
  async add({ text, directory, replace }: AddRequest, options: LoadOptions): Promise<AddResult> {
    const addition = await readAddition(text, { directory, options });
    if (!addition.ok) return { kind: 'invalid', problem: addition };
    const fresh = addition.jobs.filter(({ definition: { id }, document }) => {
      const known = this.#added.get(id);
      return known?.document !== document || known.directory !== directory;
    });
    if (fresh.length === 0) return { kind: 'unchanged' };
    const ids = fresh.map(({ definition }) => definition.id);
    const known = ids.filter((id) => this.#added.has(id));
    const inFile = ids.filter((id) => !this.#added.has(id) && this.#file.some((job) => job.id === id));
    if (!replace && known.length + inFile.length > 0) return { kind: 'conflict', inFile, added: known };
    const after = new Map(this.#added);
    for (const { definition, document } of fresh)
      after.set(definition.id, { definition, document, directory });
    const circle = circleAmong(this.#file, after, ids);
    if (circle !== undefined) return { kind: 'invalid', problem: refusedFor(circle.error, addition) };
    const addedAt = this.#clock.now();
    for (const id of ids) {
      const kept = after.get(id);
      if (kept !== undefined) this.#added.set(id, kept);
    }
    await Promise.all(
      fresh.map(({ definition, document }) =>
        this.#store.setAdded(definition.id, { document, directory, addedAt }),
      ),
    );
    const changed = [...known, ...inFile];
    return { kind: 'added', added: ids.filter((id) => !changed.includes(id)), changed };
  }

  /** Removes an added job, unless others hang on it; one of the same id in the file comes back. */
  async remove(jobId: JobId): Promise<RemoveResult> {
    // One that cannot be loaded is in the store alone.
    if (!this.#added.has(jobId) && !(await this.#store.added()).has(jobId)) return { kind: 'unknown' };
    const after = new Map(this.#added);
    after.delete(jobId);
    const by = dependents(definitionsOf(after), jobId);
    if (by.length > 0 && !this.#file.some(({ id }) => id === jobId)) return { kind: 'needed', by };
    const circle = circleAmong(this.#file, after, after.keys());
    if (circle !== undefined) return { kind: 'circle', message: circle.error.message };
    this.#added.delete(jobId);
    await this.#store.setAdded(jobId, undefined);
    return { kind: 'removed' };
  }

  /** Takes out added jobs that wait for one another: the job file may have changed while no daemon was there. */
  #dropCircles(): { readonly jobId: JobId; readonly error: Diagnostic }[] {
    const dropped: { jobId: JobId; error: Diagnostic }[] = [];
    for (;;) {
      const circle = circleAmong(this.#file, this.#added, this.#added.keys());
      if (circle === undefined || !this.#added.delete(circle.at)) return dropped;
      dropped.push({ jobId: circle.at, error: circle.error });
    }
  }
}

type Added = ReadonlyMap<JobId, Kept>;

function definitionsOf(added: Added): JobDefinition[] {
  return Array.from(added.values(), ({ definition }) => definition);
}

function together(file: readonly JobDefinition[], added: Added): readonly JobDefinition[] {
  if (added.size === 0) return file;
  return [...file.filter(({ id }) => !added.has(id)), ...definitionsOf(added)];
}

/** Whether jobs wait for one another since these of the added ones changed. */
function circleAmong(file: readonly JobDefinition[], added: Added, changed: Iterable<JobId>) {
  const starts = [...changed].flatMap((id) => added.get(id)?.definition ?? []);
  const ids = new Set(starts.map(({ id }) => id));
  const whole = { jobs: together(file, added), added: new Set(added.keys()) };
  return circleError(whole, starts, (id) => ids.has(id));
}

function refusedFor(error: Diagnostic, { warnings, texts }: Addition & { readonly ok: true }) {
  return {
    ok: false,
    errors: [error],
    warnings,
    sources: [],
    watched: [],
    stamps: {},
    texts,
    incomplete: false,
    missing: false,
  } as const;
}
