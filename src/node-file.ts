/** The job file of a cluster, as one of its nodes has to do with it: its own copy, and the version in force. Part of the composition. */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import type { AppOptions } from './app-options.ts';
import type { ClusterTerm } from './cluster-term.ts';
import type { JobFiles } from './cluster/files.ts';
import type { Membership } from './cluster/membership.ts';
import { OwnFile, type OwnCopy } from './cluster/own-file.ts';
import { gather } from './config/gather.ts';
import { watchFiles, type FileWatch } from './config/watch.ts';
import { systemClock } from './engine/clock.ts';
import type { Published, PublishRequest } from './engine/ports-cluster.ts';
import type { Answer } from './engine/ports-operator.ts';
import { loadJobFile } from './job-loading.ts';
import type { Log } from './observe/log.ts';
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
        onChange: () => void this.own.settle('changed'),
        onProblem: (message) => log.write('warning', message),
      });
      this.#watch.watch([resolve(options.file)]);
    }
    await files.watch(undefined, (version) => {
      void term()?.deciding?.loading.reload(`version ${version} was published`);
    });
    await this.own.settle('start');
  }

  /** Has whoever conducts publish a job file: this node, or another. */
  publish(request: PublishRequest): Promise<Answer<Published>> {
    const { options, files, membership, term, elsewhere } = this.#parts;
    if (membership.term === undefined) return elsewhere(request);
    const { deciding, operator } = term() ?? {};
    const parts =
      deciding === undefined || operator === undefined
        ? undecided(options)
        : { loading: deciding.loading, operator };
    const current = (): number | undefined => membership.term;
    return publishFile({ ...parts, files, node: membership.node.name, term: current }, request);
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
    return given && { given, path, errors: result.ok ? 0 : result.errors.length };
  }
}
