/** The jobs of a daemon: those of its job file and those that were added while it ran. The latter win where an id is in both. */
import type { Diagnostic } from './config/diagnostic.ts';
import { loadDocuments, readAddition, type Addition } from './config/added.ts';
import type { LoadOptions } from './config/load.ts';
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
    return refused;
  }

  /** All of them, as the engine is to have them. */
  get jobs(): readonly JobDefinition[] {
    return this.withAdded(this.#file);
  }

  /** As `jobs`, should these be the ones of the file. */
  withAdded(file: readonly JobDefinition[]): readonly JobDefinition[] {
    if (this.#added.size === 0) return file;
    return [
      ...file.filter(({ id }) => !this.#added.has(id)),
      ...Array.from(this.#added.values(), ({ definition }) => definition),
    ];
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
    const addedAt = this.#clock.now();
    for (const { definition, document } of fresh)
      this.#added.set(definition.id, { definition, document, directory });
    await Promise.all(
      fresh.map(({ definition, document }) =>
        this.#store.setAdded(definition.id, { document, directory, addedAt }),
      ),
    );
    const changed = [...known, ...inFile];
    return { kind: 'added', added: ids.filter((id) => !changed.includes(id)), changed };
  }

  /** Removes an added job; one of the same id in the file comes back. False: none was added under this id. */
  async remove(jobId: JobId): Promise<boolean> {
    // One that cannot be loaded is in the store alone.
    const isKept = this.#added.delete(jobId) || (await this.#store.added()).has(jobId);
    if (isKept) await this.#store.setAdded(jobId, undefined);
    return isKept;
  }
}
