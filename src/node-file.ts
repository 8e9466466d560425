/** The job file of a cluster, as one of its nodes has to do with it: its own copy, and the version in force. Part of the composition. */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import type { AppOptions } from './app-options.ts';
import type { ClusterTerm } from './cluster-term.ts';
import type { JobFiles } from './cluster/files.ts';
import type { Membership } from './cluster/membership.ts';
import { OwnFile, type FileCause, type OwnCopy } from './cluster/own-file.ts';
import { gather } from './config/gather.ts';
import { watchFiles, type FileWatch } from './config/watch.ts';
import { systemClock } from './engine/clock.ts';
import type { FileCopy, FileInForce, Published, PublishRequest } from './engine/ports-cluster.ts';
import type { Answer, Refusal } from './engine/ports-operator.ts';
import { loadJobFile } from './job-loading.ts';
import type { Duration } from './model.ts';
import type { Log } from './observe/log.ts';
import { badFile, done, refuse } from './operator/answers.ts';
import type { ReloadResult } from './operator/reload-result.ts';
import { DatabaseAway } from './postgres/database.ts';
import { publishFile, undecided } from './publishing.ts';

export interface NodeFileParts {
  readonly options: AppOptions;
  readonly files: JobFiles;
  readonly membership: Membership;
  readonly log: Log;
  /** While this node conducts. */
  readonly term: () => ClusterTerm | undefined;
  /** Has the node that conducts, which is another, publish a file. */
  readonly elsewhere: (request: PublishRequest) => Promise<Answer<Published>>;
}

/** Between two looks whether this node conducts. */
const LOOK: Duration = 500;

export class NodeFile {
  readonly own: OwnFile;
  readonly #parts: NodeFileParts;
  #watch: FileWatch | undefined;

  constructor(parts: NodeFileParts) {
    this.#parts = parts;
    const { files, membership, log } = parts;
    this.own = new OwnFile({
      files,
      node: membership.node,
      clock: systemClock,
      read: () => this.#read(),
      conducts: () => membership.term !== undefined,
      publish: (request) => this.publish(request),
      log,
    });
  }

  /** Begins to look after the node's own copy, and to follow the version in force. */
  async follow(): Promise<void> {
    const { options, files, log, term } = this.#parts;
    if (options.watch) {
      this.#watch = watchFiles({
        clock: systemClock,
        onChange: () => void this.#look('changed', 'a file has changed'),
        onProblem: (message) => log.write('warning', message),
      });
      this.#watch.watch([resolve(options.file)]);
    }
    await files.watch(undefined, (version) => {
      void term()?.deciding?.loading.reload(`version ${version} was published`);
      void this.own.settle('published');
    });
    await this.own.settle('start');
  }

  /** Reads the copy again, since a signal says so; by the rule it becomes the version in force. A HUP comes each night, from whoever rotates logs. */
  reload(cause: string): Promise<ReloadResult> {
    return this.#look(cause === 'SIGHUP' ? 'changed' : 'asked', cause);
  }

  async #look(cause: FileCause, by: string): Promise<ReloadResult> {
    const decision = await this.own.settle(cause);
    const { deciding } = this.#parts.term() ?? {};
    // What it names, e.g. env files, may be another, though its text is not.
    if (decision?.reason === 'same' && deciding !== undefined) return deciding.loading.reload(by);
    if (decision === undefined) return { kind: 'kept', reason: 'no node conducts, or its database is away' };
    const { reason } = decision;
    return reason === 'broken' ? { kind: 'kept', reason: 'the job file has errors' } : { kind: 'unchanged' };
  }

  /** For a person, who may want it in force. */
  async copy(): Promise<Answer<FileCopy>> {
    const { options } = this.#parts;
    const { file: path } = options;
    if (!options.store?.schedules || !existsSync(path)) {
      const message = path === '' ? 'this node only works, and has no job file' : `there is no ${path} here`;
      const hint = 'tsched publish FILE puts a job file in force on every node';
      return refuse({ refused: 'bad_file', message, hint });
    }
    const result = await loadJobFile(options, { tests: true });
    if (!result.ok) return refuse(badFile(result));
    const given = await gather(resolve(path), result.file.sources);
    if (given !== undefined) return done({ ...given, timezone: options.hostTimezone });
    return refuse({
      refused: 'bad_file',
      message: `${path} was changed while it was read`,
      hint: 'try again',
    });
  }

  /** As the database has it now. */
  async inForce(): Promise<Answer<FileInForce>> {
    try {
      const file = await this.#parts.files.current();
      return file === undefined ? refuse(NO_FILE) : done(file);
    } catch (error) {
      if (!(error instanceof DatabaseAway)) throw error;
      const message = `the published job file cannot be read: ${error.message}`;
      return refuse({ refused: 'cluster_away', message, hint: 'ask again when the database is back' });
    }
  }

  /** Has whoever conducts publish a job file: this node, or another. */
  async publish(request: PublishRequest): Promise<Answer<Published>> {
    if (this.#parts.membership.term === undefined) return this.#publishElsewhere(request);
    const answer = await this.#publish(request);
    // It is not told to whom it publishes.
    if (answer.ok && answer.value.changed) void this.own.settle('published');
    return answer;
  }

  #publish(request: PublishRequest): Promise<Answer<Published>> {
    const { options, files, membership, term } = this.#parts;
    const { deciding, operator } = term() ?? {};
    const parts =
      deciding === undefined || operator === undefined
        ? undecided(options)
        : { loading: deciding.loading, operator };
    const current = (): number | undefined => membership.term;
    return publishFile({ ...parts, files, node: membership.node.name, term: current }, request);
  }

  /** Until this node conducts itself: its term waits for what is to be published, and whoever was asked may have died over it. */
  async #publishElsewhere(request: PublishRequest): Promise<Answer<Published>> {
    const { membership, elsewhere } = this.#parts;
    const own = Promise.withResolvers<Answer<Published>>();
    let callOff: (() => void) | undefined;
    const look = (): void => {
      if (membership.term !== undefined) own.resolve({ ok: false, refusal: CONDUCTS });
      else callOff = systemClock.after(LOOK, look);
    };
    look();
    try {
      return await Promise.race([elsewhere(request), own.promise]);
    } finally {
      callOff?.();
    }
  }

  async close(): Promise<void> {
    this.own.close();
    await this.#watch?.close();
  }

  async #read(): Promise<OwnCopy | undefined> {
    const { options } = this.#parts;
    const { file: path } = options;
    if (!existsSync(path)) return undefined;
    const result = await loadJobFile(options);
    const { sources, watched, stamps } = result.ok ? result.file : result;
    this.#watch?.watch(watched, stamps);
    const given = await gather(resolve(path), sources);
    const { hostTimezone: timezone } = options;
    return given && { given: { ...given, timezone }, path, errors: result.ok ? 0 : result.errors.length };
  }
}

const NO_FILE: Refusal = {
  refused: 'no_file',
  message: 'no job file was published yet: the cluster has no jobs',
  hint: 'publish one: tsched publish FILE',
};

const CONDUCTS: Refusal = {
  refused: 'cluster_away',
  message: 'the node that was asked does not conduct any more',
  hint: 'ask again in some seconds',
};
