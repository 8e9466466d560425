/**
 * What a daemon runs, and how that changes: its job file, read again when it changes, and jobs that are added and removed
 * meanwhile. One change after another. Part of the composition, beside app.ts.
 */
import { resolve } from 'node:path';
import type { AppOptions } from './app-options.ts';
import { loadJobFileApart } from './config/apart.ts';
import { formatDiagnostics, type Diagnostic } from './config/diagnostic.ts';
import type { LoadedFile, LoadOptions, LoadResult } from './config/load.ts';
import type { GivenFile } from './config/gather.ts';
import { decideReload } from './config/reload.ts';
import type { FileWatch } from './config/watch.ts';
import { systemClock } from './engine/clock.ts';
import type { Engine } from './engine/engine.ts';
import { inSmallNursery } from './heap.ts';
import { JobSet, type AddRequest, type AddResult, type RemoveResult } from './job-set.ts';
import type { Keeping } from './keeping.ts';
import type { JobDefinition, JobId } from './model.ts';
import type { Log } from './observe/log.ts';
import type { ReloadResult } from './operator/reload-result.ts';
import type { DaemonFile } from './store/daemon-file.ts';
import type { Telling } from './telling.ts';

/** Most errors and warnings of one reading that are written to the log: of a broken template there are thousands. */
const MOST_SAID = 20;

export type { GivenFile } from './config/gather.ts';

/** Where a daemon has its job file from when that is not, or not always, its own disk. */
export interface FileSource {
  /** Undefined: from the disk after all. @throws FileUnread */
  read(): Promise<GivenFile | undefined>;
}

/** Where the job file is kept cannot be asked now. Its message is for people. */
export class FileUnread extends Error {
  override readonly name = 'FileUnread';
}

export interface JobLoadingParts {
  readonly options: AppOptions;
  readonly file: LoadedFile;
  /** Absent: the job file of the options, from the disk. */
  readonly source?: FileSource;
  readonly log: Log;
  readonly keeping: Keeping;
  readonly daemonFile: DaemonFile;
  readonly telling: Telling;
  readonly engine: Engine;
  /** The daemon is stopping. */
  readonly signal: AbortSignal;
  /** A set was applied. */
  readonly onApplied: () => void;
  /** The job file is about to be read again. */
  readonly onReloading: () => void;
  readonly onReloaded: (cause: string, result: ReloadResult) => void;
}

export class JobLoading {
  readonly #parts: JobLoadingParts;
  readonly #set: JobSet;
  #file: LoadedFile;
  #watch: FileWatch | undefined;
  #last: Promise<unknown> = Promise.resolve();
  #queued: Promise<ReloadResult> | undefined;
  /** Jobs with `runs_on`, when that was last looked at. */
  #labelled = 0;

  constructor(parts: JobLoadingParts) {
    this.#parts = parts;
    this.#file = parts.file;
    this.#set = new JobSet({ store: parts.keeping.store, clock: systemClock, file: parts.file.jobs });
  }

  /** All jobs, of the file and added ones. */
  get jobs(): readonly JobDefinition[] {
    return this.#set.jobs;
  }

  /** Those of the job file. */
  get pools(): LoadedFile['pools'] {
    return this.#file.pools;
  }

  isAdded(jobId: JobId): boolean {
    return this.#set.isAdded(jobId);
  }

  /** All jobs, should these be the ones of the file. */
  withAdded(file: readonly JobDefinition[]): readonly JobDefinition[] {
    return this.#set.withAdded(file);
  }

  /** Begins to keep the promises of the file, and of jobs that were added to earlier daemons. */
  async start(): Promise<void> {
    const { log, engine, telling, daemonFile } = this.#parts;
    this.#say(this.#file.warnings, this.#file.texts);
    for (const { jobId, error } of await this.#set.takeUp(this.#forAdded())) {
      const what = `the added job ${jobId} cannot be loaded any more and does not run: ${error.message}`;
      log.write('error', `${what}; add it again, or remove it: tsched remove ${jobId}`, { job: jobId });
    }
    daemonFile.update({ jobs: this.jobs.length });
    this.#sayOfLabels();
    await telling.start(this.#loaded());
    engine.resizePools(this.#file.pools);
    await inSmallNursery(() => engine.start(this.jobs));
  }

  /** Keeps the watch up to date from now on. */
  watch(watch: FileWatch): void {
    this.#watch = watch;
    watch.watch(this.#file.watched, this.#file.stamps);
  }

  /** Reads the job file again and puts it in place of the loaded set if it is good. Requests that come meanwhile share one more reading. */
  reload(cause: string): Promise<ReloadResult> {
    this.#queued ??= this.#inTurn(async () => {
      this.#queued = undefined;
      this.#parts.onReloading();
      const result = await this.#tryReload(cause);
      this.#parts.onReloaded(cause, result);
      return result;
    });
    return this.#queued;
  }

  /** Adds the jobs of a text, all or none; they are kept, and armed, once this resolves. */
  add(request: AddRequest): Promise<AddResult> {
    return this.#inTurn(async () => {
      const result = await this.#set.add(request, this.#forAdded());
      if (result.kind === 'added') await this.#apply();
      return result;
    });
  }

  /** Removes an added job, unless others hang on it. */
  remove(jobId: JobId): Promise<RemoveResult> {
    return this.#inTurn(async () => {
      const result = await this.#set.remove(jobId);
      if (result.kind === 'removed') await this.#apply();
      return result;
    });
  }

  /** Reads the job file, or `text` in its place, with its tests, and holds it against the added jobs; nothing comes of it. */
  async load(text?: string): Promise<LoadResult> {
    const { options, signal, source } = this.#parts;
    const at = source === undefined ? {} : { at: this.#file.path };
    const more = text === undefined ? await this.#given() : { ...at, text, tests: true };
    return this.#set.check(await loadJobFile(options, { signal, ...more }));
  }

  /** Reads a job file that may take the place of this one, with its tests; nothing comes of it. */
  async check(given: GivenFile): Promise<LoadResult> {
    const { options, signal } = this.#parts;
    return this.#set.check(await loadJobFile(options, { signal, given, tests: true }));
  }

  async #given(): Promise<{ readonly given?: GivenFile }> {
    const given = await this.#parts.source?.read();
    return given === undefined ? {} : { given };
  }

  async #tryReload(cause: string): Promise<ReloadResult> {
    try {
      return await inSmallNursery(() => this.#reload(cause));
    } catch (error) {
      // A mistake of ours, or our own files exchanged under us. Silence would let people believe that it worked.
      const reason = `the job file could not be loaded again (${String(error)}); the jobs loaded before stay`;
      this.#parts.log.write('crit', `${reason}; if tsched was upgraded, restart it`, { cause });
      return { kind: 'kept', reason };
    }
  }

  async #reload(cause: string): Promise<ReloadResult> {
    const { signal, daemonFile, log, keeping } = this.#parts;
    const stopping = { kind: 'kept', reason: 'the daemon is stopping' } as const;
    if (signal.aborted) return stopping;
    const result = await this.#read();
    if (signal.aborted) return stopping;
    if ('unread' in result) {
      log.write('error', result.unread, { cause });
      return { kind: 'kept', reason: result.unread };
    }
    const decision = decideReload(this.#file, result);
    const reason = decision.kind === 'keep' ? decision.reason : undefined;
    daemonFile.update({
      fileProblem: reason === undefined ? undefined : { since: systemClock.now(), message: reason },
    });
    const { watched, stamps, warnings, texts } = result.ok ? result.file : result;
    this.#watch?.watch(result.ok ? watched : [...new Set([...watched, ...this.#file.watched])], stamps);
    if (decision.kind === 'unchanged') return decision;
    const problems = result.ok ? warnings : [...result.errors, ...warnings];
    this.#say(problems, texts);
    if (decision.kind === 'keep') {
      log.write('error', decision.reason, { cause });
      return { kind: 'kept', reason: decision.reason, problems };
    }
    if (decision.alarm !== undefined) log.write('warning', decision.alarm, { cause });
    this.#file = decision.file;
    this.#set.load(decision.file.jobs);
    const summary = await this.#apply();
    keeping.retain(decision.file.history);
    daemonFile.update({ loadedAt: systemClock.now() });
    return { kind: 'applied', summary, warnings };
  }

  async #read(): Promise<LoadResult | { readonly unread: string }> {
    try {
      return await this.load();
    } catch (error) {
      if (!(error instanceof FileUnread)) throw error;
      return { unread: `${error.message}; the jobs loaded before stay` };
    }
  }

  async #apply() {
    const { engine, telling, daemonFile, onApplied } = this.#parts;
    const { jobs } = this;
    this.#sayOfLabels();
    telling.load(this.#loaded());
    engine.resizePools(this.#file.pools);
    const summary = await engine.apply(jobs);
    daemonFile.update({ jobs: jobs.length });
    onApplied();
    return summary;
  }

  /** Added jobs tell people by the notifiers of the job file, share its pools, and may follow its jobs. */
  #forAdded(): LoadOptions {
    const { notifiers, pools, timezone } = this.#file;
    const { options } = this.#parts;
    const jobs = this.jobs.map(({ id }) => id);
    // In a cluster it must not change with the node that conducts.
    const hostTimezone = options.store === undefined ? options.hostTimezone : timezone;
    return { ...loadOptions({ ...options, hostTimezone }), notifiers: Object.keys(notifiers), pools, jobs };
  }

  #loaded(): LoadedFile {
    const { jobs } = this;
    // Not a copy: the hash of what was read is worked out when it is first asked for.
    return Object.create(this.#file, { jobs: { value: jobs } }) as LoadedFile;
  }

  #inTurn<T>(action: () => Promise<T>): Promise<T> {
    const result = this.#last.then(action);
    this.#last = result.catch(() => undefined);
    return result;
  }

  /** On one machine jobs run there, whatever labels they ask for; once for each number of them. */
  #sayOfLabels(): void {
    const { log, options } = this.#parts;
    const count = this.jobs.filter(({ runsOn }) => runsOn !== undefined).length;
    if (options.store === undefined && count > 0 && count !== this.#labelled) {
      const which = count === 1 ? 'runs_on of one job means' : `runs_on of ${count} jobs means`;
      log.write(
        'warning',
        `${which} nothing on one machine: nodes with labels are those of --store postgres://…`,
      );
    }
    this.#labelled = count;
  }

  #say(list: readonly Diagnostic[], texts: LoadedFile['texts']): void {
    const { log, options, source } = this.#parts;
    for (const diagnostic of list.slice(0, MOST_SAID)) {
      const text = formatDiagnostics([diagnostic], texts, { color: false }).trimEnd();
      log.write(diagnostic.severity, text);
    }
    const next = list[MOST_SAID];
    if (next === undefined) return;
    const rest = `${list.length - MOST_SAID} more; "tsched validate ${source === undefined ? options.file : 'FILE'}" shows them all`;
    log.write(next.severity, rest);
  }
}

export interface LoadWish {
  readonly signal?: AbortSignal;
  /** What stands in the job file, instead of what is on the disk. */
  readonly text?: string;
  /** Where that text would be; default: where the options have the job file. */
  readonly at?: string;
  /** The job file and its includes, in place of those on the disk. */
  readonly given?: GivenFile;
  /** Whether what `tests` says is held against the jobs. */
  readonly tests?: boolean;
}

/** Reads the job file as the daemon does: a large one in a process of its own. */
export function loadJobFile(
  options: AppOptions,
  { at = options.file, given, ...more }: LoadWish = {},
): Promise<LoadResult> {
  const path = given === undefined ? at : mainPath(given);
  const documents = given === undefined ? {} : { documents: given.documents };
  const { hostTimezone } = options;
  const from = { ...options, hostTimezone: given?.timezone ?? hostTimezone };
  return loadJobFileApart(path, { ...loadOptions(from), ...documents, ...more });
}

/** Where the job file of a set would be on a disk. */
export function mainPath({ documents, directory }: GivenFile): string {
  return resolve(directory, documents[0]?.path ?? 'jobs.yaml');
}

function loadOptions({ environment, hostTimezone }: AppOptions): LoadOptions {
  const uid = process.geteuid?.();
  return {
    environment,
    hostTimezone,
    now: systemClock.now(),
    ...(uid === undefined ? {} : { uid }),
  };
}
